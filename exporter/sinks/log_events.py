"""The events of the log: name, level, fields and meaning of each. Values only.

Names and fields are public interface. The table in docs/operations.md is written from here.
"""

from dataclasses import dataclass

from exporter.config import LogLevel
from exporter.domain import EventType


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One kind of line: ``fields`` stand beside its time, level and name; ``help`` is Markdown."""

    name: str
    level: LogLevel
    fields: tuple[str, ...]
    help: str


ACTION_FIELDS = (
    "account",
    "action_id",
    "sim_card_id",
    "action_type",
    "status",
    "reason",
    "reason_class",
    "created_at",
    "updated_at",
    "duration_seconds",
    "iccid",
    "sim_card_group",
    "tags",
    "attempts",
)
"""The fields of the lines of actions."""

MENDED_FIELDS = (
    "account",
    "sim_card_id",
    "concern",
    "action_id",
    "action_type",
    "opened_at",
    "duration_seconds",
    "iccid",
    "sim_card_group",
    "tags",
    "attempts",
)
"""The fields of the line of a mended problem; the action is the one that mended it."""

BULK_FIELDS = (
    "account",
    "bulk_id",
    "action_type",
    "created_at",
    "duration_seconds",
    "completed",
    "failed",
    "interrupted",
)
"""The fields of the line of a bulk action that ended: its members by status."""

ACTION_EVENTS = {
    EventType.FAILED: LogEvent(
        EventType.FAILED.value, LogLevel.WARNING, ACTION_FIELDS, "An action failed"
    ),
    EventType.INTERRUPTED: LogEvent(
        EventType.INTERRUPTED.value, LogLevel.WARNING, ACTION_FIELDS, "An action was interrupted"
    ),
    EventType.STUCK: LogEvent(
        EventType.STUCK.value,
        LogLevel.WARNING,
        ACTION_FIELDS,
        "An action has been in progress for longer than `stuck_after`; once per action",
    ),
    EventType.MENDED: LogEvent(
        EventType.MENDED.value,
        LogLevel.INFO,
        MENDED_FIELDS,
        "A SIM card that was broken is mended: a later action of the same concern completed",
    ),
    EventType.BULK_ENDED: LogEvent(
        EventType.BULK_ENDED.value,
        LogLevel.INFO,
        BULK_FIELDS,
        "No member of a bulk action is in progress any more; once per bulk action",
    ),
}
"""What happened to an action or a bulk action, by its type."""

ACTIONS_NOT_FOUND = LogEvent(
    "actions_not_found",
    LogLevel.WARNING,
    ("account", "count"),
    "The total promises actions that the list does not contain; at most once an hour",
)
TOTALS_MISSING = LogEvent(
    "totals_missing",
    LogLevel.WARNING,
    ("account",),
    "The API does not say how many actions there are, so ended actions have no gauge",
)
SWEEP_GIVEN_UP = LogEvent(
    "sweep_given_up",
    LogLevel.WARNING,
    ("account", "error"),
    "A list that drifted cannot be read again; the next audit retries if it still differs",
)
POLL_FAILED = LogEvent(
    "poll_failed",
    LogLevel.ERROR,
    ("account", "cause", "error"),
    "An account cannot be polled; repeated only when the cause changes",
)
POLL_RECOVERED = LogEvent(
    "poll_recovered", LogLevel.INFO, ("account",), "The account can be polled again"
)
LIST_ORDER_FOUND = LogEvent(
    "list_order_found",
    LogLevel.INFO,
    ("account", "action_type", "status", "order"),
    "How the API sorts a list, at first and when it changes; a warning if there is no order",
)
BASELINE_TAKEN = LogEvent(
    "baseline_taken",
    LogLevel.INFO,
    ("account", "in_progress"),
    "An account was polled for the first time",
)
CATCHING_UP = LogEvent(
    "catching_up",
    LogLevel.INFO,
    ("account", "stage", "done", "total", "seconds_left"),
    "How far a poll is that takes long, every ten seconds: `stage` is `baseline` (what is in "
    "progress at the first poll), `catch_up` (what is new) or `in_flight` (what was in progress)",
)
SIM_CARD_LOOKUP_FAILED = LogEvent(
    "sim_card_lookup_failed",
    LogLevel.WARNING,
    ("account", "error"),
    "SIM cards, or the one that the error names, cannot be looked up, so failures are reported "
    "without ICCID, group and tags; retried after some minutes, after an hour if the key is "
    "refused",
)
SIM_CARD_LOOKUP_RECOVERED = LogEvent(
    "sim_card_lookup_recovered", LogLevel.INFO, ("account",), "SIM cards can be looked up again"
)
BULK_LOOKUP_FAILED = LogEvent(
    "bulk_lookup_failed",
    LogLevel.WARNING,
    ("account", "error"),
    "Bulk actions cannot be read, so what is shown of them is out of date; retried after some "
    "minutes, after an hour if the key is refused again or the API still has none",
)
BULK_LOOKUP_RECOVERED = LogEvent(
    "bulk_lookup_recovered", LogLevel.INFO, ("account",), "Bulk actions can be read again"
)
DELIVERY_FAILED = LogEvent(
    "delivery_failed",
    LogLevel.WARNING,
    ("account", "sink", "error"),
    "A sink, such as the log itself, does not take the events of an account; they are kept and "
    "retried",
)
DELIVERY_RECOVERED = LogEvent(
    "delivery_recovered", LogLevel.INFO, ("account", "sink"), "The sink takes them again"
)
ALERTMANAGER_FAILED = LogEvent(
    "alertmanager_failed",
    LogLevel.WARNING,
    ("target", "address", "error"),
    "An Alertmanager takes no alerts; `address` says which, if the name of `target` has several. "
    "They are retried",
)
ALERTMANAGER_RECOVERED = LogEvent(
    "alertmanager_recovered",
    LogLevel.INFO,
    ("target", "address"),
    "The Alertmanager takes alerts again",
)
ALERT_REFUSED = LogEvent(
    "alert_refused",
    LogLevel.WARNING,
    ("target", "alertname", "account", "sim_card_id", "error"),
    "An Alertmanager refuses a single alert; the others are sent. Once per alert",
)
ALERTMANAGER_CONFIGURATION_RELOADED = LogEvent(
    "alertmanager_configuration_reloaded",
    LogLevel.INFO,
    (),
    "The file of `alertmanager.config_file`, or one that it names, changed and is in effect",
)
ALERTMANAGER_CONFIGURATION_REFUSED = LogEvent(
    "alertmanager_configuration_refused",
    LogLevel.ERROR,
    ("problem",),
    "The file of `alertmanager.config_file`, or one that it names, has an error; the previous "
    "content stays in effect",
)
STATE_BEGAN_ANEW = LogEvent(
    "state_began_anew",
    LogLevel.WARNING,
    ("file",),
    "The state database is gone and a new one was created: every account takes a baseline, "
    "counters are at 0",
)
STATE_WENT_BACK = LogEvent(
    "state_went_back",
    LogLevel.WARNING,
    ("file", "commits"),
    "The state database was replaced by an older copy; `commits` says how many commits it lacks",
)
STATE_LOG_LARGE = LogEvent(
    "state_log_large",
    LogLevel.WARNING,
    ("file", "bytes"),
    "A program that reads the state database prevents its write-ahead log from being written back; "
    "once",
)
STATE_EXPOSED = LogEvent(
    "state_exposed",
    LogLevel.WARNING,
    ("file", "advice"),
    "Other users may read the state database",
)
LEASE_ACQUIRED = LogEvent(
    "lease_acquired",
    LogLevel.INFO,
    ("account", "epoch", "from"),
    "This replica polls the account from now on; `from` is the replica that polled it before, if "
    "one did",
)
LEASE_RELEASED = LogEvent(
    "lease_released",
    LogLevel.INFO,
    ("account", "epoch", "reason"),
    "This replica let the account go: to spread the accounts (`surplus`), because it cannot reach "
    "Telnyx (`unreachable`), or because a reload removed the account (`removed`)",
)
LEASE_LOST = LogEvent(
    "lease_lost",
    LogLevel.WARNING,
    ("account", "epoch", "reason"),
    "This replica does not poll the account any more, without having let it go: the lease was not "
    "renewed in time (`expired`), or another replica has it (`taken`)",
)
LEASES_UNAVAILABLE = LogEvent(
    "leases_unavailable",
    LogLevel.ERROR,
    ("error",),
    "The leases cannot be read or renewed; repeated only when the error changes",
)
LEASES_AVAILABLE = LogEvent(
    "leases_available", LogLevel.INFO, (), "The leases can be read and renewed again"
)
LEDGER_REPLACED = LogEvent(
    "ledger_replaced",
    LogLevel.WARNING,
    ("reason",),
    "The ledger in the database is not the one that it was: an older copy of it (`went back`), "
    "as after a restore or a failover that lost commits, or another one (`replaced`). Counters go "
    "on from there, and what is missing is caught up with from the API",
)
CONFIGURATION_RELOADED = LogEvent(
    "configuration_reloaded",
    LogLevel.INFO,
    (),
    "The configuration was reloaded and is in effect",
)
CONFIGURATION_REFUSED = LogEvent(
    "configuration_refused",
    LogLevel.ERROR,
    ("problem",),
    "An error in the new configuration; the old one stays in effect",
)
WEB_CONFIGURATION_RELOADED = LogEvent(
    "web_configuration_reloaded",
    LogLevel.INFO,
    (),
    "The file of `web.config_file`, or one that it names, changed and is in effect",
)
WEB_CONFIGURATION_REFUSED = LogEvent(
    "web_configuration_refused",
    LogLevel.ERROR,
    ("problem",),
    "The file of `web.config_file`, or one that it names, has an error; the previous "
    "content stays in effect",
)
CONNECTIONS_LIMITED = LogEvent(
    "connections_limited",
    LogLevel.WARNING,
    ("limit",),
    "More connections arrive than may be open, so those idle longest are closed; at most once a "
    "minute",
)
TLS_HANDSHAKE_FAILED = LogEvent(
    "tls_handshake_failed",
    LogLevel.DEBUG,
    ("client", "cause", "error"),
    "A client, named by its address in `client`, could not set up TLS; `cause` is as in the "
    "metric, `error` has details",
)
INTERNAL_ERROR = LogEvent(
    "internal_error",
    LogLevel.ERROR,
    ("account", "exception"),
    "A bug in the exporter, with a traceback",
)
STARTED = LogEvent("started", LogLevel.INFO, ("address", "accounts"), "The exporter is serving")
STOPPED = LogEvent("stopped", LogLevel.INFO, (), "The exporter shut down cleanly")
STOP_FORCED = LogEvent(
    "stop_forced",
    LogLevel.ERROR,
    ("seconds",),
    "It did not shut down within 8 seconds, for example because a disk hangs, and was terminated",
)

LOG_EVENTS = (
    *ACTION_EVENTS.values(),
    ACTIONS_NOT_FOUND,
    TOTALS_MISSING,
    SWEEP_GIVEN_UP,
    POLL_FAILED,
    POLL_RECOVERED,
    LIST_ORDER_FOUND,
    BASELINE_TAKEN,
    CATCHING_UP,
    SIM_CARD_LOOKUP_FAILED,
    SIM_CARD_LOOKUP_RECOVERED,
    BULK_LOOKUP_FAILED,
    BULK_LOOKUP_RECOVERED,
    DELIVERY_FAILED,
    DELIVERY_RECOVERED,
    ALERTMANAGER_FAILED,
    ALERTMANAGER_RECOVERED,
    ALERT_REFUSED,
    ALERTMANAGER_CONFIGURATION_RELOADED,
    ALERTMANAGER_CONFIGURATION_REFUSED,
    STATE_BEGAN_ANEW,
    STATE_WENT_BACK,
    STATE_LOG_LARGE,
    STATE_EXPOSED,
    LEASE_ACQUIRED,
    LEASE_RELEASED,
    LEASE_LOST,
    LEASES_UNAVAILABLE,
    LEASES_AVAILABLE,
    LEDGER_REPLACED,
    CONFIGURATION_RELOADED,
    CONFIGURATION_REFUSED,
    WEB_CONFIGURATION_RELOADED,
    WEB_CONFIGURATION_REFUSED,
    CONNECTIONS_LIMITED,
    TLS_HANDSHAKE_FAILED,
    INTERNAL_ERROR,
    STARTED,
    STOPPED,
    STOP_FORCED,
)
"""Every event of the log, in the order of the documentation."""
