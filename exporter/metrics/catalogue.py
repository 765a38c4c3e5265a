"""Every metric of this program: name, type, labels, help, and which value it shows.

It must not compute anything that is not already a value, and must not write metrics.
"""

import platform

from exporter.ledger.records import DELAY_BUCKETS, DURATION_BUCKETS
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.definition import (
    MetricDefinition,
    MetricType,
    if_known,
    one,
    with_zeros,
)
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import (
    ENDPOINTS,
    POLL_BUCKETS,
    REQUEST_BUCKETS,
    RETRY_CAUSES,
    SWEEP_CAUSES,
    AccountHealth,
)
from exporter.version import __version__

_FIRST_REQUESTS = tuple((endpoint, "200") for endpoint in ENDPOINTS)

ACCOUNT_METRICS: tuple[MetricDefinition[AccountSnapshot], ...] = (
    MetricDefinition(
        "telnyx_sim_card_actions",
        MetricType.GAUGE,
        ("account", "action_type", "status"),
        "SIM card actions that the API lists, by type and status, at the last poll "
        "(the exporter polls on its own timer, not at the scrape).",
        lambda account: account.actions.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds",
        MetricType.GAUGE,
        ("account", "action_type"),
        "When the oldest action in progress was created, as Unix time; "
        "no series while none is in progress.",
        lambda account: account.oldest_in_progress.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_stuck",
        MetricType.GAUGE,
        ("account", "action_type"),
        "Actions in progress for longer than the configured stuck_after, at the last poll.",
        lambda account: account.stuck.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_created_total",
        MetricType.COUNTER,
        ("account", "action_type"),
        "Actions first seen since the baseline; what was there before is not counted.",
        lambda account: account.created.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_completed_total",
        MetricType.COUNTER,
        ("account", "action_type"),
        "Times that an action entered the status completed since the baseline.",
        lambda account: account.completed.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_failed_total",
        MetricType.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times that an action entered the status failed since the baseline, by class of reason.",
        lambda account: account.failed.items(),
        exemplars=lambda account: account.failed_exemplars.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_interrupted_total",
        MetricType.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times that an action entered the status interrupted since the baseline, "
        "by class of reason.",
        lambda account: account.interrupted.items(),
        exemplars=lambda account: account.interrupted_exemplars.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_action_duration_seconds",
        MetricType.HISTOGRAM,
        ("account", "action_type", "status"),
        "Time from the creation of an action to its end, by the status that it ended with.",
        lambda account: account.durations.items(),
        bounds=DURATION_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_sim_card_action_detection_delay_seconds",
        MetricType.HISTOGRAM,
        ("account",),
        "Time from the end of an action to the poll that saw it.",
        lambda account: one(account.detection_delay),
        bounds=DELAY_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_exporter_last_audit_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "When the totals of the API were last compared with what is known, as Unix time; "
        "0 for never.",
        lambda account: one(account.last_audit),
    ),
    MetricDefinition(
        "telnyx_exporter_baseline_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "When the counters of the account began at 0, as Unix time; "
        "no series before its first poll is committed.",
        lambda account: if_known(account.baseline_at),
    ),
    MetricDefinition(
        "telnyx_exporter_ledger_drift",
        MetricType.GAUGE,
        ("account", "status"),
        "Actions that the API counts less actions that are known, by status, at the last audit.",
        lambda account: account.drift.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_listings",
        MetricType.GAUGE,
        ("account", "order"),
        "Lists of actions that are read for new ones, by the order that the API gives them in; "
        "finding what is new in one with order none takes reading all of it.",
        lambda account: account.lists.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_actions_tracked",
        MetricType.GAUGE,
        ("account",),
        "Actions remembered one by one in the state database.",
        lambda account: one(account.tracked),
    ),
)
"""Read from what is committed of an account: these outlive a restart."""

POLL_METRICS: tuple[MetricDefinition[AccountHealth], ...] = (
    MetricDefinition(
        "telnyx_up",
        MetricType.GAUGE,
        ("account",),
        "1 if the last poll of the account succeeded, else 0 "
        "(the exporter polls on its own timer, not at the scrape).",
        lambda health: one(health.up),
    ),
    MetricDefinition(
        "telnyx_exporter_polls_total",
        MetricType.COUNTER,
        ("account",),
        "Polls that ended, well or not.",
        lambda health: one(health.polls),
    ),
    MetricDefinition(
        "telnyx_exporter_poll_failures_total",
        MetricType.COUNTER,
        ("account", "cause"),
        "Polls that failed, by cause.",
        lambda health: health.poll_failures.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_poll_duration_seconds",
        MetricType.HISTOGRAM,
        ("account",),
        "Time that a poll took, failed ones included.",
        lambda health: one(health.poll_duration),
        bounds=POLL_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_exporter_last_success_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "When the last successful poll ended, as Unix time; 0 for never since the start.",
        lambda health: one(health.last_success),
    ),
    MetricDefinition(
        "telnyx_exporter_api_requests_total",
        MetricType.COUNTER,
        ("account", "endpoint", "code"),
        "Requests to the Telnyx API, by endpoint and HTTP status; "
        "code is error when there was no answer.",
        lambda health: with_zeros(_FIRST_REQUESTS, health.requests),
    ),
    MetricDefinition(
        "telnyx_exporter_api_request_duration_seconds",
        MetricType.HISTOGRAM,
        ("account", "endpoint"),
        "Time that a request to the Telnyx API took, by endpoint.",
        lambda health: health.request_duration.items(),
        bounds=REQUEST_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_exporter_api_retries_total",
        MetricType.COUNTER,
        ("account", "cause"),
        "Requests to the Telnyx API that were sent again, by cause.",
        lambda health: with_zeros(RETRY_CAUSES, health.retries),
    ),
    MetricDefinition(
        "telnyx_exporter_api_rate_limit",
        MetricType.GAUGE,
        ("account",),
        "Rate limit of the Telnyx API as it last said, in its own unit; no series if it never did.",
        lambda health: if_known(health.rate_limit),
    ),
    MetricDefinition(
        "telnyx_exporter_api_rate_limit_remaining",
        MetricType.GAUGE,
        ("account",),
        "What is left of the rate limit of the Telnyx API as it last said; "
        "no series if it never did.",
        lambda health: if_known(health.rate_limit_remaining),
    ),
    MetricDefinition(
        "telnyx_exporter_sweeps_total",
        MetricType.COUNTER,
        ("account", "cause"),
        "Listings read again as a whole because they did not add up, by cause.",
        lambda health: with_zeros(SWEEP_CAUSES, health.sweeps),
    ),
    MetricDefinition(
        "telnyx_exporter_malformed_actions_total",
        MetricType.COUNTER,
        ("account",),
        "Items of API answers that could not be read and were skipped.",
        lambda health: one(health.malformed),
    ),
)
"""Read from how the polls of an account go: these start anew with the process."""

EXPORTER_METRICS: tuple[MetricDefinition[ExporterSnapshot], ...] = (
    MetricDefinition(
        "telnyx_exporter_config_last_reload_successful",
        MetricType.GAUGE,
        (),
        "1 if the configuration was read well the last time, else 0.",
        lambda exporter: one(exporter.reload_successful),
    ),
    MetricDefinition(
        "telnyx_exporter_config_last_reload_success_timestamp_seconds",
        MetricType.GAUGE,
        (),
        "When the configuration was last read well, as Unix time.",
        lambda exporter: one(exporter.reload_success_at),
    ),
    MetricDefinition(
        "telnyx_exporter_state_bytes",
        MetricType.GAUGE,
        ("part",),
        "Size of the state on disk, by part: the database, and its write-ahead log; "
        "no series where it is not on disk.",
        lambda exporter: exporter.state_bytes.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_web_connections_dropped_total",
        MetricType.COUNTER,
        (),
        "Idle connections to the exporter that were closed because no more may be open.",
        lambda exporter: one(exporter.connections_dropped),
    ),
    MetricDefinition(
        "telnyx_exporter_build_info",
        MetricType.GAUGE,
        ("version", "python_version", "revision"),
        "1, with the version and the revision of the exporter and the version of Python.",
        lambda exporter: (((__version__, platform.python_version(), exporter.revision), 1),),
    ),
)
"""Read from the exporter as a whole: these have no account."""

CATALOGUE: tuple[
    MetricDefinition[AccountSnapshot]
    | MetricDefinition[AccountHealth]
    | MetricDefinition[ExporterSnapshot],
    ...,
] = (
    *ACCOUNT_METRICS,
    *POLL_METRICS,
    *EXPORTER_METRICS,
)
"""Every metric, in the order of the exposition."""
