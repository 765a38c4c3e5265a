"""Building the immutable snapshot of a state. Pure; the only place that knows what is exported.

Every combination of labels that can be named beforehand is there, zeros included.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from heapq import nlargest, nsmallest
from itertools import product
from math import inf
from operator import attrgetter
from typing import Any

import msgspec

from exporter.domain import (
    BULK_MEMBER_TYPES,
    DURATION_BUCKETS,
    ENDED_STATUSES,
    KNOWN_ACTION_TYPES,
    OTHER,
    BulkAction,
    Event,
    Problem,
    ProblemOutcome,
    ProblemStatus,
    ResolvedProblem,
    SimCard,
    Status,
    concern_of,
    types_of,
)
from exporter.ledger.bulks import bulk_label, bulk_types, failure_ratio
from exporter.ledger.problems import is_retry
from exporter.ledger.records import (
    DELAY_BUCKETS,
    ENTRY_SUMS,
    MEND_BUCKETS,
    Exemplar,
    Histogram,
    ListFilter,
    ProblemKey,
    SortOrder,
    SumKey,
    SumName,
    TrackedAction,
    started_at,
)
from exporter.ledger.state import RECENT_FAILURES, RESOLVED_SHOWN, ZEROS_FOR, LedgerState
from exporter.ledger.unit_of_work import bucket_name


@dataclass(frozen=True, slots=True)
class InFlightAction:
    """One action in progress, for the status page."""

    action_id: str
    sim_card_id: str
    action_type: str
    created_at: float
    stuck: bool


@dataclass(frozen=True, slots=True)
class EndedAction:
    """One action that failed or was interrupted; ``reason`` is foreign text."""

    action_id: str
    sim_card_id: str
    action_type: str
    status: Status
    reason: str
    reason_class: str
    created_at: float | None
    updated_at: float | None


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """What is committed of one account.

    Every mapping holds every combination that is exported, zeros included, so that a reader
    never has to know which exist. Keys are label values: ``action_type``,
    ``(action_type, status)``, ``(action_type, reason_class)``.
    ``in_flight`` is oldest first and ``failures`` latest first, each capped at 50 rows.
    ``lists`` is how many lists the API gives in each order, of which ``none`` costs more, and
    ``orders`` how each one is sorted, by the action type and status it is limited to, or "".
    Where the API gives no totals, ``actions`` and ``drift`` leave out the statuses of ended ones.
    ``baselined`` is False until the first poll of the account was committed, at ``baseline_at``.
    Of problems, keys are ``(concern, status)``, ``concern`` and ``(concern, outcome)``;
    ``unwatched_concerns`` are those whose repairs the account's filters hide.
    ``problems`` are oldest first; ``resolved_problems`` those that were resolved shortly ago, and
    ``sim_cards`` what is known of the SIM cards of both, and of those in ``failures``, by id.
    Of bulk actions, keys are ``(action_type, status)`` and ``action_type``; ``bulks`` are those in
    progress, of which no member ends any more first, then those that ended last, each the newest
    first, and ``stalled_bulks`` the ids of the first of them.
    ``readable`` is False as long as the state could not be read: then the figures mean nothing, and
    counters at 0 would look like a restart from nothing.
    """

    name: str
    baselined: bool
    actions: Mapping[tuple[str, str], int]
    oldest_in_progress: Mapping[str, float]
    stuck: Mapping[str, int]
    created: Mapping[str, int]
    completed: Mapping[str, int]
    failed: Mapping[tuple[str, str], int]
    interrupted: Mapping[tuple[str, str], int]
    failed_exemplars: Mapping[tuple[str, str], Exemplar]
    interrupted_exemplars: Mapping[tuple[str, str], Exemplar]
    durations: Mapping[tuple[str, str], Histogram]
    detection_delay: Histogram
    drift: Mapping[str, int]
    lists: Mapping[str, int]
    orders: Mapping[tuple[str, str], str]
    tracked: int
    last_audit: float
    in_flight: tuple[InFlightAction, ...]
    failures: tuple[EndedAction, ...]
    readable: bool = True
    baseline_at: float | None = None
    problem_counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    problems_oldest: Mapping[str, float] = field(default_factory=dict)
    problems_opened: Mapping[str, int] = field(default_factory=dict)
    problems_closed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    mend_seconds: Mapping[str, Histogram] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unwatched_concerns: tuple[str, ...] = ()
    resolved_problems: tuple[ResolvedProblem, ...] = ()
    sim_cards: Mapping[str, SimCard] = field(default_factory=dict)
    sim_cards_known: int = 0
    bulk_counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    bulk_members: Mapping[tuple[str, str], int] = field(default_factory=dict)
    bulks_stalled: Mapping[str, int] = field(default_factory=dict)
    bulk_failure_ratio: Mapping[str, float] = field(default_factory=dict)
    bulks: tuple[BulkAction, ...] = ()
    stalled_bulks: frozenset[str] = frozenset()

    @property
    def totals_unknown(self) -> bool:
        """Tell whether the API never gave a total: how many have ended is not known then."""
        return self.baselined and not self.last_audit


BULK_IN_PROGRESS, BULK_ENDED = Status.IN_PROGRESS.value, "ended"
"""The statuses of bulk actions."""

SHOWN_BULKS = 50
"""How many bulk actions in progress are shown one by one."""

SHOWN_ENDED_BULKS = 5
"""How many of those that ended are shown."""

_IN_GENERAL = frozenset((*KNOWN_ACTION_TYPES, OTHER))

_SHOWN_AS = {ProblemStatus.STUCK: Status.IN_PROGRESS}


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """What of an account is exported.

    ``action_types`` and ``statuses`` empty: all. ``stuck_after`` and ``stuck_after_default``
    are seconds, as is ``forget_after``, when a problem to which nothing happens is closed.
    ``reason_classes`` are those that may occur. ``bulk_actions`` tells whether those are read.
    ``duration_buckets`` are the upper bounds of durations in seconds. ``seen_only`` leaves out
    action types that never occurred and are not ``named``.
    """

    action_types: tuple[str, ...]
    statuses: tuple[Status, ...]
    stuck_after: Mapping[str, float]
    stuck_after_default: float
    reason_classes: tuple[str, ...]
    forget_after: float = inf
    bulk_actions: bool = True
    duration_buckets: tuple[float, ...] = DURATION_BUCKETS
    seen_only: bool = False
    named: frozenset[str] = frozenset()

    @property
    def always_shown(self) -> frozenset[str]:
        """The label values of action types that are exported before an action of them is seen."""
        if self.action_types:
            return frozenset(self.action_types)
        return self.named if self.seen_only else _IN_GENERAL | self.named

    def watches(self, concern: str) -> bool:
        """Tell whether both failures and repairs of a concern can be seen: else it is left out."""
        return (
            self.shows(Status.COMPLETED)
            and bool(self.problem_statuses)
            and (not self.action_types or types_of(concern) <= set(self.action_types))
        )

    @property
    def problem_statuses(self) -> tuple[ProblemStatus, ...]:
        """Return what may be wrong with a SIM card, as far as it is exported."""
        return _problem_statuses(self.statuses)

    def shows_failure(self, row: TrackedAction) -> bool:
        """Tell whether an action has failed, was interrupted or got stuck, and that is exported."""
        return row.failure_at is not None and self.shows(row.failure_status or Status.IN_PROGRESS)

    def shows(self, status: str) -> bool:
        """Tell whether a status is exported."""
        return not self.statuses or status in self.statuses

    def reads(self, list_filter: ListFilter) -> bool:
        """Tell whether new actions are searched for in this list."""
        if list_filter.action_type not in (self.action_types or (None,)):
            return False
        if not self.statuses or Status.INTERRUPTED in self.statuses:
            return list_filter.status is None
        # What is in progress is listed whole: its order does not matter, so it is not found out.
        return list_filter.status in self.statuses and list_filter.status is not Status.IN_PROGRESS

    def tells(self, event: Event) -> bool:
        """Tell whether an event is of an action that is exported."""
        return self.shows_action(event.status, event.action_type)

    def shows_action(self, status: str, action_type: str) -> bool:
        """Tell whether an action of a status and a type is exported."""
        return self.shows(status) and (not self.action_types or action_type in self.action_types)

    def is_stuck(self, row: TrackedAction, now: float) -> bool:
        """Tell whether an open action is in progress for longer than it should be."""
        return row.status == Status.IN_PROGRESS and now > self.stuck_at(row)

    def shows_bulk(self, action_type: str) -> bool:
        """Tell whether a type of bulk actions is exported: that of its members has to be."""
        member_type = BULK_MEMBER_TYPES.get(action_type, action_type)
        return self.bulk_actions and (not self.action_types or member_type in self.action_types)

    @property
    def shows_bulks(self) -> bool:
        """Whether any bulk actions are exported: else nobody has to ask for them."""
        # A type of bulk actions that is not documented is named as itself.
        named = (each for each in self.action_types if each not in KNOWN_ACTION_TYPES)
        return any(map(self.shows_bulk, (*BULK_MEMBER_TYPES, *named)))

    def is_stalled(self, bulk: BulkAction) -> bool:
        """Tell whether no member of a bulk action in progress ended for as long as it may take.

        As it was read last: of what is not read, nobody knows.
        """
        member_type = BULK_MEMBER_TYPES.get(bulk.action_type, "")
        since = bulk.changed_at if bulk.counts.ended else bulk.started_at
        patience = self.stuck_after.get(member_type, self.stuck_after_default)
        return bulk.in_progress and bulk.read_at > since + patience

    def stuck_at(self, row: TrackedAction) -> float:
        """Return when an action gets stuck if it does not end before."""
        return started_at(row) + self.stuck_after.get(row.action_type, self.stuck_after_default)


@lru_cache(maxsize=16)
def _problem_statuses(statuses: tuple[Status, ...]) -> tuple[ProblemStatus, ...]:
    """Return what may be wrong with a SIM card where these statuses are exported; empty: all."""
    return tuple(
        each for each in ProblemStatus if not statuses or _SHOWN_AS.get(each, each) in statuses
    )


def build(state: LedgerState, options: SnapshotOptions, now: float) -> AccountSnapshot:
    """Build the snapshot of a state as it is at ``now``."""
    types = _types(state, options)
    running = [
        row
        for row in state.open.values()
        if row.status == Status.IN_PROGRESS and state.label(row.action_type) in types
    ]
    oldest: dict[str, float] = {}
    stuck = dict.fromkeys(types, 0)
    counts = Counter(state.label(row.action_type) for row in running)
    for row in running:
        type_label = state.label(row.action_type)
        oldest[type_label] = min(oldest.get(type_label, started_at(row)), started_at(row))
        stuck[type_label] += options.is_stuck(row, now)
    in_progress = options.shows(Status.IN_PROGRESS)
    orders = _orders(state, options)
    return AccountSnapshot(
        name=state.name,
        baselined=state.baseline_at is not None,
        baseline_at=state.baseline_at,
        actions=_gauges(state, options, types, counts),
        oldest_in_progress=oldest if in_progress else {},
        stuck=stuck if in_progress else {},
        drift=_drift(state, options),
        lists=dict.fromkeys(SortOrder, 0) | Counter(orders.values()),
        orders=orders,
        tracked=state.tracked,
        last_audit=state.audit_at or 0.0,
        in_flight=tuple(
            InFlightAction(
                row.id,
                row.sim_card_id,
                row.action_type,
                started_at(row),
                options.is_stuck(row, now),
            )
            for row in nsmallest(RECENT_FAILURES, running if in_progress else (), key=started_at)
        ),
        failures=tuple(_ended_row(event) for event in state.failures if options.tells(event)),
        **_counter_fields(state, options, types, now),
        **_problem_fields(state, options, now),
        **(_bulk_fields(state, options) if options.shows_bulks else {}),
    )


def with_counters(
    shown: AccountSnapshot, state: LedgerState, options: SnapshotOptions, now: float
) -> AccountSnapshot:
    """Return a snapshot with the counters of actions of a state at ``now``, and else as it was.

    A counter is true as soon as it is committed. A gauge, or a problem, only once a poll has looked
    at all that was in progress: until then, what ended meanwhile would be shown as stuck.
    """
    return replace(shown, **_counter_fields(state, options, _types(state, options), now))


def empty_snapshot(name: str, options: SnapshotOptions) -> AccountSnapshot:
    """Build the snapshot of an account whose state was not read yet: there is nothing to show."""
    snapshot = build(LedgerState(name, 0, None, None, 0, {}, {}, {}, {}, {}, {}, ()), options, 0.0)
    return replace(snapshot, readable=False)


def _types(state: LedgerState, options: SnapshotOptions) -> Sequence[str]:
    """Return the label values of action types that are exported."""
    types = _labels(state, options)
    if options.action_types or not options.seen_only:
        return types
    return [each for each in types if each in state.seen or each in options.named]


def _labels(state: LedgerState, options: SnapshotOptions) -> Sequence[str]:
    """Return the label values of action types that may be exported."""
    return options.action_types or (*state.types, OTHER)


def _is_new(type_label: str, state: LedgerState, options: SnapshotOptions, now: float) -> bool:
    """Tell whether the counters of an action type are to be scraped at 0 first."""
    if type_label in options.always_shown:
        return False
    published_at = state.seen.get(type_label, -inf)
    return published_at is None or now < published_at + ZEROS_FOR


def _counter_fields(
    state: LedgerState, options: SnapshotOptions, types: Sequence[str], now: float
) -> dict[str, Any]:
    """Return the fields of the snapshot that count what happened to actions."""
    shown = [status for status in ENDED_STATUSES if options.shows(status)]
    counted = {key.action_type for key in state.sums if key.metric is not SumName.KNOWN}
    zeros = {each for each in types if each not in counted or _is_new(each, state, options, now)}

    def total(metric: SumName, type_label: str, label: str = "") -> int:
        return 0 if type_label in zeros else state.total(metric, type_label, label)

    def by_reason(status: Status) -> dict[tuple[str, str], int]:
        if status not in shown:
            return {}
        metric = ENTRY_SUMS[status]
        counts = {
            (key.action_type, key.label): int(count)
            for key, count in state.sums.items()
            if key.metric is metric and key.action_type not in zeros
        }
        keys = _type_classes(tuple(types), _classes(state, options, metric))
        return {key: counts.get(key, 0) for key in keys}

    foreign = _foreign_buckets(state, options.duration_buckets)
    return {
        "created": {type_label: total(SumName.CREATED, type_label) for type_label in types},
        "completed": {
            type_label: total(SumName.COMPLETED, type_label)
            for type_label in types
            if Status.COMPLETED in shown
        },
        "failed": by_reason(Status.FAILED),
        "interrupted": by_reason(Status.INTERRUPTED),
        "failed_exemplars": _exemplars(state, Status.FAILED, zeros),
        "interrupted_exemplars": _exemplars(state, Status.INTERRUPTED, zeros),
        "durations": {
            (type_label, status): _no_observations(options.duration_buckets)
            if type_label in zeros
            else _histogram(
                state,
                SumKey(SumName.DURATION_BUCKET, type_label, f"{status}/"),
                SumKey(SumName.DURATION_SUM, type_label, status),
                options.duration_buckets,
                foreign.get((type_label, status), ()),
            )
            for type_label in types
            for status in shown
        },
        "detection_delay": _histogram(
            state,
            SumKey(SumName.DELAY_BUCKET, ""),
            SumKey(SumName.DELAY_SUM, ""),
            DELAY_BUCKETS,
        ),
    }


def _problem_fields(state: LedgerState, options: SnapshotOptions, now: float) -> dict[str, Any]:
    """Return the fields of the snapshot that are about problems."""
    # Also of types that were not seen: concerns are few.
    named = dict.fromkeys(concern_of(each) for each in _labels(state, options))
    concerns = [each for each in named if options.watches(each)]
    watched = {each for each in state.concerns if options.watches(each)}
    problems = sorted(
        (each for each in state.problems.values() if each.concern in watched),
        key=attrgetter("opened_at"),
    )
    counts = dict.fromkeys(product(concerns, options.problem_statuses), 0)
    oldest: dict[str, float] = {}
    for problem in problems:
        label = state.concern_label(problem.concern)
        if (label, problem.status) in counts:  # as of actions, whose type may be out of bounds, too
            counts[label, problem.status] += 1
            oldest.setdefault(label, problem.opened_at)
    # The concern of an action type that is not documented is as new as the type.
    new = {each for each in concerns if _is_new(each, state, options, now)}
    retried = _retried(state)
    return {
        "problem_counts": counts,
        "problems_oldest": oldest,
        "problems_opened": {
            each: 0 if each in new else state.total(SumName.PROBLEMS_OPENED, "", each)
            for each in concerns
        },
        "problems_closed": {
            (each, outcome): 0
            if each in new
            else state.total(SumName.PROBLEMS_CLOSED, "", f"{each}/{outcome}")
            for each, outcome in product(concerns, ProblemOutcome)
        },
        "mend_seconds": {
            each: _no_observations(MEND_BUCKETS)
            if each in new
            else _histogram(
                state,
                SumKey(SumName.MEND_BUCKET, "", f"{each}/"),
                SumKey(SumName.MEND_SUM, "", each),
                MEND_BUCKETS,
            )
            for each in concerns
        },
        "problems": tuple(
            msgspec.structs.replace(each, retrying=True)
            if (each.sim_card_id, each.concern) in retried
            else each
            for each in problems
        ),
        "unwatched_concerns": tuple(each for each in named if each not in concerns),
        "resolved_problems": tuple(
            each for each in state.resolved if each.resolved_at > now - RESOLVED_SHOWN
        ),
        "sim_cards": {
            id_: state.sim_cards[id_] for id_ in state.needed_sim_cards() if id_ in state.sim_cards
        },
        "sim_cards_known": state.sim_cards_known,
    }


def _bulk_fields(state: LedgerState, options: SnapshotOptions) -> dict[str, Any]:
    """Return the fields of the snapshot that are about bulk actions."""
    bulks = [each for each in state.bulks.values() if options.shows_bulk(each.action_type)]
    types = bulk_types(bulks)
    labels = [each for each in types if options.shows_bulk(each)]
    others = any(each.action_type not in types for each in bulks)
    labels += [OTHER] if others or not options.action_types else []
    statuses = [each for each in Status if options.shows(each)]
    counts = dict.fromkeys(product(labels, (BULK_IN_PROGRESS, BULK_ENDED)), 0)
    members = dict.fromkeys(product(labels, map(str, statuses)), 0)
    stalled = dict.fromkeys(labels, 0)
    worst = dict.fromkeys(labels, 0.0)
    running = [each for each in bulks if each.in_progress]
    late = {each.id for each in running if options.is_stalled(each)}
    for bulk in bulks:
        label = bulk_label(bulk.action_type, types)
        counts[label, BULK_IN_PROGRESS if bulk.in_progress else BULK_ENDED] += 1
    for bulk in running:
        label = bulk_label(bulk.action_type, types)
        stalled[label] += bulk.id in late
        # What stalls is told as that: for one member it would be in progress, and bad, for ever.
        worst[label] = max(worst[label], 0.0 if bulk.id in late else failure_ratio(bulk))
        for status in statuses:
            members[label, status.value] += bulk.counts.of(status)
        if bulk.counts.other and not options.statuses:
            # Their text is foreign, so it must not become a label.
            members[label, OTHER] = members.get((label, OTHER), 0) + bulk.counts.other
    ended = (each for each in bulks if not each.in_progress)
    latest = nlargest(SHOWN_ENDED_BULKS, ended, key=lambda each: (each.ended_at or 0.0, each.id))
    shown = nlargest(
        SHOWN_BULKS, running, key=lambda each: (each.id in late, each.started_at, each.id)
    )
    return {
        "bulk_counts": counts,
        "bulk_members": members,
        "bulks_stalled": stalled,
        # Where a filter hides what completes or what does not, there is no share.
        "bulk_failure_ratio": {} if set(Status) - set(statuses) else worst,
        "bulks": (*shown, *latest),
        "stalled_bulks": frozenset(each.id for each in shown if each.id in late),
    }


def _retried(state: LedgerState) -> set[ProblemKey]:
    """Return the problems of which a later action, or the same one again, is in progress."""
    broken = {card for card, _ in state.problems}
    found = set()
    for row in state.open.values() if broken else ():
        if row.sim_card_id in broken:
            key = row.sim_card_id, concern_of(row.action_type)
            problem = state.problems.get(key)
            if problem is not None and is_retry(row, problem):
                found.add(key)
    return found


def _counted_statuses(state: LedgerState, options: SnapshotOptions) -> list[Status]:
    """Return the statuses whose counts are known: those of ended actions only from totals."""
    totals_unknown = state.baseline_at is not None and state.audit_at is None
    return [
        each
        for each in Status
        if options.shows(each) and not (totals_unknown and each in ENDED_STATUSES)
    ]


def _gauges(
    state: LedgerState, options: SnapshotOptions, types: Iterable[str], running: Mapping[str, int]
) -> dict[tuple[str, str], int]:
    gauges = {}
    counted = _counted_statuses(state, options)
    for type_label in types:
        for status in counted:
            known = state.total(SumName.KNOWN, type_label, status)
            total = max(0, known + state.drift.get((type_label, status), 0))
            gauges[type_label, status.value] = (
                running.get(type_label, 0) if status is Status.IN_PROGRESS else total
            )
        others = state.total(SumName.KNOWN, type_label, OTHER)
        if others and not options.statuses:
            # Unknown statuses: their text is foreign, so it must not become a label.
            gauges[type_label, OTHER] = others
    return gauges


def _classes(state: LedgerState, options: SnapshotOptions, metric: SumName) -> tuple[str, ...]:
    """Return the classes of reasons that a counter has."""
    # Classes of an earlier configuration stay: counters are never removed.
    earlier = sorted({key.label for key in state.sums if key.metric is metric})
    return tuple(dict.fromkeys((*options.reason_classes, *earlier)))


@lru_cache(maxsize=64)
def _type_classes(types: tuple[str, ...], classes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return all pairs; the same for all accounts that have the same, as they are many."""
    return tuple(product(types, classes))


def _exemplars(
    state: LedgerState, status: Status, left_out: Container[str]
) -> dict[tuple[str, str], Exemplar]:
    return {
        (key.action_type, key.label): exemplar
        for key, exemplar in state.exemplars.items()
        if key.metric is ENTRY_SUMS[status] and key.action_type not in left_out
    }


def _histogram(
    state: LedgerState,
    bucket: SumKey,
    total: SumKey,
    bounds: tuple[float, ...],
    foreign: Iterable[tuple[float, int]] = (),
) -> Histogram:
    """Return a histogram; ``foreign`` are counts by upper bounds that it does not have."""
    if total not in state.sums:  # it is there with the first observation
        return _no_observations(bounds)
    counts = [
        state.total(bucket.metric, bucket.action_type, bucket.label + name)
        for name in _bucket_names(bounds)
    ]
    for bound, count in foreign:
        # What was at most that is at most the next larger bound. So the count below a bound never
        # falls, whatever bounds come and go.
        counts[bisect_left(bounds, bound)] += count
    if not any(counts):
        return _no_observations(bounds)
    return Histogram(tuple(counts), state.sums.get(total, 0.0), _if_configured(bounds))


def _foreign_buckets(
    state: LedgerState, bounds: tuple[float, ...]
) -> dict[tuple[str, str], list[tuple[float, int]]]:
    """Return counts of durations by bounds of an earlier configuration, by type and status."""
    names = _bucket_names(bounds)
    found: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for key, count in state.sums.items():
        if key.metric is SumName.DURATION_BUCKET:
            status, _, name = key.label.partition("/")
            if name not in names:
                found.setdefault((key.action_type, status), []).append((float(name), int(count)))
    return found


@lru_cache(maxsize=16)
def _bucket_names(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return tuple(bucket_name(bounds, index) for index in range(len(bounds) + 1))


@lru_cache(maxsize=16)
def _no_observations(bounds: tuple[float, ...]) -> Histogram:
    """Return the histogram without observations, one for all: most are."""
    return Histogram((0,) * (len(bounds) + 1), 0.0, _if_configured(bounds))


def _if_configured(bounds: tuple[float, ...]) -> tuple[float, ...] | None:
    """Return bounds that are not those of their metric, else None."""
    return None if bounds in {DURATION_BUCKETS, DELAY_BUCKETS, MEND_BUCKETS} else bounds


def _drift(state: LedgerState, options: SnapshotOptions) -> dict[str, int]:
    drift = {status.value: 0 for status in _counted_statuses(state, options)}
    for (_, status), difference in state.drift.items():
        if status.value in drift:
            drift[status.value] += difference
    # Either of them may be about the same actions: the larger one, not both.
    of_bulks = [each.drift for each in state.bulks.values() if options.shows_bulk(each.action_type)]
    # Too many in one bulk action and too few in another are two differences, not none.
    more, fewer = (sum(each for each in of_bulks if each * sign > 0) for sign in (1, -1))
    interrupted = Status.INTERRUPTED.value
    if interrupted in drift:
        drift[interrupted] = max(drift[interrupted], more, fewer, key=abs)
    return drift


def _orders(state: LedgerState, options: SnapshotOptions) -> dict[tuple[str, str], str]:
    """Return the orders of the lists that are read now; an earlier configuration had others."""
    return {
        (list_filter.action_type or "", list_filter.status or ""): cursor.order.value
        for list_filter, cursor in state.cursors.items()
        if options.reads(list_filter)
    }


def _ended_row(event: Event) -> EndedAction:
    return EndedAction(
        action_id=event.action_id,
        sim_card_id=event.sim_card_id,
        action_type=event.action_type,
        status=Status(event.status),
        reason=event.reason,
        reason_class=event.reason_class,
        created_at=event.created_at,
        updated_at=event.updated_at,
    )
