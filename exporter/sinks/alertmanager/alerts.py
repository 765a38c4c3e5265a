"""The alerts of an account, and which of them are told one by one. Pure: time is an argument.

It must not send, and must not decide what a problem is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from exporter.domain import Problem, ResolvedProblem, SimCard
from exporter.ledger.snapshot import AccountSnapshot
from exporter.sanitize import excerpt

PROBLEM = "TelnyxSimCardProblem"
MANY = "TelnyxSimCardProblemsMany"
SEVERITY = "warning"
RUNBOOK = (
    "https://github.com/telnyx-sim-exporter/telnyx-sim-exporter/blob/main/docs/alerts.md"
    "#telnyxsimcardproblem"
)

RESOLVED_FOR = 15 * 60.0
"""Seconds for which an alert that is resolved is sent again."""

_LONGEST_LABEL = 256
_LONGEST_ANNOTATION = 1024
"""Characters. Foreign text may be of any length."""

Labels = frozenset[tuple[str, str]]
"""What identifies an alert."""

_ProblemKey = tuple[str, str]
"""SIM card and concern: what identifies a problem of an account."""


class Alert(msgspec.Struct, frozen=True, eq=True):
    """One alert; ``resolved_at`` is None while its problem lasts. Times are in seconds."""

    labels: Labels
    annotations: tuple[tuple[str, str], ...]
    url: str
    starts_at: float
    resolved_at: float | None = None


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """How alerts look: ``labels`` are added to each, ``page`` is the URL that links begin with.

    Without ``details`` there is no page to link to.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    max_alerts: int = 500
    page: str = "http://localhost"
    details: bool = True


class AccountAlerts:
    """The alerts of one account: those that are active, and those resolved shortly ago."""

    def __init__(self) -> None:
        """Begin with none."""
        self._told: frozenset[_ProblemKey] | None = None  # None until the first snapshot
        self.active: dict[Labels, Alert] = {}
        self.resolved: dict[Labels, Alert] = {}

    def update(
        self, snapshot: AccountSnapshot, options: AlertOptions, now: float
    ) -> tuple[Alert, ...]:
        """Take over what a snapshot says; return the alerts that are new, changed or resolved.

        Of more than ``max_alerts`` problems those that were told one by one stay so until they
        are resolved, and others follow in the order in which they opened; one alert stands for
        the rest.
        """
        first = self._told is None
        told = _chosen(snapshot.problems, self._told or frozenset(), options.max_alerts)
        single = [each for each in snapshot.problems if _key(each) in told]
        rest = [each for each in snapshot.problems if _key(each) not in told]
        self._told = told
        active: dict[Labels, Alert] = {}
        for problem in single:
            alert = _of_problem(snapshot, problem, options)
            active.setdefault(alert.labels, alert)
        if rest:
            alert = _of_rest(snapshot.name, rest, options)
            before = self.active.get(alert.labels)
            # Its beginning must not move with the problems that it stands for.
            starts_at = alert.starts_at if before is None else before.starts_at
            active[alert.labels] = msgspec.structs.replace(alert, starts_at=starts_at)
        ended: dict[Labels, Alert] = {}
        for each in _resolved_of(snapshot, single, rest, options):
            # The clock that dated the problem may be ahead.
            at = min(each.resolved_at, now)
            alert = _ended(_of_problem(snapshot, each.problem, options), at)
            recent = now - at < RESOLVED_FOR
            if recent and (first or alert.labels in self.active):
                ended[alert.labels] = alert
        return self._switch(active, ended, now)

    def resolve_all(self, now: float) -> tuple[Alert, ...]:
        """Resolve every alert, as the account or the labels are gone; return them."""
        self._told = frozenset()
        return self._switch({}, {}, now)

    def current(self, now: float) -> tuple[Alert, ...]:
        """Return all that is to be sent again: what is active, and what was resolved lately."""
        self.resolved = {
            labels: alert
            for labels, alert in self.resolved.items()
            if alert.resolved_at is not None and now - alert.resolved_at < RESOLVED_FOR
        }
        return (*self.active.values(), *self.resolved.values())

    def _switch(
        self, active: dict[Labels, Alert], ended: Mapping[Labels, Alert], now: float
    ) -> tuple[Alert, ...]:
        before, self.active = self.active, active
        gone = {
            labels: ended.get(labels) or _ended(alert, now)
            for labels, alert in before.items()
            if labels not in active
        }
        gone |= {labels: alert for labels, alert in ended.items() if labels not in active}
        self.resolved = {
            labels: alert
            for labels, alert in (self.resolved | gone).items()
            if labels not in active
        }
        changed = (alert for labels, alert in active.items() if before.get(labels) != alert)
        return (*changed, *gone.values())


def is_of(alert: Alert, account: str) -> bool:
    """Tell whether an alert is one of an account."""
    return ("account", _label(account)) in alert.labels


def _key(problem: Problem) -> _ProblemKey:
    return problem.sim_card_id, problem.concern


def _chosen(
    problems: Iterable[Problem], told: frozenset[_ProblemKey], most: int
) -> frozenset[_ProblemKey]:
    """Return which problems are told one by one: at most ``most``."""
    keys = [_key(each) for each in problems]
    stay = [key for key in keys if key in told][:most]
    follow = [key for key in keys if key not in told]
    return frozenset([*stay, *follow[: most - len(stay)]])


def _resolved_of(
    snapshot: AccountSnapshot,
    single: Sequence[Problem],
    rest: Sequence[Problem],
    options: AlertOptions,
) -> list[ResolvedProblem]:
    """Return the resolved problems that were told one by one, as far as can be known."""
    found = sorted(snapshot.resolved_problems, key=lambda each: each.problem.opened_at)
    if rest:
        # What opened after the latest that is told stood behind as many problems as are told.
        latest = max((each.opened_at for each in single), default=0.0)
        return [each for each in found if each.problem.opened_at <= latest]
    return found[: max(options.max_alerts, 1) * 2]


def _ended(alert: Alert, at: float) -> Alert:
    return msgspec.structs.replace(alert, resolved_at=at)


def _of_problem(snapshot: AccountSnapshot, problem: Problem, options: AlertOptions) -> Alert:
    card = snapshot.sim_cards.get(problem.sim_card_id, SimCard(problem.sim_card_id))
    which = f"SIM card {card.iccid or problem.sim_card_id}"
    group = f" of group {card.group}" if card.group else ""
    reason = f": {problem.reason}" if problem.reason else ""
    retrying = "; another attempt is in progress" if problem.retrying else ""
    return Alert(
        _labels(
            options,
            alertname=PROBLEM,
            account=snapshot.name,
            sim_card_id=problem.sim_card_id,
            concern=problem.concern,
            status=problem.status.value,
        ),
        _annotations(
            summary=f"{which}: {problem.action_type} {problem.status.value} in account "
            f"{snapshot.name}",
            description=f"{problem.action_type} of {which}{group} is {problem.status.value} since "
            f"{_iso(problem.opened_at)} after {problem.attempts} attempt(s){reason}{retrying}",
            reason=problem.reason,
            reason_class=problem.reason_class,
            action_id=problem.action_id,
            action_type=problem.action_type,
            iccid=card.iccid,
            sim_card_group=card.group,
            tags=", ".join(card.tags),
            attempts=str(problem.attempts),
            opened=_iso(problem.opened_at),
            runbook_url=RUNBOOK,
        ),
        _url(options, problem.sim_card_id),
        problem.opened_at,
    )


def _url(options: AlertOptions, sim_card_id: str = "") -> str:
    part = f"sim-cards/{quote(sim_card_id, safe='', errors='replace')}" if sim_card_id else ""
    return f"{options.page}/{part}" if options.details else ""


def _of_rest(account: str, rest: list[Problem], options: AlertOptions) -> Alert:
    concerns = Counter(each.concern for each in rest)
    classes = Counter(each.reason_class for each in rest)
    return Alert(
        _labels(options, alertname=MANY, account=account),
        _annotations(
            summary=f"{len(rest)} more SIM cards with problems in account {account}",
            description=f"More than {options.max_alerts} problems, so {len(rest)} have no alert "
            f"of their own. By concern: {_counts(concerns)}. By reason class: {_counts(classes)}.",
            problems=str(len(rest)),
            concerns=_counts(concerns),
            reason_classes=_counts(classes),
            runbook_url=RUNBOOK,
        ),
        _url(options),
        rest[0].opened_at,
    )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(20))


def _labels(options: AlertOptions, **own: str) -> Labels:
    values = {"severity": SEVERITY, **options.labels, **own}
    return frozenset((name, _label(value)) for name, value in values.items())


def _label(value: str) -> str:
    text = _clean(value[: _LONGEST_LABEL + 1])
    if len(value) <= _LONGEST_LABEL:
        return text
    # Two long values that differ anywhere must stay two.
    digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{text[: _LONGEST_LABEL - 17]}-{digest}"


def _annotations(**values: str) -> tuple[tuple[str, str], ...]:
    # Cut first: cleaning takes time for each character.
    cut = ((name, value.lstrip()[: _LONGEST_ANNOTATION + 1]) for name, value in values.items())
    cleaned = ((name, _clean(value)) for name, value in cut)
    return tuple((name, excerpt(text, _LONGEST_ANNOTATION)) for name, text in cleaned if text)


def _clean(text: str) -> str:
    """Return text that is UTF-8 and has no control characters."""
    return "".join(
        letter if letter.isprintable() else "\ufffd" if "\ud800" <= letter <= "\udfff" else " "
        for letter in text
    ).strip()


def _iso(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(at)
