"""The first screen of *Exporter health*: is anything wrong, where, and since when.

It must not explain it (that is `details`).
"""

from dashboards.board import Line
from dashboards.exporter_health.series import (
    DRIFT,
    EACH,
    FAILURES,
    HELD,
    LAST_AUDIT,
    NAMED,
    RELOADED,
    SCRAPED,
    UP,
)
from dashboards.outages import outages
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
    merged,
    of_account,
    of_exporter,
    per_minute,
    rate,
)


def figures() -> list[Panel]:
    """Build the current values at the top."""
    return [
        *outages(),
        figure(
            Head("Last audit", "Longest time since an audit of any account.", "s"),
            highest(age(LAST_AUDIT)),
            Scale(),
            nothing="none yet",
        ),
        figure(
            Head(
                "Drift",
                "Largest difference between API total and ledger total of any status.",
                "short",
            ),
            highest(f"abs({DRIFT})"),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Lists without order",
                "Read completely by each poll with new actions: exact, but more requests.",
                "short",
            ),
            added(of_account("telnyx_exporter_listings", 'order="none"')),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        word(
            Head("Configuration", "Whether the last configuration reload succeeded.", "short"),
            Query(lowest(RELOADED)),
            {"1": ("loaded", GOOD), "0": ("rejected", BAD)},
        ),
        word(
            Head("Version", "Running versions; more than one during a deployment.", "short"),
            Query(
                highest(of_exporter("telnyx_exporter_build_info"), "version"),
                "{{version}}",
            ),
        ),
    ]


def since_when() -> Line:
    """Build the line below: what is wrong since when, and why polls fail."""
    since = states(
        Head(
            "Problems over time",
            "Red while an exporter is down, has rejected its new configuration, fails to poll an "
            "account or has ledger drift, and while no replica polls an account. Gaps: no data.",
            "short",
        ),
        Query(highest(f"{SCRAPED} == bool 0", "instance"), "{{instance}} is down"),
        Query(highest(f"{RELOADED} == bool 0", "instance"), "{{instance}}: configuration rejected"),
        Query(highest(f"{merged(UP)} == bool 0", "account"), "{{account}}: polls failing"),
        Query(highest(f"{merged(HELD)} == bool 0", "account"), "{{account}}: polled by no replica"),
        Query(highest(f"{DRIFT} != bool 0", *EACH), f"{NAMED}: drift"),
        bad="problem",
    )
    causes = bars(
        Head(
            "Failed polls by cause",
            "Failed polls per minute; docs/operations.md has the remedy for each cause.",
            "cpm",
        ),
        Query(per_minute(added(rate(FAILURES), "account", "cause")), "{{account}}: {{cause}}"),
    )
    return Line(9, [(12, since), (12, causes)])
