"""What is known of one account, in memory: the open actions, the sums, the cursors.

It mirrors what is committed and changes by commits only. It must not do I/O.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from math import inf
from typing import TypeVar

import msgspec

from exporter.domain import (
    CONCERNS,
    FAILURE_EVENTS,
    KNOWN_ACTION_TYPES,
    OTHER,
    BulkAction,
    Event,
    Problem,
    ResolvedProblem,
    SimCard,
    Status,
    concern_of,
)
from exporter.ledger.records import (
    ENTRY_SUMS,
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
from exporter.ledger.unit_of_work import UnitOfWork

K = TypeVar("K")
V = TypeVar("V")

MAX_ACTION_TYPES = 50
"""How many action types have a label value of their own; further ones are `other`."""

RECENT_FAILURES = 50
"""How many of the latest failures are kept to be shown."""

RESOLVED_SHOWN = 900.0
"""Seconds for which a problem that was resolved is told as such."""

ZEROS_FOR = 90.0
"""Seconds for which the counters of a new action type are published as 0: Prometheus has to scrape
the 0, or it sees no increase."""


@dataclass(frozen=True, slots=True)
class LedgerCounts:
    """How many actions are known, and how often each status was entered, by type and status."""

    known: Mapping[TypeStatus, int]
    entered: Mapping[TypeStatus, int]


@dataclass(slots=True)
class LedgerState:
    """The committed state of one account.

    ``drift`` is the API total minus the ledger total at the last audit; 0 may be left out.
    ``sweeps`` are those that are not finished. ``failures`` are latest first. ``resolved`` are the
    problems that were resolved in the last RESOLVED_SHOWN seconds. ``sim_cards`` are those of
    problems and failures that were looked up, of ``sim_cards_known`` that are kept;
    ``sim_card_total`` is how many the account has, None as long as nobody asked. ``bulks_at`` is
    when the list of bulk actions was read last, ``bulks_since`` is as in `is_news`. ``seen`` are
    the action types that have occurred, as label values, each with when it was published first:
    None for not yet, -inf for those that were loaded, or are published with their counts.
    ``version`` is another object after each change of an action or a cursor.
    """

    name: str
    account_id: int
    baseline_at: float | None
    audit_at: float | None
    tracked: int
    cursors: dict[ListFilter, ListCursor]
    open: dict[str, TrackedAction]
    sums: dict[SumKey, float]
    drift: dict[TypeStatus, int]
    sweeps: dict[TypeStatus, Sweep]
    exemplars: dict[SumKey, Exemplar]
    failures: tuple[Event, ...]
    problems: dict[ProblemKey, Problem] = field(default_factory=dict)
    resolved: tuple[ResolvedProblem, ...] = ()
    sim_cards: dict[str, SimCard] = field(default_factory=dict)
    sim_cards_known: int = 0
    sim_card_total: int | None = None
    bulks: dict[str, BulkAction] = field(default_factory=dict)
    bulks_at: float | None = None
    bulks_since: float | None = None
    types: dict[str, None] = field(init=False)
    seen: dict[str, float | None] = field(init=False, compare=False)
    version: object = field(default_factory=object, init=False, compare=False)

    def __post_init__(self) -> None:
        """Take the action types that sums exist for: those were within the bound once."""
        counted = sorted(self._counted() - {"", OTHER})
        self.types = dict.fromkeys((*KNOWN_ACTION_TYPES, *counted))
        self.seen = {}
        self._note_seen(self.sums, -inf)

    def admit_types(self, types: Iterable[str]) -> None:
        """Give these action types label values of their own, as far as the bound allows."""
        for each in types:
            if len(self.types) < MAX_ACTION_TYPES:
                self.types.setdefault(each)

    def forget_uncommitted_types(self) -> None:
        """Drop the action types that were never committed, as a restart would."""
        counted = self._counted()
        self.types = dict.fromkeys(
            (*KNOWN_ACTION_TYPES, *(each for each in self.types if each in counted))
        )

    def label(self, action_type: str) -> str:
        """Return the label value for an action type; `other` where it is out of bounds."""
        if action_type in self.types:
            return action_type
        if action_type not in {"", OTHER}:
            self.admit_types((action_type,))
        return action_type if action_type in self.types else OTHER

    def classify_problems(self, classify: Callable[[str], str]) -> None:
        """Classify the reasons of problems anew: the classes may be configured otherwise now."""
        for key, problem in self.problems.items():
            if problem.reason_class:
                self.problems[key] = msgspec.structs.replace(
                    problem, reason_class=classify(problem.reason)
                )

    def concern_label(self, concern: str) -> str:
        """Return the label value for a concern; `other` for an action type out of bounds."""
        return concern if concern in CONCERNS.values() else self.label(concern)

    @property
    def concerns(self) -> set[str]:
        """The concerns of the open problems: few, however many problems there are."""
        return {concern for _, concern in self.problems}

    def needed_sim_cards(self) -> dict[str, None]:
        """Return the ids of the SIM cards to be shown by name: those with problems first."""
        problems = chain(self.problems.values(), (each.problem for each in self.resolved))
        ids = chain(
            (each.sim_card_id for each in problems), (each.sim_card_id for each in self.failures)
        )
        return dict.fromkeys(filter(None, ids))

    def apply(self, unit: UnitOfWork, after: dict[SumKey, float]) -> None:
        """Take in a unit of work that was committed; ``after`` are the sums that it changed."""
        if unit.rows or unit.cursors:
            self.version = object()
        self.sums.update(after)
        self._note_seen(after, None)
        self.exemplars.update(unit.exemplars)
        self.cursors.update(unit.cursors)
        self.drift.update(unit.drift)
        _update(self.sweeps, unit.sweeps)
        self.tracked += len(unit.added)
        for row in unit.rows.values():
            if row.ended_at is None:
                self.open[row.id] = row
            else:
                self.open.pop(row.id, None)
        for id_, position in unit.positions.items():
            open_row = self.open.get(id_)
            # An equal number stays the same object: 100,000 new ones a poll leave gaps in memory.
            if open_row is not None and open_row.position != position:
                open_row.position = position
        self._apply_problems(unit)
        _update(self.bulks, unit.bulks)
        shown = [event for event in unit.events if event.event_type in FAILURE_EVENTS]
        self.failures = (*reversed(shown), *self.failures)[:RECENT_FAILURES]
        if unit.baseline_at is not None:
            self.baseline_at = unit.baseline_at
        if unit.audit_at is not None:
            self.audit_at = unit.audit_at
        if unit.bulks_at is not None:
            self.bulks_at = unit.bulks_at
        if unit.bulks_since is not None:
            self.bulks_since = unit.bulks_since

    def published(self, now: float) -> None:
        """Take in that a snapshot of this state was published, as it was at ``now``."""
        for action_type, published_at in self.seen.items():
            if published_at is None:
                self.seen[action_type] = now
            elif now >= published_at + ZEROS_FOR:
                # For good: a clock that is set back must not let a counter fall to 0.
                self.seen[action_type] = -inf

    def go_on_from(self, seen: Mapping[str, float | None]) -> None:
        """Take in what was published of this state before it was read again.

        What came since is new.
        """
        self.seen = {action_type: seen.get(action_type) for action_type in self.seen}

    def _note_seen(self, sums: Mapping[SumKey, float], published_at: float | None) -> None:
        # A sum of 0 says only that an audit asked for the type.
        for key, value in sums.items():
            if value and key.action_type:
                self.seen.setdefault(key.action_type, published_at)

    def _apply_problems(self, unit: UnitOfWork) -> None:
        _update(self.problems, unit.problems)
        if unit.forgotten:
            for row in self.open.values():
                if (row.sim_card_id, concern_of(row.action_type)) in unit.forgotten:
                    row.failure_at, row.failure_status = None, ""
        recent = (*self.resolved, *unit.resolved)
        self.resolved = tuple(e for e in recent if e.resolved_at > unit.now - RESOLVED_SHOWN)
        self.sim_cards_known += len(unit.sim_cards.keys() - self.sim_cards.keys())
        self.sim_cards.update(unit.sim_cards)
        if unit.sim_card_total is not None:
            self.sim_card_total = unit.sim_card_total

    def open_after(
        self, unit: UnitOfWork, action_type: str | None = None
    ) -> Iterator[TrackedAction]:
        """Yield the actions (of one type) that are open once a unit of work is committed.

        There may be a hundred thousand, so they are not collected.
        """
        known = (unit.rows.get(id_, row) for id_, row in self.open.items())
        new = (row for id_, row in unit.rows.items() if id_ not in self.open)
        for row in chain(known, new):
            if row.ended_at is None and action_type in {None, row.action_type}:
                yield row

    def dropped(self, count: int, baseline_cutoff: float | None) -> None:
        """Take in that ``count`` ended actions were forgotten, created by ``baseline_cutoff``."""
        if count:
            self.version = object()
        self.tracked -= count
        if baseline_cutoff is None:
            return
        for list_filter, cursor in self.cursors.items():
            self.cursors[list_filter] = replace(
                cursor,
                baseline_cutoff=max(baseline_cutoff, cursor.baseline_cutoff or baseline_cutoff),
                baseline_time=max(baseline_cutoff, cursor.baseline_time or baseline_cutoff),
            )

    def counts_with(self, unit: UnitOfWork) -> LedgerCounts:
        """Return what is counted once a unit of work is committed."""
        statuses = {name: status for status, name in ENTRY_SUMS.items()}
        known: Counter[TypeStatus] = Counter()
        entered: Counter[TypeStatus] = Counter()
        for key in self.sums.keys() | unit.sums.keys():
            count = int(self.sums.get(key, 0)) + unit.sums.get(key, 0)
            label = key.action_type if key.action_type in self.types else OTHER
            if key.metric in statuses:
                entered[label, statuses[key.metric]] += count
            elif key.metric is SumName.KNOWN and key.label in tuple(Status):
                known[label, Status(key.label)] += count
        return LedgerCounts(known, entered)

    def total(self, metric: SumName, action_type: str, label: str = "") -> int:
        """Return one sum, 0 where nothing was counted."""
        return int(self.sums.get(SumKey(metric, action_type, label), 0))

    def _counted(self) -> set[str]:
        return {key.action_type for key in self.sums} | {label for label, _ in self.drift}


def _update(values: dict[K, V], changes: Mapping[K, V | None]) -> None:
    """Set what changed; None removes it."""
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
