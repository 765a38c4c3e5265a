"""Every metric of this program: name, type, labels, help, and which value it shows.

It must not compute anything that is not already a value, and must not write metrics.

A new metric is a row here, a field of what it is read from (`AccountSnapshot`, for example), a
panel in `dashboards/` and a test of its values. Then run `make generated`: tests fail until all is
done, and say so.
"""

import platform

from exporter.domain import DURATION_BUCKETS
from exporter.ledger.records import DELAY_BUCKETS, MEND_BUCKETS
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
    HandshakeCause,
)
from exporter.version import __version__

_FIRST_REQUESTS = tuple((endpoint, "200") for endpoint in ENDPOINTS)

ACCOUNT_METRICS: tuple[MetricDefinition[AccountSnapshot], ...] = (
    MetricDefinition(
        "telnyx_sim_card_actions",
        MetricType.GAUGE,
        ("account", "action_type", "status"),
        "SIM card actions by type and status, at the last poll (the exporter polls on its own "
        "timer, not on each scrape); ended statuses are absent if the API reports no totals.",
        lambda account: account.actions.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_oldest_in_progress_timestamp_seconds",
        MetricType.GAUGE,
        ("account", "action_type"),
        "Creation time of the oldest action in progress, by type, as a Unix timestamp; absent "
        "if none is in progress.",
        lambda account: account.oldest_in_progress.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_stuck",
        MetricType.GAUGE,
        ("account", "action_type"),
        "Actions in progress for longer than stuck_after, by type, at the last poll.",
        lambda account: account.stuck.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_created_total",
        MetricType.COUNTER,
        ("account", "action_type"),
        "Actions first seen after the baseline, by type.",
        lambda account: account.created.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_completed_total",
        MetricType.COUNTER,
        ("account", "action_type"),
        "Times an action entered status completed after the baseline, by type.",
        lambda account: account.completed.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_failed_total",
        MetricType.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times an action entered status failed after the baseline, by type and class of reason.",
        lambda account: account.failed.items(),
        exemplars=lambda account: account.failed_exemplars.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_actions_interrupted_total",
        MetricType.COUNTER,
        ("account", "action_type", "reason_class"),
        "Times an action entered status interrupted after the baseline, by type and class of "
        "reason.",
        lambda account: account.interrupted.items(),
        exemplars=lambda account: account.interrupted_exemplars.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_action_duration_seconds",
        MetricType.HISTOGRAM,
        ("account", "action_type", "status"),
        "Time from the creation of an action to its end in seconds, by type and final status.",
        lambda account: account.durations.items(),
        bounds=DURATION_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_sim_card_action_detection_delay_seconds",
        MetricType.HISTOGRAM,
        ("account",),
        "Time from the end of an action to the poll that saw it, in seconds.",
        lambda account: one(account.detection_delay),
        bounds=DELAY_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_sim_card_problems",
        MetricType.GAUGE,
        ("account", "concern", "status"),
        "SIM cards that are still broken, by what their actions are about and how the latest one "
        "that did not succeed stands.",
        lambda account: account.problem_counts.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_problems_oldest_timestamp_seconds",
        MetricType.GAUGE,
        ("account", "concern"),
        "Unix timestamp when the oldest open problem was opened, by concern; absent if there is "
        "none.",
        lambda account: account.problems_oldest.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_problems_opened_total",
        MetricType.COUNTER,
        ("account", "concern"),
        "Times a SIM card broke: a failed, interrupted or stuck action after the baseline, while "
        "no other was open for the same SIM card and concern.",
        lambda account: account.problems_opened.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_problems_closed_total",
        MetricType.COUNTER,
        ("account", "concern", "outcome"),
        "Problems that were closed: mended by a later action that completed, or forgotten after "
        "problems.forget_after.",
        lambda account: account.problems_closed.items(),
    ),
    MetricDefinition(
        "telnyx_sim_card_problem_mend_seconds",
        MetricType.HISTOGRAM,
        ("account", "concern"),
        "Time from the opening of a problem to its mending in seconds, by concern.",
        lambda account: account.mend_seconds.items(),
        bounds=MEND_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_bulk_sim_card_actions",
        MetricType.GAUGE,
        ("account", "action_type", "status"),
        "Bulk actions that are known, by type and whether they are in-progress or ended; absent "
        "with bulk_actions: false.",
        lambda account: account.bulk_counts.items(),
    ),
    MetricDefinition(
        "telnyx_bulk_sim_card_action_members",
        MetricType.GAUGE,
        ("account", "action_type", "status"),
        "SIM card actions of the bulk actions in progress, by type of the bulk action and status; "
        "absent with bulk_actions: false.",
        lambda account: account.bulk_members.items(),
    ),
    MetricDefinition(
        "telnyx_bulk_sim_card_actions_stalled",
        MetricType.GAUGE,
        ("account", "action_type"),
        "Bulk actions in progress of which no member has ended for longer than stuck_after, by "
        "type; absent with bulk_actions: false.",
        lambda account: account.bulks_stalled.items(),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_bulk_sim_card_actions_worst_failure_ratio",
        MetricType.GAUGE,
        ("account", "action_type"),
        "Largest share, of the bulk actions in progress, of SIM card actions that failed or were "
        "interrupted among those of one that have ended, by type. One counts once 20 have ended, "
        "and not while it is stalled; absent with bulk_actions: false or a filter on statuses.",
        lambda account: account.bulk_failure_ratio.items(),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_exporter_sim_cards_known",
        MetricType.GAUGE,
        ("account",),
        "SIM cards in the directory: those whose ICCID, group and tags were looked up.",
        lambda account: one(account.sim_cards_known),
    ),
    MetricDefinition(
        "telnyx_exporter_last_audit_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "Unix timestamp of the last audit, which compares the API totals with the ledger; 0 if "
        "there was none.",
        lambda account: one(account.last_audit),
    ),
    MetricDefinition(
        "telnyx_exporter_baseline_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "Unix timestamp of the baseline, when the counters of the account started at 0; absent "
        "until the first poll is committed.",
        lambda account: if_known(account.baseline_at),
    ),
    MetricDefinition(
        "telnyx_exporter_ledger_drift",
        MetricType.GAUGE,
        ("account", "status"),
        "API total minus ledger total, by status, at the last audit; 0 if they agree or there "
        "was no audit.",
        lambda account: account.drift.items(),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_exporter_listings",
        MetricType.GAUGE,
        ("account", "order"),
        "Lists that are read to find new actions, by their detected sort order; a list with "
        "order none has to be read in full.",
        lambda account: account.lists.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_actions_tracked",
        MetricType.GAUGE,
        ("account",),
        "Actions stored individually in the state database.",
        lambda account: one(account.tracked),
    ),
)
"""Read from what is committed of an account that this process polls: these outlive a restart."""

UP_METRICS: tuple[MetricDefinition[AccountHealth], ...] = (
    MetricDefinition(
        "telnyx_up",
        MetricType.GAUGE,
        ("account",),
        "1 if the last poll of the account succeeded, 0 if it failed or none has ended yet (the "
        "exporter polls on its own timer, not on each scrape); with several replicas from the one "
        "that polls it.",
        lambda health: if_known(health.up),
    ),
)
"""Read from how the polls of an account go, of the accounts that this process polls."""

POLL_METRICS: tuple[MetricDefinition[AccountHealth], ...] = (
    MetricDefinition(
        "telnyx_exporter_polls_total",
        MetricType.COUNTER,
        ("account",),
        "Polls that ended, successful or not.",
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
        "Duration of polls in seconds, including those that failed.",
        lambda health: one(health.poll_duration),
        bounds=POLL_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_exporter_last_success_timestamp_seconds",
        MetricType.GAUGE,
        ("account",),
        "Unix timestamp of the end of the last successful poll; 0 if there was none since the "
        "exporter started.",
        lambda health: one(health.last_success),
    ),
    MetricDefinition(
        "telnyx_exporter_api_requests_total",
        MetricType.COUNTER,
        ("account", "endpoint", "code"),
        "Requests to the Telnyx API, by endpoint and HTTP status code; code is error if there "
        "was no response.",
        lambda health: with_zeros(_FIRST_REQUESTS, health.requests),
    ),
    MetricDefinition(
        "telnyx_exporter_api_request_duration_seconds",
        MetricType.HISTOGRAM,
        ("account", "endpoint"),
        "Duration of requests to the Telnyx API in seconds, by endpoint.",
        lambda health: health.request_duration.items(),
        bounds=REQUEST_BUCKETS,
    ),
    MetricDefinition(
        "telnyx_exporter_api_retries_total",
        MetricType.COUNTER,
        ("account", "cause"),
        "Retries of requests to the Telnyx API, by cause.",
        lambda health: with_zeros(RETRY_CAUSES, health.retries),
    ),
    MetricDefinition(
        "telnyx_exporter_api_rate_limit",
        MetricType.GAUGE,
        ("account",),
        "Rate limit last reported by the Telnyx API, in the unit of the API; absent if it never "
        "reported one.",
        lambda health: if_known(health.rate_limit),
    ),
    MetricDefinition(
        "telnyx_exporter_api_rate_limit_remaining",
        MetricType.GAUGE,
        ("account",),
        "Remaining part of the rate limit last reported by the Telnyx API; absent if it never "
        "reported one.",
        lambda health: if_known(health.rate_limit_remaining),
    ),
    MetricDefinition(
        "telnyx_exporter_sweeps_total",
        MetricType.COUNTER,
        ("account", "cause"),
        "Lists read again in full because actions were missing, by cause.",
        lambda health: with_zeros(SWEEP_CAUSES, health.sweeps),
    ),
    MetricDefinition(
        "telnyx_exporter_malformed_actions_total",
        MetricType.COUNTER,
        ("account",),
        "Items in API responses that were skipped because they could not be read.",
        lambda health: one(health.malformed),
    ),
    MetricDefinition(
        "telnyx_exporter_unseen_actions",
        MetricType.GAUGE,
        ("account",),
        "Actions that the API totals count and that were not read yet; falls to 0 while the "
        "account catches up.",
        lambda health: one(health.unseen),
        zero_at_rest=True,
    ),
)
"""Read from how the polls of an account go: these start anew with the process."""

EXPORTER_METRICS: tuple[MetricDefinition[ExporterSnapshot], ...] = (
    MetricDefinition(
        "telnyx_exporter_config_last_reload_successful",
        MetricType.GAUGE,
        (),
        "1 if the configuration was last loaded successfully, 0 if the last reload failed.",
        lambda exporter: one(exporter.reload_successful),
    ),
    MetricDefinition(
        "telnyx_exporter_config_last_reload_success_timestamp_seconds",
        MetricType.GAUGE,
        (),
        "Unix timestamp of the last successful load of the configuration.",
        lambda exporter: one(exporter.reload_success_at),
    ),
    MetricDefinition(
        "telnyx_exporter_state_bytes",
        MetricType.GAUGE,
        ("part",),
        "Size of the state on disk in bytes, by part (database, or log for the write-ahead "
        "log); absent if it is not on disk.",
        lambda exporter: exporter.state_bytes.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_web_connections_dropped_total",
        MetricType.COUNTER,
        (),
        "Idle connections to the exporter that were closed because the limit of connections was "
        "reached.",
        lambda exporter: one(exporter.connections_dropped),
    ),
    MetricDefinition(
        "telnyx_exporter_web_tls_handshake_errors_total",
        MetricType.COUNTER,
        ("cause",),
        "TLS handshakes with clients of the exporter that failed, by cause.",
        lambda exporter: with_zeros(
            tuple(each.value for each in HandshakeCause), exporter.tls_handshake_errors
        ),
    ),
    MetricDefinition(
        "telnyx_exporter_log_lines_dropped_total",
        MetricType.COUNTER,
        (),
        "Log lines, other than those of actions, that were dropped because the log was not read "
        "or could not be written.",
        lambda exporter: one(exporter.log_lines_dropped),
    ),
    MetricDefinition(
        "telnyx_exporter_alerts_active",
        MetricType.GAUGE,
        ("account",),
        "Active alerts of SIM cards that are sent to Alertmanager; 0 without targets.",
        lambda exporter: exporter.alerts_active.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_alerts_sent_total",
        MetricType.COUNTER,
        ("target",),
        "Alerts that Alertmanager accepted, by target; each is sent again every resend_interval, "
        "and to each address of a target.",
        lambda exporter: exporter.alerts_sent.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_alert_errors_total",
        MetricType.COUNTER,
        ("target",),
        "Alerts in requests that failed, that were refused, or that were dropped because too "
        "many waited, by target.",
        lambda exporter: exporter.alert_errors.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_alertmanager_last_success_timestamp_seconds",
        MetricType.GAUGE,
        ("target",),
        "Unix timestamp of the last request that Alertmanager accepted, by target; one is sent "
        "every resend_interval, even without alerts. 0 if none was accepted since the exporter "
        "started.",
        lambda exporter: exporter.alertmanager_last_success.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_account_held",
        MetricType.GAUGE,
        ("account",),
        "1 if this replica polls the account, 0 if another one does, or none; 1 without replicas.",
        lambda exporter: exporter.leases.held.items(),
    ),
    MetricDefinition(
        "telnyx_exporter_accounts_unheld",
        MetricType.GAUGE,
        (),
        "Accounts that no replica polls, as far as this one sees; all of them while it cannot read "
        "the leases.",
        lambda exporter: one(exporter.leases.unheld),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_exporter_lease_takeovers_total",
        MetricType.COUNTER,
        ("account",),
        "Times this replica took over an account that another one had polled.",
        lambda exporter: exporter.leases.takeovers.items(),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_exporter_lease_lost_total",
        MetricType.COUNTER,
        ("account",),
        "Times this replica lost an account without letting it go: its lease ran out, or another "
        "replica had it.",
        lambda exporter: exporter.leases.lost.items(),
        zero_at_rest=True,
    ),
    MetricDefinition(
        "telnyx_exporter_build_info",
        MetricType.GAUGE,
        ("version", "python_version", "revision"),
        "Always 1; its labels are the versions of the exporter and of Python and the revision "
        "of the source.",
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
    *UP_METRICS,
    *POLL_METRICS,
    *EXPORTER_METRICS,
)
"""Every metric, in the order of the exposition."""
