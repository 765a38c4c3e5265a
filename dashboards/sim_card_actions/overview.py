"""The first screen of *SIM card actions*: is anything wrong, where, and since when.

It must not explain it (that is `details`).
"""

from dashboards.board import Line
from dashboards.panels import (
    BAD,
    GOOD,
    WARN,
    Column,
    Head,
    Panel,
    Query,
    Scale,
    figure,
    rows,
    states,
)
from dashboards.queries import (
    age,
    highest,
    merged,
    observed_shown,
    of_exporter,
    own,
    recent,
    shown,
    total,
)
from dashboards.sim_card_actions.series import (
    COMPLETED,
    FAILED,
    IN_FLIGHT,
    INTERRUPTED,
    LAST_SUCCESS,
    OLDEST,
    STUCK,
    UP,
    WHERE,
    failure_ratio,
)


def figures() -> list[Panel]:
    """Make the figures at the top: now, and of the time shown."""
    calm = Scale(GOOD)
    return [
        figure(
            Head(
                "Accounts not polled",
                "Accounts whose last poll failed. Their other figures are the last known ones.",
                "short",
            ),
            f"sum({merged(UP)} == bool 0)",
            Scale(GOOD, [(1, BAD)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Last poll",
                "Time since the last successful poll, of the account where it is longest.",
                "s",
            ),
            highest(age(merged(LAST_SUCCESS))),
            Scale(GOOD, [(900, WARN), (1800, BAD)]),
            nothing="none yet",
        ),
        figure(
            Head("In flight", "Actions in progress.", "short"),
            total(IN_FLIGHT),
            calm,
            nothing="no data",
        ),
        figure(
            Head("Oldest in flight", "Age of the oldest action in progress.", "s"),
            highest(age(merged(OLDEST))),
            calm,
            nothing="none",
        ),
        figure(
            Head("Stuck", "Actions in progress for longer than stuck_after allows.", "short"),
            total(STUCK),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Failed",
                "Actions that failed in the time shown. Of replicas the larger counter counts; "
                "where it goes away, the smaller one counts as a reset: all of it is added.",
                "short",
            ),
            shown(FAILED),
            Scale(GOOD, [(0.5, BAD)]),
            nothing="no data",
        ),
        figure(
            Head("Interrupted", "Interruptions in the time shown; the action may go on.", "short"),
            shown(INTERRUPTED),
            Scale(GOOD, [(0.5, WARN)]),
            nothing="no data",
        ),
        figure(
            Head("Failure ratio", "Share of failed ones among those that ended.", "percentunit"),
            failure_ratio(observed_shown),
            Scale(GOOD, [(0.01, WARN), (0.1, BAD)]),
            nothing="none ended",
            decimals=1,
        ),
    ]


def where_and_since_when() -> Line:
    """Make the line under them: red since when, and the table of where."""
    since = states(
        Head(
            "Wrong, and since when",
            "Red while an exporter cannot be scraped, while polls of an account fail, while "
            "actions are stuck, and where actions failed or were interrupted. A gap: no data.",
            "short",
        ),
        Query(highest(f"{own(of_exporter('up'))} == bool 0", "instance"), "{{instance}} is down"),
        Query(highest(f"{merged(UP)} == bool 0", "account"), "{{account}}: polls fail"),
        Query(f"{total(STUCK, 'account')} > bool 0", "{{account}}: stuck"),
        Query(f"{recent(FAILED, 'account')} > bool 0", "{{account}}: failed"),
        Query(f"{recent(INTERRUPTED, 'account')} > bool 0", "{{account}}: interrupted"),
        bad="wrong",
    )
    where = rows(
        Head(
            "Where",
            "Each account and action type: now in flight and stuck, ended in the time shown.",
            "short",
        ),
        {"account": "Account", "action_type": "Action type"},
        [
            Column("In flight", total(IN_FLIGHT, *WHERE)),
            Column("Oldest", highest(age(merged(OLDEST)), *WHERE), unit="s"),
            Column("Stuck", total(STUCK, *WHERE), alarm=1),
            Column("Completed", shown(COMPLETED, *WHERE)),
            Column("Failed", shown(FAILED, *WHERE), alarm=0.5, colour=BAD),
            Column("Interrupted", shown(INTERRUPTED, *WHERE), alarm=0.5),
            Column(
                "Failure ratio",
                failure_ratio(observed_shown, *WHERE),
                unit="percentunit",
                alarm=0.1,
                colour=BAD,
            ),
        ],
        sort="Failed",
    )
    return Line(9, [(12, since), (12, where)])
