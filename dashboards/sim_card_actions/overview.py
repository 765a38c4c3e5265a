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
    PROBLEMS,
    STUCK,
    UP,
    WHERE,
    failure_ratio,
)


def figures() -> list[Panel]:
    """Build the values at the top, current ones and those of the selected time range."""
    calm = Scale(GOOD)
    return [
        figure(
            Head(
                "Accounts failing",
                "Accounts whose last poll failed. Their other values are the last known ones.",
                "short",
            ),
            f"sum({merged(UP)} == bool 0)",
            Scale(GOOD, [(1, BAD)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Last poll",
                "Longest time since a successful poll of any account.",
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
            Head("Stuck", "Actions in progress for longer than stuck_after.", "short"),
            total(STUCK),
            Scale(GOOD, [(1, WARN)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Failed",
                "Failures in the selected time range. The maximum of all replicas counts; if the "
                "replica with the maximum disappears, the lower counter is treated as a reset.",
                "short",
            ),
            shown(FAILED),
            Scale(GOOD, [(0.5, BAD)]),
            nothing="no data",
        ),
        figure(
            Head(
                "Interrupted",
                "Interruptions in the selected time range; actions may resume.",
                "short",
            ),
            shown(INTERRUPTED),
            Scale(GOOD, [(0.5, WARN)]),
            nothing="no data",
        ),
        figure(
            Head("Failure ratio", "Failed actions as a share of ended actions.", "percentunit"),
            failure_ratio(observed_shown),
            Scale(GOOD, [(0.01, WARN), (0.1, BAD)]),
            nothing="none ended",
            decimals=1,
        ),
    ]


def where_and_since_when() -> Line:
    """Build the line below: what is wrong since when, and the table by account and type."""
    since = states(
        Head(
            "Problems over time",
            "Red while an exporter is down, polls of an account fail, actions are stuck or SIM "
            "cards broken, and when actions failed or were interrupted. Gaps: no data.",
            "short",
        ),
        Query(highest(f"{own(of_exporter('up'))} == bool 0", "instance"), "{{instance}} is down"),
        Query(highest(f"{merged(UP)} == bool 0", "account"), "{{account}}: polls failing"),
        Query(f"{total(STUCK, 'account')} > bool 0", "{{account}}: stuck"),
        Query(f"{total(PROBLEMS, 'account')} > bool 0", "{{account}}: SIM cards broken"),
        Query(f"{recent(FAILED, 'account')} > bool 0", "{{account}}: failed"),
        Query(f"{recent(INTERRUPTED, 'account')} > bool 0", "{{account}}: interrupted"),
        bad="problem",
    )
    where = rows(
        Head(
            "By account and action type",
            "In flight and stuck: now. Ended: in the selected time range.",
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
