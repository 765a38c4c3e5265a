"""The sections below the first screen of *SIM card actions*: why, how many, how long.

It must not repeat the first screen (that is `overview`).
"""

from dashboards.board import Line
from dashboards.panels import (
    BAD,
    Column,
    Head,
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
    shown,
    spread_of,
    total,
)
from dashboards.sim_card_actions.series import (
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
    """Show how actions end, and why they fail."""
    outcome = bars(
        Head("Ended by outcome", "Actions that ended, a minute, by how they ended.", "cpm"),
        *(Query(per_minute(total(rate(each))), name) for name, each in ENDS.items()),
    )
    failures = lines(
        Head(
            "Failure ratio by action type",
            "Share of failed ones among those that ended.",
            "percentunit",
        ),
        Query(failure_ratio(observed_recently, "action_type"), "{{action_type}}"),
        Query(failure_ratio(observed_recently), "all"),
    )
    reasons = bars(
        Head(
            "Failures by reason",
            "Failures a minute, by class of reason. Exemplars name the action and the SIM card.",
            "cpm",
        ),
        Query(
            f"{per_minute(total(rate(FAILED), 'reason_class'))} > 0",
            "{{reason_class}}",
            exemplars=True,
        ),
    )
    kinds = bars(
        Head("Failures by action type", "Failures a minute, by action type.", "cpm"),
        Query(per_minute(total(rate(FAILED), "action_type")), "{{action_type}}"),
    )
    interruptions = bars(
        Head(
            "Interruptions by reason",
            "Interruptions a minute, by class of reason. Interrupted actions may go on.",
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
            "Failures by reason and action type",
            "Actions that failed in the time shown. The log has the whole reason of each.",
            "short",
        ),
        {"account": "Account", "action_type": "Action type", "reason_class": "Reason class"},
        [
            Column(
                "Failed",
                f"{shown(FAILED, *WHERE, 'reason_class')} > 0.5",
                alarm=0.5,
                colour=BAD,
            )
        ],
        sort="Failed",
    )
    return [
        Line(8, [(12, outcome), (12, failures)]),
        Line(8, [(12, reasons), (12, kinds)]),
        Line(8, [(12, interruptions), (12, both)]),
    ]


def in_flight() -> list[Line]:
    """Show what is in progress, and for how long."""
    running = bars(
        Head("In flight by action type", "Actions in progress.", "short"),
        Query(total(IN_FLIGHT, "action_type"), "{{action_type}}"),
    )
    oldest = lines(
        Head("Age of the oldest in flight", "How old the oldest action in progress is.", "s"),
        Query(highest(age(merged(OLDEST)), "action_type"), "{{action_type}}"),
    )
    stuck = lines(
        Head("Stuck by action type", "In progress for longer than stuck_after allows.", "short"),
        Query(total(STUCK, "action_type"), "{{action_type}}"),
        decimals=0,
    )
    backlog = lines(
        Head(
            "Created and ended",
            "Actions a minute. Where more are created than end, the backlog grows.",
            "cpm",
        ),
        Query(per_minute(total(rate(CREATED))), "created"),
        Query(per_minute(observed(rate, ENDED)), "ended"),
    )
    return [Line(8, [(12, running), (12, oldest)]), Line(8, [(12, stuck), (12, backlog)])]


def durations() -> list[Line]:
    """Show how long actions take."""
    heat = spread(
        Head("Durations of completed actions", "From their creation to their end.", "s"),
        spread_of(ENDED_COMPLETED),
    )
    shares = lines(
        Head("Quantiles of completed actions", "How long a share of them took at most.", "s"),
        *(Query(quantile(share, ENDED_COMPLETED), f"{share:.0%}") for share in (0.5, 0.9, 0.99)),
    )
    kinds = lines(
        Head("Nine of ten, by action type", "How long nine of ten completed ones took.", "s"),
        Query(quantile(0.9, ENDED_COMPLETED, "action_type"), "{{action_type}}"),
    )
    outcomes = lines(
        Head("Nine of ten, by outcome", "Slow failures may be timeouts, quick ones refusals.", "s"),
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
        Head("Failure ratio by account", "Share of failed ones among the ended.", "percentunit"),
        Query(failure_ratio(observed_recently, "account"), "{{account}}"),
    )
    listed = lines(
        Head(
            "Listed by status",
            "All actions that Telnyx lists, its history included, by their status now.",
            "short",
        ),
        Query(total(LISTED, "account", "status"), "{{account}}: {{status}}"),
        decimals=0,
    )
    return [Line(8, [(8, running), (8, failures), (8, listed)])]
