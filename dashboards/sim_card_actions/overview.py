"""The first screen of *SIM card actions*: what is wrong now, what changed, and totals.

It must not explain it (that is `details`).
"""

from dashboards.board import PAGE, RUNBOOKS, Line
from dashboards.outages import LATEST_POLL, NOT_POLLED, outages
from dashboards.panels import (
    BAD,
    GOOD,
    PLAIN,
    WARN,
    WARNING,
    Column,
    Head,
    Key,
    Panel,
    Query,
    Scale,
    bars,
    figure,
    note,
    rows,
    states,
)
from dashboards.queries import (
    RULES_LOADED,
    added,
    age,
    held,
    highest,
    merged,
    observed_shown,
    of_alerts,
    of_exporter,
    own,
    recent,
    shown,
    total,
)
from dashboards.sim_card_actions.series import (
    CLOSED,
    COMPLETED,
    FAILED,
    IN_FLIGHT,
    INTERRUPTED,
    MENDED,
    OLDEST,
    OLDEST_PROBLEM,
    OPENED,
    PROBLEMS,
    STUCK,
    UP,
    WHERE,
    failure_ratio,
)

_FIRING = 'alertstate="firing"'
_CRITICAL = of_alerts("ALERTS", _FIRING, 'severity="critical"')
_OTHER = of_alerts("ALERTS", _FIRING, 'severity!="critical"')
_STUCK_NOW = held(STUCK, "action_type")
_PROBLEMS_NOW = held(PROBLEMS, "concern", "status")
# The series of the oldest problem goes when it is closed.
_OLDEST_NOW = f"({held(OLDEST_PROBLEM, 'concern')} and ignoring (status) {_PROBLEMS_NOW} > 0)"
_NONE_OR_SOME = Scale(GOOD, [(1, WARN)])

_PROBLEMS_PAGE = f"{PAGE}/problems"
_OF_ACCOUNT = "?account=${__value.raw:percentencode}"

_NEXT = f"""\
- [Page]({PAGE}/), [SIM cards that are broken]({_PROBLEMS_PAGE}), [failures]({PAGE}/failures).
  If the links do not work: [how to reach the page]({RUNBOOKS}/README.md#page-and-api).
- `telnyx-sim-exporter problems` lists the same SIM cards:
  [how to run it]({RUNBOOKS}/README.md#list-the-problems).
- [Log]({RUNBOOKS}/README.md#log): `poll_failed` has the cause; `sim_card_action_failed`,
  `sim_card_action_interrupted` and `sim_card_action_stuck` have the SIM card and the reason;
  `configuration_refused` has the errors of a new configuration.
- [Status and restart]({RUNBOOKS}/README.md#status-and-restart) of the exporter.
"""


def wrong_now() -> list[Line]:
    """Show what is wrong now; while an exporter is down, the last known values."""
    firing = figure(
        Head("Critical alerts", "Firing alerts of the shipped rules that page.", "short"),
        f"count({_CRITICAL}) or 0 * count({RULES_LOADED})",
        Scale(GOOD, [(1, BAD)]),
        nothing="rules not loaded",
    )
    others = figure(
        Head("Other alerts", "Firing alerts of the shipped rules that do not page.", "short"),
        f"count({_OTHER}) or 0 * count({RULES_LOADED})",
        _NONE_OR_SOME,
        nothing="rules not loaded",
    )
    broken = figure(
        Head(
            "SIM cards broken", "Open problems: a SIM card counts once for each concern.", "short"
        ),
        added(_PROBLEMS_NOW),
        _NONE_OR_SOME,
        nothing="no data",
        link=_PROBLEMS_PAGE,
    )
    oldest = figure(
        Head("Oldest problem", "Time since the oldest open problem was opened.", "s"),
        highest(age(_OLDEST_NOW)),
        Scale(GOOD, [(86400, WARN)]),
        nothing="none",
        link=_PROBLEMS_PAGE,
    )
    stuck = figure(
        Head("Stuck", "Actions in progress for longer than stuck_after.", "short"),
        added(_STUCK_NOW),
        _NONE_OR_SOME,
        nothing="no data",
        link=f"{_PROBLEMS_PAGE}?status=stuck",
    )
    figures = [firing, others, *outages(), broken, oldest, stuck]
    tables = [(10, _alerts()), (8, _accounts()), (6, _next())]
    return [Line(4, [(3, panel) for panel in figures]), Line(8, tables)]


def changed() -> Line:
    """Show since when it is wrong, and what happened."""
    since = states(
        Head(
            "Problems over time",
            "Red: a critical alert, or an exporter that is down. Orange: another alert, an account "
            "that is not polled, stuck actions or broken SIM cards. Gaps: no alert, or no data.",
            "short",
        ),
        Query(highest(_CRITICAL, "alertname"), "{{alertname}}"),
        Query(f"{WARNING} * {highest(_OTHER, 'alertname')}", "{{alertname}}"),
        Query(highest(f"{own(of_exporter('up'))} == bool 0", "instance"), "{{instance}} is down"),
        Query(
            f"{WARNING} * {highest(f'{merged(UP)} == bool 0', 'account')}",
            "{{account}}: polls failing",
        ),
        Query(f"{WARNING} * ({total(STUCK, 'account')} > bool 0)", "{{account}}: stuck"),
        Query(
            f"{WARNING} * ({total(PROBLEMS, 'account')} > bool 0)", "{{account}}: SIM cards broken"
        ),
        bad="problem",
    )
    events = bars(
        Head(
            "Changes",
            "Actions that failed or were interrupted, and problems that were opened and closed.",
            "short",
        ),
        Query(recent(FAILED), "failed"),
        Query(recent(INTERRUPTED), "interrupted"),
        Query(recent(OPENED), "problems opened"),
        Query(recent(CLOSED, "outcome"), "problems {{outcome}}"),
    )
    return Line(8, [(12, since), (12, events)])


def totals() -> list[Line]:
    """Show how much there is, and the totals of the selected time range."""
    return [Line(4, [(3, panel) for panel in _totals()]), Line(8, [(24, _by_type())])]


def _alerts() -> Panel:
    since = of_alerts("ALERTS_FOR_STATE")
    firing = of_alerts("ALERTS", _FIRING)
    labels = ("severity", "alertname", "account")
    return rows(
        Head(
            "Firing alerts",
            "Alerts of the shipped rules. Each one links to its runbook, each account to its SIM "
            "cards that are broken.",
            "short",
        ),
        {
            "severity": Key("Severity", colours={"critical": BAD, "warning": WARN, "info": PLAIN}),
            "alertname": Key("Alert", link=f"{RUNBOOKS}/${{__value.raw:percentencode}}.md"),
            "account": Key("Account", link=f"{_PROBLEMS_PAGE}{_OF_ACCOUNT}"),
        },
        [
            Column("Alerts", f"count by ({', '.join(labels)}) ({firing})"),
            Column(
                "For",
                highest(f"time() - ({since} and ignoring (alertstate) {firing})", *labels),
                "s",
            ),
        ],
        sort="Severity",
        descending=False,
        nothing="no alert, or the rules are not loaded",
    )


def _accounts() -> Panel:
    return rows(
        Head(
            "Accounts with problems",
            "Accounts that are not polled, or have broken SIM cards or stuck actions. Each one "
            "links to its SIM cards that are broken.",
            "short",
        ),
        {"account": Key("Account", link=f"{_PROBLEMS_PAGE}{_OF_ACCOUNT}")},
        [
            Column("Polls", highest(f"{NOT_POLLED} > 0", "account"), word="failing"),
            Column(
                "Last poll", highest(age(f"({LATEST_POLL} and {NOT_POLLED} > 0)"), "account"), "s"
            ),
            Column("Broken", f"{added(_PROBLEMS_NOW, 'account')} > 0", alarm=1),
            Column("Oldest", highest(age(_OLDEST_NOW), "account"), "s", alarm=86400),
            Column("Stuck", f"{added(_STUCK_NOW, 'account')} > 0", alarm=1),
        ],
        sort="Last poll",
        nothing="none",
    )


def _next() -> Panel:
    return note("Where to look", "The page, the log and commands; the runbooks have more.", _NEXT)


def _totals() -> list[Panel]:
    def count(title: str, meaning: str, counter: str) -> Panel:
        head = Head(title, f"{meaning} in the selected time range.", "short")
        return figure(head, shown(counter), Scale(), nothing="no data")

    return [
        figure(
            Head("In flight", "Actions in progress.", "short"),
            total(IN_FLIGHT),
            Scale(),
            nothing="no data",
        ),
        figure(
            Head("Oldest in flight", "Age of the oldest action in progress.", "s"),
            highest(age(merged(OLDEST))),
            Scale(),
            nothing="none",
        ),
        figure(
            Head("Failure ratio", "Failed actions as a share of ended actions.", "percentunit"),
            failure_ratio(observed_shown),
            Scale(GOOD, [(0.1, WARN)]),
            nothing="none ended",
            decimals=1,
        ),
        count("Completed", "Completed actions", COMPLETED),
        # By the maximum of all replicas: if the replica that has it disappears, the lower counter
        # of another one is treated as a reset.
        count("Failed", "Failures", FAILED),
        count("Interrupted", "Interruptions (the actions may resume)", INTERRUPTED),
        count("Problems opened", "SIM cards that broke", OPENED),
        count("Problems mended", "SIM cards that were mended", MENDED),
    ]


def _by_type() -> Panel:
    return rows(
        Head(
            "By account and action type",
            "In flight and stuck: now. Ended: in the selected time range.",
            "short",
        ),
        {"account": Key("Account"), "action_type": Key("Action type")},
        [
            Column("In flight", total(IN_FLIGHT, *WHERE)),
            Column("Oldest", highest(age(merged(OLDEST)), *WHERE), unit="s"),
            Column("Stuck", total(STUCK, *WHERE), alarm=1),
            Column("Completed", shown(COMPLETED, *WHERE)),
            Column("Failed", shown(FAILED, *WHERE)),
            Column("Interrupted", shown(INTERRUPTED, *WHERE)),
            Column(
                "Failure ratio",
                failure_ratio(observed_shown, *WHERE),
                unit="percentunit",
                alarm=0.1,
            ),
        ],
        sort="Failed",
    )
