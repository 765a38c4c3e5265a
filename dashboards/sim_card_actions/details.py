"""The sections below the first screen of *SIM card actions*: causes, numbers and durations.

It must not repeat the first screen (that is `overview`).
"""

from dashboards.board import Line
from dashboards.panels import (
    Column,
    Head,
    Key,
    Query,
    bars,
    lines,
    rows,
    spread,
)
from dashboards.queries import (
    age,
    highest,
    merged,
    observed,
    observed_recently,
    per_minute,
    quantile,
    rate,
    ratio,
    shown,
    spread_of,
    total,
)
from dashboards.sim_card_actions.series import (
    BULK_MEMBERS,
    BULK_MEMBERS_ENDED,
    BULKS,
    BULKS_ENDED,
    BULKS_STALLED,
    BULKS_WORST,
    CREATED,
    ENDED,
    ENDED_COMPLETED,
    ENDS,
    FAILED,
    IN_FLIGHT,
    INTERRUPTED,
    LISTED,
    OLDEST,
    STUCK,
    WHERE,
    failure_ratio,
)


def ends() -> list[Line]:
    """Show how actions end and why they fail."""
    outcome = bars(
        Head("Ended by status", "Ended actions per minute by final status.", "cpm"),
        *(Query(per_minute(total(rate(each))), name) for name, each in ENDS.items()),
    )
    failures = lines(
        Head(
            "Failure ratio by action type",
            "Failed actions as a share of ended actions.",
            "percentunit",
        ),
        Query(failure_ratio(observed_recently, "action_type"), "{{action_type}}"),
        Query(failure_ratio(observed_recently), "all"),
    )
    reasons = bars(
        Head(
            "Failures by reason class",
            "Failures per minute by reason class. Exemplars have the action and the SIM card.",
            "cpm",
        ),
        Query(
            f"{per_minute(total(rate(FAILED), 'reason_class'))} > 0",
            "{{reason_class}}",
            exemplars=True,
        ),
    )
    kinds = bars(
        Head("Failures by action type", "Failures per minute by action type.", "cpm"),
        Query(per_minute(total(rate(FAILED), "action_type")), "{{action_type}}"),
    )
    interruptions = bars(
        Head(
            "Interruptions by reason class",
            "Interruptions per minute by reason class. Interrupted actions may resume.",
            "cpm",
        ),
        Query(
            f"{per_minute(total(rate(INTERRUPTED), 'reason_class'))} > 0",
            "{{reason_class}}",
            exemplars=True,
        ),
    )
    both = rows(
        Head(
            "Failures by reason class and action type",
            "Failures in the selected time range. The log has the full reasons.",
            "short",
        ),
        {
            "account": Key("Account"),
            "action_type": Key("Action type"),
            "reason_class": Key("Reason class"),
        },
        [Column("Failed", f"{shown(FAILED, *WHERE, 'reason_class')} > 0.5")],
        sort="Failed",
    )
    return [
        Line(8, [(12, outcome), (12, failures)]),
        Line(8, [(12, reasons), (12, kinds)]),
        Line(8, [(12, interruptions), (12, both)]),
    ]


def in_flight() -> list[Line]:
    """Show what is in progress and for how long."""
    running = bars(
        Head("In flight by action type", "Actions in progress.", "short"),
        Query(total(IN_FLIGHT, "action_type"), "{{action_type}}"),
    )
    oldest = lines(
        Head("Oldest action in flight", "Age of the oldest action in progress.", "s"),
        Query(highest(age(merged(OLDEST)), "action_type"), "{{action_type}}"),
    )
    stuck = lines(
        Head("Stuck by action type", "Actions in progress for longer than stuck_after.", "short"),
        Query(total(STUCK, "action_type"), "{{action_type}}"),
        decimals=0,
    )
    backlog = lines(
        Head(
            "Created and ended",
            "Actions per minute. The backlog grows while more are created than end.",
            "cpm",
        ),
        Query(per_minute(total(rate(CREATED))), "created"),
        Query(per_minute(observed(rate, ENDED)), "ended"),
    )
    return [Line(8, [(12, running), (12, oldest)]), Line(8, [(12, stuck), (12, backlog)])]


def bulks() -> list[Line]:
    """Show how far bulk actions are and how their members end."""
    running = rows(
        Head(
            "Bulk actions in progress",
            "By account and type. Ended: the share of the members that have ended. Stalled: no "
            "member has ended for stuck_after. With all action types selected only.",
            "short",
        ),
        {"account": Key("Account"), "action_type": Key("Type")},
        [
            Column("Bulk actions", f"{total(BULKS, *WHERE)} > 0"),
            Column(
                "Ended",
                ratio(total(BULK_MEMBERS_ENDED, *WHERE), total(BULK_MEMBERS, *WHERE)),
                unit="percentunit",
            ),
            Column(
                "Stalled",
                f"{total(BULKS_STALLED, *WHERE)} and {total(BULKS, *WHERE)} > 0",
                alarm=1,
            ),
        ],
        sort="Bulk actions",
    )
    members = bars(
        Head(
            "Members of bulk actions in progress",
            "SIM card actions of the bulk actions in progress, by status.",
            "short",
        ),
        Query(total(BULK_MEMBERS, "status"), "{{status}}"),
    )
    bad = lines(
        Head(
            "Share that ended badly",
            "Failed and interrupted members of the worst bulk action in progress, as a share of "
            "those of it that have ended.",
            "percentunit",
        ),
        Query(highest(BULKS_WORST, "action_type"), "{{action_type}}"),
    )
    known = lines(
        Head("Bulk actions", "Those that are known, in progress or ended.", "short"),
        Query(total(BULKS), "in progress"),
        Query(total(BULKS_ENDED), "ended"),
        decimals=0,
    )
    return [Line(8, [(12, running), (12, members)]), Line(8, [(12, bad), (12, known)])]


def durations() -> list[Line]:
    """Show how long actions take."""
    heat = spread(
        Head("Duration of completed actions", "Time from creation to completion.", "s"),
        spread_of(ENDED_COMPLETED),
    )
    shares = lines(
        Head("Duration percentiles", "Median, 90th and 99th percentile of completed actions.", "s"),
        *(Query(quantile(share, ENDED_COMPLETED), f"{share:.0%}") for share in (0.5, 0.9, 0.99)),
    )
    kinds = lines(
        Head("Duration by action type", "The 90th percentile of completed actions.", "s"),
        Query(quantile(0.9, ENDED_COMPLETED, "action_type"), "{{action_type}}"),
    )
    outcomes = lines(
        Head(
            "Duration by status",
            "The 90th percentile. Slow failures suggest timeouts, fast ones rejections.",
            "s",
        ),
        Query(quantile(0.9, ENDED, "status"), "{{status}}"),
    )
    return [Line(8, [(12, heat), (12, shares)]), Line(8, [(12, kinds), (12, outcomes)])]


def accounts() -> list[Line]:
    """Compare the accounts."""
    running = lines(
        Head("In flight by account", "Actions in progress.", "short"),
        Query(total(IN_FLIGHT, "account"), "{{account}}"),
        decimals=0,
    )
    failures = lines(
        Head(
            "Failure ratio by account", "Failed actions as a share of ended actions.", "percentunit"
        ),
        Query(failure_ratio(observed_recently, "account"), "{{account}}"),
    )
    listed = lines(
        Head(
            "Listed by status",
            "All actions that Telnyx lists, including history, by current status.",
            "short",
        ),
        Query(total(LISTED, "account", "status"), "{{account}}: {{status}}"),
        decimals=0,
    )
    return [Line(8, [(8, running), (8, failures), (8, listed)])]
