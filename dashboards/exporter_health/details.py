"""The sections below the first screen of *Exporter health*: what goes on in the exporter.

It must not repeat the first screen (that is `overview`).
"""

from dashboards.board import Line
from dashboards.exporter_health.series import (
    DELAY,
    DRIFT,
    EACH,
    LAST_AUDIT,
    LAST_SUCCESS,
    NAMED,
    POLL_TIME,
    POLLS,
    REQUEST_TIME,
    REQUESTS,
)
from dashboards.panels import (
    Head,
    Query,
    bars,
    lines,
    spread,
)
from dashboards.queries import (
    added,
    age,
    highest,
    lowest,
    of_account,
    of_exporter,
    own,
    per_minute,
    quantile,
    rate,
    spread_of,
)


def polls() -> list[Line]:
    """Show how polls go."""
    count = lines(
        Head("Polls", "Polls a minute, failed ones included.", "cpm"),
        Query(per_minute(added(rate(POLLS), *EACH)), NAMED),
    )
    silence = lines(
        Head("Time since the last successful poll", "Grows while polls fail or hang.", "s"),
        Query(highest(age(LAST_SUCCESS), *EACH), NAMED),
    )
    heat = spread(
        Head("Durations of polls", "How long polls take, failed ones included.", "s"),
        spread_of(POLL_TIME),
    )
    slow = lines(
        Head("Slow polls", "How long nine of ten polls take at most.", "s"),
        Query(quantile(0.9, POLL_TIME, "account"), "{{account}}"),
    )
    return [Line(8, [(12, count), (12, silence)]), Line(8, [(12, heat), (12, slow)])]


def requests() -> list[Line]:
    """Show what Telnyx is asked, and how it answers."""
    codes = bars(
        Head("Requests by answer", "Requests a second, by HTTP status; error: none came.", "reqps"),
        Query(added(rate(REQUESTS), "code"), "{{code}}"),
    )
    endpoints = bars(
        Head("Requests by account", "Requests a second; list: pages, get: by id.", "reqps"),
        Query(added(rate(REQUESTS), "account", "endpoint"), "{{account}}: {{endpoint}}"),
    )
    slow = lines(
        Head("Time for an answer", "How long nine of ten requests take at most.", "s"),
        Query(quantile(0.9, REQUEST_TIME, "endpoint"), "{{endpoint}}"),
    )
    retries = lines(
        Head("Retries by cause", "Requests a second that were sent again.", "reqps"),
        Query(
            added(rate(of_account("telnyx_exporter_api_retries_total")), "account", "cause"),
            "{{account}}: {{cause}}",
        ),
    )
    limit = lines(
        Head(
            "Rate limit left",
            "What is left of Telnyx's rate limit, and the limit, in its own unit, as it last "
            "said. No line if it never did.",
            "short",
        ),
        Query(
            lowest(of_account("telnyx_exporter_api_rate_limit_remaining"), "account"),
            "{{account}}: left",
        ),
        Query(
            lowest(of_account("telnyx_exporter_api_rate_limit"), "account"), "{{account}}: limit"
        ),
        decimals=0,
    )
    return [
        Line(8, [(12, codes), (12, endpoints)]),
        Line(8, [(8, slow), (8, retries), (8, limit)]),
    ]


def lag() -> list[Line]:
    """Show how late the ends of actions are seen."""
    heat = spread(
        Head("Delays", "From the end of an action to the poll that saw it.", "s"),
        spread_of(DELAY),
    )
    shares = lines(
        Head("Quantiles of the delay", "For a share of the actions, the delay at most.", "s"),
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
    """Show what is known against what Telnyx lists."""
    drift = lines(
        Head("Drift by status", "Totals of Telnyx less what is known, at the audit.", "short"),
        Query(
            highest(DRIFT, *EACH, "status"),
            f"{NAMED}: {{{{status}}}}",
        ),
        decimals=0,
        signed=True,
    )
    audits = lines(
        Head("Time since the last audit", "An audit comes every audit_interval.", "s"),
        Query(highest(age(LAST_AUDIT), *EACH), NAMED),
    )
    sweeps = lines(
        Head("Sweeps", "Listings a minute that began to be read again, by cause.", "cpm"),
        Query(
            per_minute(added(rate(of_account("telnyx_exporter_sweeps_total")), "account", "cause")),
            "{{account}}: {{cause}}",
        ),
    )
    orders = lines(
        Head("Lists by their order", "The order none is exact too, but dear.", "short"),
        Query(
            highest(of_account("telnyx_exporter_listings"), *EACH, "order"),
            f"{NAMED}: {{{{order}}}}",
        ),
        decimals=0,
    )
    tracked = lines(
        Head("Actions remembered", "Rows in the state file; follows retention.", "short"),
        Query(highest(of_account("telnyx_exporter_actions_tracked"), *EACH), NAMED),
        decimals=0,
    )
    counting = lines(
        Head("Counting for", "Time since counters began at 0; a fall is a lost state.", "s"),
        Query(highest(age(of_account("telnyx_exporter_baseline_timestamp_seconds")), *EACH), NAMED),
    )
    size = lines(
        Head("State on disk", "The database, and its write-ahead log.", "bytes"),
        Query(
            highest(of_exporter("telnyx_exporter_state_bytes"), "instance", "part"),
            "{{instance}}: {{part}}",
        ),
    )
    malformed = lines(
        Head("Items that could not be read", "Items of answers skipped, a minute.", "cpm"),
        Query(
            per_minute(added(rate(of_account("telnyx_exporter_malformed_actions_total")), *EACH)),
            NAMED,
        ),
    )
    return [
        Line(8, [(8, drift), (8, audits), (8, sweeps)]),
        Line(8, [(8, orders), (8, tracked), (8, malformed)]),
        Line(8, [(12, counting), (12, size)]),
    ]


def process() -> list[Line]:
    """Show what each process takes."""
    memory = lines(
        Head("Memory", "Resident memory of each exporter.", "bytes"),
        Query(
            highest(own(of_exporter("process_resident_memory_bytes")), "instance"), "{{instance}}"
        ),
    )
    cpu = lines(
        Head("CPU", "Processor time used, as a share of one processor.", "percentunit"),
        Query(
            added(own(rate(of_exporter("process_cpu_seconds_total"))), "instance"), "{{instance}}"
        ),
    )
    files = lines(
        Head("Open files", "Open file descriptors, connections among them.", "short"),
        Query(highest(own(of_exporter("process_open_fds")), "instance"), "{{instance}}"),
        decimals=0,
    )
    dropped = lines(
        Head("Connections dropped", "Idle ones closed as no more may be open, a minute.", "cpm"),
        Query(
            per_minute(
                added(
                    rate(of_exporter("telnyx_exporter_web_connections_dropped_total")), "instance"
                )
            ),
            "{{instance}}",
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
        Head("Running for", "Time since each exporter was started.", "s"),
        Query(
            highest(f"time() - {own(of_exporter('process_start_time_seconds'))}", "instance"),
            "{{instance}}",
        ),
    )
    configured = lines(
        Head("Configuration in force for", "Time since it was last read and found good.", "s"),
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
