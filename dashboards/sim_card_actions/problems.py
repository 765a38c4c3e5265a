"""The section *Problems* of *SIM card actions*: which SIM cards are still broken, and for how long.

It must not show actions (that is `details`).
"""

from dashboards.board import Line
from dashboards.panels import (
    Column,
    Head,
    Key,
    Query,
    days,
    lines,
    rows,
    spread,
)
from dashboards.queries import (
    age,
    grown,
    highest,
    merged,
    quantile,
    spread_of,
    total,
)
from dashboards.sim_card_actions.series import (
    CLOSED,
    MEND,
    OLDEST_PROBLEM,
    OPENED,
    PROBLEMS,
    SIM_CARDS_KNOWN,
)


def problems() -> list[Line]:
    """Show what is open, what was opened and closed, and how long mending takes."""
    return [_open(), _by_day(), _time_to_mend()]


def _open() -> Line:
    concerns = lines(
        Head("Open problems by concern", "SIM cards that are still broken.", "short"),
        Query(total(PROBLEMS, "concern"), "{{concern}}"),
        decimals=0,
    )
    statuses = lines(
        Head(
            "Open problems by status",
            "SIM cards by the status of the latest action that did not succeed.",
            "short",
        ),
        Query(total(PROBLEMS, "status"), "{{status}}"),
        decimals=0,
    )
    where = rows(
        Head("Open problems by account and concern", "SIM cards that are still broken.", "short"),
        {"account": Key("Account"), "concern": Key("Concern")},
        [
            Column("Open", f"{total(PROBLEMS, 'account', 'concern')} > 0", alarm=1),
            Column(
                "Oldest",
                highest(age(merged(OLDEST_PROBLEM)), "account", "concern"),
                unit="s",
                alarm=86400,
            ),
        ],
        sort="Open",
    )
    return Line(8, [(8, concerns), (8, statuses), (8, where)])


def _by_day() -> Line:
    changes = days(
        Head(
            "Problems opened and closed by day",
            "The last 30 days. Closed: mended, or forgotten after problems.forget_after.",
            "short",
        ),
        Query(grown(OPENED), "opened"),
        Query(grown(CLOSED, "outcome"), "{{outcome}}"),
    )
    oldest = lines(
        Head("Oldest problem by concern", "Time since it was opened.", "s"),
        Query(highest(age(merged(OLDEST_PROBLEM)), "concern"), "{{concern}}"),
    )
    return Line(8, [(12, changes), (12, oldest)])


def _time_to_mend() -> Line:
    heat = spread(
        Head("Time to mend", "Time from the opening of a problem to its mending.", "s"),
        spread_of(MEND),
    )
    shares = lines(
        Head("Time to mend, percentiles", "Median and 90th percentile by concern.", "s"),
        Query(quantile(0.5, MEND, "concern"), "{{concern}} 50%"),
        Query(quantile(0.9, MEND, "concern"), "{{concern}} 90%"),
    )
    known = lines(
        Head(
            "SIM cards known",
            "SIM cards in the directory, which has those that were broken at some time.",
            "short",
        ),
        Query(total(SIM_CARDS_KNOWN, "account"), "{{account}}"),
        decimals=0,
    )
    return Line(8, [(8, heat), (8, shares), (8, known)])
