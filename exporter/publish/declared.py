"""Every metric of this program, declared here and nowhere else.

One row a metric: name, type, labels, help, and where its values are read. It must not
compute anything that is not already a value, and must not draw or write it.
"""

from exporter.ledger.view import DELAY_BUCKETS, DURATION_BUCKETS, AccountView
from exporter.publish.declaration import Declared, Kind, Process, if_known, one, with_zeros
from exporter.publish.health import (
    ENDPOINTS,
    POLL_BUCKETS,
    REQUEST_BUCKETS,
    RETRY_CAUSES,
    SWEEP_CAUSES,
    AccountHealth,
    HandshakeCause,
)

_FIRST_REQUESTS = tuple((endpoint, "200") for endpoint in ENDPOINTS)

FROM_VIEW: tuple[Declared[AccountView], ...] = (
    Declared(
        "telnyx_sim_card_actions",
        Kind.GAUGE,
        ("account", "action_type", "status"),
        "SIM card actions that the API lists, by type and status, at the last poll "
        "(the exporter polls on its own timer, not at the scrape).",
        lambda view: view.actions.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds",
        Kind.GAUGE,
        ("account", "action_type"),
        "When the oldest action in progress was created, as Unix time; "
        "no series while none is in progress.",
        lambda view: view.oldest_in_progress.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_stuck",
        Kind.GAUGE,
        ("account", "action_type"),
        "Actions in progress for longer than the configured stuck_after, at the last poll.",
        lambda view: view.stuck.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_created_total",
        Kind.COUNTER,
        ("account", "action_type"),
        "Actions first seen since the baseline; what was there before is not counted.",
        lambda view: view.created.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_completed_total",
        Kind.COUNTER,
        ("account", "action_type"),
        "Times that an action entered the status completed since the baseline.",
        lambda view: view.completed.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_failed_total",
        Kind.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times that an action entered the status failed since the baseline, by class of reason.",
        lambda view: view.failed.items(),
        exemplars=lambda view: view.failed_exemplars.items(),
    ),
    Declared(
        "telnyx_sim_card_actions_interrupted_total",
        Kind.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times that an action entered the status interrupted since the baseline, "
        "by class of reason.",
        lambda view: view.interrupted.items(),
        exemplars=lambda view: view.interrupted_exemplars.items(),
    ),
    Declared(
        "telnyx_sim_card_action_duration_seconds",
        Kind.HISTOGRAM,
        ("account", "action_type", "status"),
        "Time from the creation of an action to its end, by the status that it ended with.",
        lambda view: view.durations.items(),
        bounds=DURATION_BUCKETS,
    ),
    Declared(
        "telnyx_sim_card_action_detection_delay_seconds",
        Kind.HISTOGRAM,
        ("account",),
        "Time from the end of an action to the poll that saw it.",
        lambda view: one(view.detection_delay),
        bounds=DELAY_BUCKETS,
    ),
    Declared(
        "telnyx_exporter_last_audit_timestamp_seconds",
        Kind.GAUGE,
        ("account",),
        "When the totals of the API were last compared with what is known, as Unix time; "
        "0 for never.",
        lambda view: one(view.last_audit),
    ),
    Declared(
        "telnyx_exporter_baseline_timestamp_seconds",
        Kind.GAUGE,
        ("account",),
        "When the counters of the account began at 0, as Unix time; "
        "no series before its first poll is committed.",
        lambda view: if_known(view.baseline_at),
    ),
    Declared(
        "telnyx_exporter_ledger_drift",
        Kind.GAUGE,
        ("account", "status"),
        "Actions that the API counts less actions that are known, by status, at the last audit.",
        lambda view: view.drift.items(),
    ),
    Declared(
        "telnyx_exporter_listings",
        Kind.GAUGE,
        ("account", "order"),
        "Lists of actions that are read for new ones, by the order that the API gives them in; "
        "finding what is new in one with order none takes reading all of it.",
        lambda view: view.listings.items(),
    ),
    Declared(
        "telnyx_exporter_actions_tracked",
        Kind.GAUGE,
        ("account",),
        "Actions remembered one by one in the state database.",
        lambda view: one(view.tracked),
    ),
)
"""Read from what is committed of an account: these outlive a restart."""

FROM_HEALTH: tuple[Declared[AccountHealth], ...] = (
    Declared(
        "telnyx_up",
        Kind.GAUGE,
        ("account",),
        "1 if the last poll of the account succeeded, else 0 "
        "(the exporter polls on its own timer, not at the scrape).",
        lambda health: one(health.up),
    ),
    Declared(
        "telnyx_exporter_polls_total",
        Kind.COUNTER,
        ("account",),
        "Polls that ended, well or not.",
        lambda health: one(health.polls),
    ),
    Declared(
        "telnyx_exporter_poll_failures_total",
        Kind.COUNTER,
        ("account", "cause"),
        "Polls that failed, by cause.",
        lambda health: health.poll_failures.items(),
    ),
    Declared(
        "telnyx_exporter_poll_duration_seconds",
        Kind.HISTOGRAM,
        ("account",),
        "Time that a poll took, failed ones included.",
        lambda health: one(health.poll_duration),
        bounds=POLL_BUCKETS,
    ),
    Declared(
        "telnyx_exporter_last_success_timestamp_seconds",
        Kind.GAUGE,
        ("account",),
        "When the last successful poll ended, as Unix time; 0 for never since the start.",
        lambda health: one(health.last_success),
    ),
    Declared(
        "telnyx_exporter_api_requests_total",
        Kind.COUNTER,
        ("account", "endpoint", "code"),
        "Requests to the Telnyx API, by endpoint and HTTP status; "
        "code is error when there was no answer.",
        lambda health: with_zeros(_FIRST_REQUESTS, health.requests),
    ),
    Declared(
        "telnyx_exporter_api_request_duration_seconds",
        Kind.HISTOGRAM,
        ("account", "endpoint"),
        "Time that a request to the Telnyx API took, by endpoint.",
        lambda health: health.request_duration.items(),
        bounds=REQUEST_BUCKETS,
    ),
    Declared(
        "telnyx_exporter_api_retries_total",
        Kind.COUNTER,
        ("account", "cause"),
        "Requests to the Telnyx API that were sent again, by cause.",
        lambda health: with_zeros(RETRY_CAUSES, health.retries),
    ),
    Declared(
        "telnyx_exporter_api_rate_limit",
        Kind.GAUGE,
        ("account",),
        "Rate limit of the Telnyx API as it last said, in its own unit; no series if it never did.",
        lambda health: if_known(health.rate_limit),
    ),
    Declared(
        "telnyx_exporter_api_rate_limit_remaining",
        Kind.GAUGE,
        ("account",),
        "What is left of the rate limit of the Telnyx API as it last said; "
        "no series if it never did.",
        lambda health: if_known(health.rate_limit_remaining),
    ),
    Declared(
        "telnyx_exporter_sweeps_total",
        Kind.COUNTER,
        ("account", "cause"),
        "Listings read again as a whole because they did not add up, by cause.",
        lambda health: with_zeros(SWEEP_CAUSES, health.sweeps),
    ),
    Declared(
        "telnyx_exporter_malformed_actions_total",
        Kind.COUNTER,
        ("account",),
        "Items of API answers that could not be read and were skipped.",
        lambda health: one(health.malformed),
    ),
)
"""Read from how the polls of an account go: these start anew with the process."""

FROM_PROCESS: tuple[Declared[Process], ...] = (
    Declared(
        "telnyx_exporter_config_last_reload_successful",
        Kind.GAUGE,
        (),
        "1 if the configuration was read well the last time, else 0.",
        lambda process: one(process.snapshot.reload_successful),
    ),
    Declared(
        "telnyx_exporter_config_last_reload_success_timestamp_seconds",
        Kind.GAUGE,
        (),
        "When the configuration was last read well, as Unix time.",
        lambda process: one(process.snapshot.reload_success_at),
    ),
    Declared(
        "telnyx_exporter_state_bytes",
        Kind.GAUGE,
        ("part",),
        "Size of the state on disk, by part: the database, and its write-ahead log; "
        "no series where it is not on disk.",
        lambda process: process.snapshot.state_bytes.items(),
    ),
    Declared(
        "telnyx_exporter_web_connections_dropped_total",
        Kind.COUNTER,
        (),
        "Idle connections to the exporter that were closed because no more may be open.",
        lambda process: one(process.snapshot.connections_dropped),
    ),
    Declared(
        "telnyx_exporter_web_tls_handshake_errors_total",
        Kind.COUNTER,
        ("cause",),
        "TLS handshakes with clients of the exporter that failed, by cause.",
        lambda process: with_zeros(
            tuple(each.value for each in HandshakeCause), process.snapshot.tls_handshake_errors
        ),
    ),
    Declared(
        "telnyx_exporter_build_info",
        Kind.GAUGE,
        ("version", "python_version", "revision"),
        "1, with the version and the revision of the exporter and the version of Python.",
        lambda process: ((process.build.labels(), 1),),
    ),
)
"""Read from the process as a whole: these have no account."""

ALL: tuple[Declared[AccountView] | Declared[AccountHealth] | Declared[Process], ...] = (
    *FROM_VIEW,
    *FROM_HEALTH,
    *FROM_PROCESS,
)
"""Every declared metric, in the order of the exposition."""
