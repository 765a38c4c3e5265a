"""The first screen of *Exporter health*: is anything wrong, where, and since when.

It must not explain it (that is `details`).
"""

from dashboards.board import Line
from dashboards.exporter_health.series import (
    DRIFT,
    EACH,
    FAILURES,
    LAST_AUDIT,
    LAST_SUCCESS,
    NAMED,
    RELOADED,
    SCRAPED,
    UP,
)
from dashboards.panels import (
    BAD,
    GOOD,
    WARN,
    Head,
    Panel,
    Query,
    Scale,
    bars,
    figure,
    states,
    word,
)
from dashboards.queries import (
    added,
    age,
    highest,
    lowest,
    of_account,
    of_exporter,
    per_minute,
    rate,
)


def figures() -> list[Panel]:
    """Make the figures of now at the top."""
    any_is_bad = Scale(GOOD, [(1, BAD)])
    return [
        figure(
            Head(
                "Exporters down",
                "Exporters that Prometheus cannot scrape, but could within the last hour.",
                "short",
            ),
            added(f"{SCRAPED} == bool 0"),
            any_is_bad,
            nothing="no target",
        ),
        figure(
            Head("Accounts not polled", "Accounts whose last poll failed.", "short"),
            added(f"{UP} == bool 0"),
            any_is_bad,
            nothing="no data",
        ),
        figure(
            Head("Last poll", "Time since a successful poll, where it is longest.", "s"),
            highest(age(LAST_SUCCESS)),
            Scale(GOOD, [(900, WARN), (1800, BAD)]),
            nothing="none yet",
        ),
        figure(
            Head("Last audit", "Time since the totals were compared, where it is longest.", "s"),
            highest(age(LAST_AUDIT)),
            Scale(GOOD),
            nothing="none yet",
        ),
        figure(
            Head(
                "Drift",
                "Largest difference between the totals of Telnyx and what is known, of any status.",
                "short",
            ),
            highest(f"abs({DRIFT})"),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Lists without order",
                "Each poll that finds something new reads them whole: exact, but dear.",
                "short",
            ),
            added(of_account("telnyx_exporter_listings", 'order="none"')),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        word(
            Head("Configuration", "Whether the configuration was good when last read.", "short"),
            Query(lowest(RELOADED)),
            {"1": ("in force", GOOD), "0": ("refused", BAD)},
        ),
        word(
            Head("Version", "What runs; several while a deployment is under way.", "short"),
            Query(
                highest(of_exporter("telnyx_exporter_build_info"), "version"),
                "{{version}}",
            ),
        ),
    ]


def since_when() -> Line:
    """Make the line under them: red since when, and why polls fail."""
    since = states(
        Head(
            "Wrong, and since when",
            "Red while an exporter cannot be scraped or goes on with an old configuration, "
            "while polls fail, and while the ledger drifts. A gap: no data.",
            "short",
        ),
        Query(highest(f"{SCRAPED} == bool 0", "instance"), "{{instance}} is down"),
        Query(highest(f"{RELOADED} == bool 0", "instance"), "{{instance}}: configuration refused"),
        Query(highest(f"{UP} == bool 0", *EACH), f"{NAMED}: polls fail"),
        Query(highest(f"{DRIFT} != bool 0", *EACH), f"{NAMED}: drift"),
        bad="wrong",
    )
    causes = bars(
        Head(
            "Failed polls by cause",
            "Failed polls a minute; docs/operations.md says what to do.",
            "cpm",
        ),
        Query(per_minute(added(rate(FAILURES), "account", "cause")), "{{account}}: {{cause}}"),
    )
    return Line(9, [(12, since), (12, causes)])
