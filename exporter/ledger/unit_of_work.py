"""A unit of work: observations turned into rows, sums and events that are committed together.

A unit of work is consistent after each observation, so it may be committed at any time. It holds
values only: it must not do I/O, and it does not change the state that it starts from.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf, nextafter
from typing import NamedTuple

import msgspec

from exporter.domain import (
    DURATION_BUCKETS,
    OTHER,
    BulkAction,
    Event,
    EventType,
    Problem,
    ProblemOutcome,
    ResolvedProblem,
    SimCard,
    Status,
)
from exporter.ledger.bulks import is_news
from exporter.ledger.problems import ProblemChange
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import (
    DELAY_BUCKETS,
    ENTRY_SUMS,
    GONE,
    MEND_BUCKETS,
    Exemplar,
    ListCursor,
    ListFilter,
    ProblemKey,
    SumKey,
    SumName,
    Sweep,
    TrackedAction,
    TypeStatus,
)
from exporter.ledger.rules import Transition

INFINITY = "+Inf"
"""The name of the bucket above the last bound."""

_STATUSES = frozenset(Status)

EVENT_TYPES = {Status.FAILED: EventType.FAILED, Status.INTERRUPTED: EventType.INTERRUPTED}
"""The event for an entry into a status; there is none for completed."""


def bucket_name(bounds: tuple[float, ...], index: int) -> str:
    """Return the name of a bucket: its upper bound, so that it survives other bounds."""
    if index == len(bounds):
        return INFINITY
    short = f"{bounds[index]:g}"
    return short if float(short) == bounds[index] else repr(bounds[index])


@dataclass(slots=True)
class UnitOfWork:
    """What the next commit writes.

    ``label`` bounds action types, ``now`` is when the observations happen, ``duration_buckets`` are
    the upper bounds that durations are counted by. ``rows`` are whole and
    new or changed: ``added`` names the new ones. ``sums`` are increments, ``known`` replaces
    sums of that name. ``drift`` and ``sweeps`` replace what stands there; None ends a sweep.
    ``positions`` are of open actions whose place was seen. ``problems`` replace what stands there,
    None closes one; ``forgotten`` names those of which the actions are failures no longer, and
    ``resolved`` are told as resolved. ``sim_card_total`` is how many SIM cards the account has.
    ``bulks`` replace what stands there, None ends one with its members; ``bulk_members`` are ids of
    actions that are added to those of a bulk action. ``bulks_at`` is when their list was read,
    ``bulks_since`` when first, on the API's clock.
    """

    account: str
    reasons: Reasons
    label: Callable[[str], str]
    now: float
    duration_buckets: tuple[float, ...] = DURATION_BUCKETS
    rows: dict[str, TrackedAction] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    sums: Counter[SumKey] = field(default_factory=Counter)
    amounts: defaultdict[SumKey, float] = field(default_factory=lambda: defaultdict(float))
    known: dict[SumKey, float] = field(default_factory=dict)
    drift: dict[TypeStatus, int] = field(default_factory=dict)
    sweeps: dict[TypeStatus, Sweep | None] = field(default_factory=dict)
    exemplars: dict[SumKey, Exemplar] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    cursors: dict[ListFilter, ListCursor] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    named: "dict[tuple[str, str], _Keys]" = field(default_factory=dict)
    problems: dict[ProblemKey, Problem | None] = field(default_factory=dict)
    forgotten: set[ProblemKey] = field(default_factory=set)
    resolved: list[ResolvedProblem] = field(default_factory=list)
    sim_cards: dict[str, SimCard] = field(default_factory=dict)
    sim_card_total: int | None = None
    bulks: dict[str, BulkAction | None] = field(default_factory=dict)
    bulk_members: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bulks_at: float | None = None
    bulks_since: float | None = None
    baseline_at: float | None = None
    audit_at: float | None = None

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing that a commit would have to write."""
        return not (
            self.rows
            or self.sums
            or self.amounts
            or self.known
            or self.drift
            or self.sweeps
            or self.cursors
            or self.events
            or self.problems
            or self.sim_cards
            or self.sim_card_total is not None
            or self.bulks
            or self.bulk_members
            or self.bulks_at is not None
            or self.baseline_at is not None
            or self.audit_at is not None
        )

    def apply(self, transition: Transition, *, new_row: bool, counted: bool = True) -> None:
        """Take in what an observation means.

        ``new_row`` says that nothing was remembered of the action; ``counted`` False keeps it
        out of the known totals, as history that they hold already.
        """
        row = transition.row
        if row is None:
            return
        if self.baseline_at is not None:
            # What is counted although it was seen in the baseline itself is later than that: its
            # times tell it from history.
            if transition.created:
                row.seen_at = nextafter(self.now, inf)
            if transition.entered is not None:
                row.ended_at = nextafter(self.now, inf)
        self.rows[row.id] = row
        if new_row:
            self.added.add(row.id)
        keys = self._keys(row.action_type, row.status)
        if transition.left is not None and transition.left != GONE:
            self.sums[self._keys(transition.left_type, transition.left).known] -= 1
        # A sum of 0 is written too: it makes the action type known after a restart.
        self.sums[keys.known] += int(counted)
        if transition.created:
            self.sums[keys.created] += 1
        if transition.entered is not None:
            self._enter(transition.entered, row, keys)

    def set_known(self, key: TypeStatus, count: int) -> None:
        """Set how many actions of a type and status are known."""
        self.known[SumKey(SumName.KNOWN, *key)] = count

    def adjust_known(self, key: TypeStatus, difference: int) -> None:
        """Change how many actions are known by a difference for which there is no event."""
        self.sums[SumKey(SumName.KNOWN, *key)] += difference

    def known_change(self, key: TypeStatus) -> int:
        """Return by how many this unit of work changes the number of known actions."""
        return self.sums[SumKey(SumName.KNOWN, *key)]

    def mark_gone(self, row: TrackedAction) -> None:
        """Take in that an open action is not there any more: it counts nowhere.

        It stays remembered for as long as an ended one: should it show up again, it goes on.
        """
        row = self.rows.get(row.id, row)
        self.sums[self._keys(row.action_type, row.status).known] -= 1
        self.rows[row.id] = msgspec.structs.replace(row, status=GONE, ended_at=self.now)

    def stuck(self, row: TrackedAction, since: float) -> None:
        """Take in that an action is in progress for too long ``since`` then, which is one event."""
        failure_at = since if row.failure_at is None else row.failure_at
        row = msgspec.structs.replace(row, stuck=True, failure_at=failure_at)
        self.rows[row.id] = row
        self.events.append(
            self._event(EventType.STUCK, row, "", _span(row.created_at or row.seen_at, self.now))
        )

    def problem_changed(self, change: ProblemChange, concern_label: str) -> None:
        """Take in a problem that was opened, changed or mended."""
        before, after = change.before, change.after
        for problem in (before, after):
            if problem is not None:
                self.problems[problem.sim_card_id, problem.concern] = after
        if before is not None and (after is None or after.status is not before.status):
            self.resolved.append(ResolvedProblem(before, self.now))
        if change.opened:
            self.sums[SumKey(SumName.PROBLEMS_OPENED, "", concern_label)] += change.opened
        for mended in change.mended:
            self._closed(concern_label, ProblemOutcome.MENDED)
            bucket = bucket_name(MEND_BUCKETS, bisect_left(MEND_BUCKETS, mended.seconds))
            self.sums[SumKey(SumName.MEND_BUCKET, "", f"{concern_label}/{bucket}")] += 1
            self.amounts[SumKey(SumName.MEND_SUM, "", concern_label)] += mended.seconds
            event = self._event(EventType.MENDED, mended.by, "", mended.seconds)
            self.events.append(
                msgspec.structs.replace(
                    event,
                    concern=mended.problem.concern,
                    attempts=mended.problem.attempts,
                    opened_at=mended.problem.opened_at,
                )
            )

    def forget_problem(self, problem: Problem, concern_label: str) -> None:
        """Take in that nothing happened to a problem for so long that it is closed."""
        key = problem.sim_card_id, problem.concern
        self.problems[key] = None
        self.forgotten.add(key)
        self.resolved.append(ResolvedProblem(problem, self.now))
        self._closed(concern_label, ProblemOutcome.FORGOTTEN)

    def bulk_seen(
        self, before: BulkAction | None, after: BulkAction, *, since: float | None
    ) -> None:
        """Take in what is known of a bulk action now; ``since`` is as in `is_news`."""
        if after != before:
            self.bulks[after.id] = after
        if not is_news(before, after, since):
            return
        self.events.append(
            Event(
                event_type=EventType.BULK_ENDED,
                account=self.account,
                action_id=after.id,
                sim_card_id="",
                action_type=after.action_type,
                status="",
                reason="",
                reason_class="",
                created_at=after.created_at,
                updated_at=None,
                # Of one that had ended when it was seen first, nobody knows when that was.
                duration_seconds=None if before is None else _span(after.created_at, self.now),
                members=after.counts,
            )
        )

    def clear_bulk_drift(self, bulks: Iterable[BulkAction]) -> None:
        """Take in that an audit is to compare these bulk actions anew: none differs until then."""
        self.bulks |= {
            each.id: msgspec.structs.replace(each, drift=0) for each in bulks if each.drift
        }

    def number_attempts(self, attempts: Mapping[str, int]) -> None:
        """Let the events of failures say which attempt each was, by the id of its action."""
        for index, event in enumerate(self.events):
            number = attempts.get(event.action_id)
            if number is not None and event.event_type is not EventType.MENDED:
                self.events[index] = msgspec.structs.replace(event, attempts=number)

    def _closed(self, concern_label: str, outcome: ProblemOutcome) -> None:
        self.sums[SumKey(SumName.PROBLEMS_CLOSED, "", f"{concern_label}/{outcome}")] += 1

    def _keys(self, action_type: str, status: str) -> "_Keys":
        """Return the sums of a type and a status; foreign ones share one, as they are no labels."""
        keys = self.named.get((action_type, status))
        if keys is None:
            label = status if status in _STATUSES else OTHER
            keys = _keys(self.label(action_type), label, self.duration_buckets)
            self.named[action_type, status] = keys
        return keys

    def _enter(self, status: Status, row: TrackedAction, keys: "_Keys") -> None:
        """Count an entry into a status of ended actions."""
        duration = _span(row.created_at, row.updated_at)
        if status is Status.COMPLETED:
            self.sums[keys.completed] += 1
        else:
            name = self.reason_class(row.reason)
            key = SumKey(ENTRY_SUMS[status], keys.created.action_type, name)
            self.sums[key] += 1
            self.exemplars[key] = Exemplar(row.id, row.sim_card_id, row.updated_at or self.now)
            self.events.append(self._event(EVENT_TYPES[status], row, name, duration))
        if duration is not None:
            self.sums[keys.durations[bisect_left(self.duration_buckets, duration)]] += 1
            self.amounts[keys.duration_sum] += duration
        delay = _span(row.updated_at, self.now)
        if delay is not None:
            self.sums[_DELAYS[bisect_left(DELAY_BUCKETS, delay)]] += 1
            self.amounts[_DELAY_SUM] += delay

    def reason_class(self, reason: str | None) -> str:
        """Return the class of a reason, found once for all that give the same."""
        text = reason or ""
        name = self.classes.get(text)
        if name is None:
            name = self.classes[text] = self.reasons.classify(text)
        return name

    def _event(
        self, event_type: EventType, row: TrackedAction, name: str, duration: float | None
    ) -> Event:
        return Event(
            event_type=event_type,
            account=self.account,
            action_id=row.id,
            sim_card_id=row.sim_card_id,
            action_type=row.action_type,
            status=row.status,
            reason=row.reason or "",
            reason_class=name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            duration_seconds=duration,
        )


def resulting_sums(unit: UnitOfWork, before: Mapping[SumKey, float]) -> dict[SumKey, float]:
    """Return the sums that a unit of work changes, as they are after it."""
    after = dict(unit.known)
    for key, more in (*unit.sums.items(), *unit.amounts.items()):
        after[key] = after.get(key, before.get(key, 0)) + more
    return after


class _Keys(NamedTuple):
    """The sums of an action type and status, those of reasons excepted."""

    known: SumKey
    created: SumKey
    completed: SumKey
    durations: tuple[SumKey, ...]
    duration_sum: SumKey


@lru_cache(maxsize=4096)
def _keys(type_label: str, status: str, bounds: tuple[float, ...]) -> _Keys:
    """Return the sums of a type and status, both of them labels, and those of the buckets."""
    buckets = (bucket_name(bounds, index) for index in range(len(bounds) + 1))
    return _Keys(
        SumKey(SumName.KNOWN, type_label, status),
        SumKey(SumName.CREATED, type_label),
        SumKey(SumName.COMPLETED, type_label),
        tuple(SumKey(SumName.DURATION_BUCKET, type_label, f"{status}/{name}") for name in buckets),
        SumKey(SumName.DURATION_SUM, type_label, status),
    )


_DELAYS = tuple(
    SumKey(SumName.DELAY_BUCKET, "", bucket_name(DELAY_BUCKETS, index))
    for index in range(len(DELAY_BUCKETS) + 1)
)
_DELAY_SUM = SumKey(SumName.DELAY_SUM, "")


def _span(start: float | None, end: float | None) -> float | None:
    """Return the seconds between two times, 0 where a clock went back; None if one is missing."""
    return None if start is None or end is None else max(0.0, end - start)
