"""The sections below the first screen of *Exporter health*: what the exporter is doing.

It must not repeat the first screen (that is `overview`).
"""

from dashboards.board import Line
from dashboards.exporter_health.series import (
    DELAY,
    DRIFT,
    EACH,
    HELD,
    LAST_ACCEPTED,
    LAST_AUDIT,
    LAST_SUCCESS,
    LOST,
    NAMED,
    POLL_TIME,
    POLLS,
    REQUEST_TIME,
    REQUESTS,
    TAKEOVERS,
    TARGET,
    TO,
    UNHELD,
)
from dashboards.panels import (
    BAD,
    GOOD,
    Column,
    Head,
    Key,
    Query,
    Scale,
    bars,
    figure,
    lines,
    rows,
    spread,
)
from dashboards.queries import (
    added,
    age,
    by_holder,
    highest,
    increase,
    lowest,
    merged,
    of_account,
    of_exporter,
    own,
    per_minute,
    quantile,
    rate,
    spread_of,
)


def polls() -> list[Line]:
    """Show polls and their durations."""
    count = lines(
        Head("Polls", "Polls per minute, including failed ones.", "cpm"),
        Query(per_minute(added(rate(POLLS), *EACH)), NAMED),
    )
    silence = lines(
        Head(
            "Time since the last successful poll",
            "By any replica. Rises while polls fail or hang, or no replica polls.",
            "s",
        ),
        Query(highest(age(merged(LAST_SUCCESS)), "account"), "{{account}}"),
    )
    heat = spread(
        Head("Poll duration", "Distribution of poll durations, including failed polls.", "s"),
        spread_of(POLL_TIME),
    )
    slow = lines(
        Head("Poll duration, 90th percentile", "The 90th percentile, including failed polls.", "s"),
        Query(quantile(0.9, POLL_TIME, "account"), "{{account}}"),
    )
    return [Line(8, [(12, count), (12, silence)]), Line(8, [(12, heat), (12, slow)])]


def requests() -> list[Line]:
    """Show requests to Telnyx and its responses."""
    codes = bars(
        Head(
            "Requests by status", "Requests per second by HTTP status; error: no response.", "reqps"
        ),
        Query(added(rate(REQUESTS), "code"), "{{code}}"),
    )
    endpoints = bars(
        Head(
            "Requests by account",
            "Requests per second; list: list pages, get: actions by ID.",
            "reqps",
        ),
        Query(added(rate(REQUESTS), "account", "endpoint"), "{{account}}: {{endpoint}}"),
    )
    slow = lines(
        Head("Request duration, 90th percentile", "The 90th percentile, by endpoint.", "s"),
        Query(quantile(0.9, REQUEST_TIME, "endpoint"), "{{endpoint}}"),
    )
    retries = lines(
        Head("Retries by cause", "Retried requests per second.", "reqps"),
        Query(
            added(rate(of_account("telnyx_exporter_api_retries_total")), "account", "cause"),
            "{{account}}: {{cause}}",
        ),
    )
    limit = lines(
        Head(
            "Remaining rate limit",
            "Remaining requests and the limit as last reported by Telnyx, in its own unit. "
            "No data if it was never reported.",
            "short",
        ),
        Query(
            lowest(by_holder(of_account("telnyx_exporter_api_rate_limit_remaining")), "account"),
            "{{account}}: remaining",
        ),
        Query(
            lowest(by_holder(of_account("telnyx_exporter_api_rate_limit")), "account"),
            "{{account}}: limit",
        ),
        decimals=0,
    )
    return [
        Line(8, [(12, codes), (12, endpoints)]),
        Line(8, [(8, slow), (8, retries), (8, limit)]),
    ]


def lag() -> list[Line]:
    """Show how late the exporter notices that actions have ended."""
    heat = spread(
        Head(
            "Detection delay", "Time from the end of an action to the poll that detected it.", "s"
        ),
        spread_of(DELAY),
    )
    shares = lines(
        Head("Detection delay, percentiles", "Median and 99th percentile of the delay.", "s"),
        *(
            Query(
                quantile(share, DELAY, "account"),
                f"{{{{account}}}}: {share:.0%}",
            )
            for share in (0.5, 0.99)
        ),
    )
    return [Line(8, [(12, heat), (12, shares)])]


def ledger() -> list[Line]:
    """Compare the ledger with what Telnyx lists."""
    drift = lines(
        Head("Drift by status", "API total minus ledger total at the last audit.", "short"),
        Query(
            highest(DRIFT, *EACH, "status"),
            f"{NAMED}: {{{{status}}}}",
        ),
        decimals=0,
        signed=True,
    )
    audits = lines(
        Head("Time since the last audit", "An audit runs every audit_interval.", "s"),
        Query(highest(age(LAST_AUDIT), *EACH), NAMED),
    )
    sweeps = lines(
        Head(
            "Sweeps",
            "Listings per minute that the exporter started to read again, by cause.",
            "cpm",
        ),
        Query(
            per_minute(added(rate(of_account("telnyx_exporter_sweeps_total")), "account", "cause")),
            "{{account}}: {{cause}}",
        ),
    )
    orders = lines(
        Head(
            "Lists by order",
            "The order none costs more requests; counting is still exact.",
            "short",
        ),
        Query(
            highest(of_account("telnyx_exporter_listings"), *EACH, "order"),
            f"{NAMED}: {{{{order}}}}",
        ),
        decimals=0,
    )
    tracked = lines(
        Head("Actions in the ledger", "Actions in the state file; depends on retention.", "short"),
        Query(highest(of_account("telnyx_exporter_actions_tracked"), *EACH), NAMED),
        decimals=0,
    )
    counting = lines(
        Head("Time since the baseline", "Age of the counters; it drops if the state is lost.", "s"),
        Query(highest(age(of_account("telnyx_exporter_baseline_timestamp_seconds")), *EACH), NAMED),
    )
    size = lines(
        Head("State on disk", "Size of the database and its write-ahead log.", "bytes"),
        Query(
            highest(of_exporter("telnyx_exporter_state_bytes"), "instance", "part"),
            "{{instance}}: {{part}}",
        ),
    )
    malformed = lines(
        Head("Unreadable items", "Items in API responses that were skipped, per minute.", "cpm"),
        Query(
            per_minute(added(rate(of_account("telnyx_exporter_malformed_actions_total")), *EACH)),
            NAMED,
        ),
    )
    unseen = lines(
        Head(
            "Actions to catch up with", "In the API totals, but not read yet; falls to 0.", "short"
        ),
        Query(highest(of_account("telnyx_exporter_unseen_actions"), *EACH), NAMED),
        decimals=0,
    )
    return [
        Line(8, [(8, drift), (8, audits), (8, sweeps)]),
        Line(8, [(8, orders), (8, tracked), (8, malformed)]),
        Line(8, [(8, unseen), (8, counting), (8, size)]),
    ]


def alerts() -> list[Line]:
    """Show the alerts that are sent to Alertmanager."""
    active = lines(
        Head("Active alerts", "Alerts of SIM cards that are sent to Alertmanager.", "short"),
        Query(highest(of_account("telnyx_exporter_alerts_active"), *EACH), NAMED),
        decimals=0,
    )
    sent = lines(
        Head("Alerts sent", "Accepted alerts per minute, resent ones too.", "cpm"),
        Query(
            per_minute(added(rate(of_exporter("telnyx_exporter_alerts_sent_total")), *TARGET)), TO
        ),
    )
    errors = lines(
        Head("Alerts not sent", "Failed, refused and dropped alerts per minute.", "cpm"),
        Query(
            per_minute(added(rate(of_exporter("telnyx_exporter_alert_errors_total")), *TARGET)), TO
        ),
    )
    silence = lines(
        Head("Time since the last success", "Since a request to Alertmanager was accepted.", "s"),
        Query(highest(age(LAST_ACCEPTED), *TARGET), TO),
    )
    return [Line(8, [(6, active), (6, sent), (6, errors), (6, silence)])]


def process() -> list[Line]:
    """Show the resources of each process."""
    memory = lines(
        Head("Memory", "Resident memory of each exporter.", "bytes"),
        Query(
            highest(own(of_exporter("process_resident_memory_bytes")), "instance"), "{{instance}}"
        ),
    )
    cpu = lines(
        Head("CPU", "CPU usage as a share of one core.", "percentunit"),
        Query(
            added(own(rate(of_exporter("process_cpu_seconds_total"))), "instance"), "{{instance}}"
        ),
    )
    files = lines(
        Head("Open files", "Open file descriptors, including connections.", "short"),
        Query(highest(own(of_exporter("process_open_fds")), "instance"), "{{instance}}"),
        decimals=0,
    )
    dropped = lines(
        Head(
            "Connections dropped",
            "Connections closed at the limit, and failed TLS handshakes, per minute.",
            "cpm",
        ),
        Query(
            per_minute(
                added(
                    rate(of_exporter("telnyx_exporter_web_connections_dropped_total")), "instance"
                )
            ),
            "{{instance}}",
        ),
        Query(
            per_minute(
                added(
                    rate(of_exporter("telnyx_exporter_web_tls_handshake_errors_total")),
                    "instance",
                    "cause",
                )
            ),
            "{{instance}} TLS: {{cause}}",
        ),
    )
    unlogged = lines(
        Head("Log lines dropped", "Not those of actions; the log was not read, a minute.", "cpm"),
        Query(
            per_minute(
                added(rate(of_exporter("telnyx_exporter_log_lines_dropped_total")), "instance")
            ),
            "{{instance}}",
        ),
    )
    uptime = lines(
        Head("Uptime", "Time since the exporter was started.", "s"),
        Query(
            highest(f"time() - {own(of_exporter('process_start_time_seconds'))}", "instance"),
            "{{instance}}",
        ),
    )
    configured = lines(
        Head("Configuration age", "Time since the last successful reload.", "s"),
        Query(
            highest(
                age(of_exporter("telnyx_exporter_config_last_reload_success_timestamp_seconds")),
                "instance",
            ),
            "{{instance}}",
        ),
    )
    return [
        Line(8, [(6, memory), (6, cpu), (6, files), (6, dropped)]),
        Line(8, [(8, unlogged), (8, uptime), (8, configured)]),
    ]


def replicas() -> list[Line]:
    """Show which replica polls which account, and how accounts move."""
    unheld = figure(
        Head(
            "Accounts unheld",
            "Accounts that none of the replicas polls; without replicas, none.",
            "short",
        ),
        added(f"{merged(HELD)} == bool 0"),
        Scale(GOOD, [(1, BAD)]),
        nothing="no data",
    )
    held = lines(
        Head("Accounts by replica", "Number of accounts that each replica polls.", "short"),
        Query(added(HELD, "instance"), "{{instance}}"),
        decimals=0,
    )
    who = rows(
        Head("Holders", "The replica that polls each account now.", "short"),
        {"account": Key("Account"), "instance": Key("Replica")},
        [Column("Holds", highest(f"{HELD} == 1", "account", "instance"), word="yes", colour=GOOD)],
        sort="Account",
        descending=False,
        nothing="no account is held",
    )
    seen = lines(
        Head(
            "Unheld as seen by replicas",
            "Accounts whose lease has run out; all for a replica that cannot read the leases.",
            "short",
        ),
        Query(highest(UNHELD, "instance"), "{{instance}}"),
        decimals=0,
    )
    takeovers = bars(
        Head("Takeovers", "Accounts that a replica took over from another one.", "short"),
        Query(added(increase(TAKEOVERS), "instance"), "{{instance}}"),
    )
    lost = bars(
        Head(
            "Leases lost",
            "Accounts that a replica lost without letting them go, as after a hang or while it "
            "cannot reach the database.",
            "short",
        ),
        Query(added(increase(LOST), "instance"), "{{instance}}"),
    )
    return [
        Line(8, [(4, unheld), (10, held), (10, who)]),
        Line(8, [(8, seen), (8, takeovers), (8, lost)]),
    ]
