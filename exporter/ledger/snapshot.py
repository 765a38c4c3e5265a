"""Building the immutable snapshot of a state. Pure; the only place that knows what is exported.

Every combination of labels that can be named beforehand is there, zeros included.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from heapq import nsmallest

from exporter.domain import (
    ENDED_STATUSES,
    OTHER,
    Event,
    Problem,
    ResolvedProblem,
    SimCard,
    Status,
)
from exporter.ledger.records import (
    DELAY_BUCKETS,
    DURATION_BUCKETS,
    ENTRY_SUMS,
    Exemplar,
    Histogram,
    ListFilter,
    SortOrder,
    SumKey,
    SumName,
    TrackedAction,
)
from exporter.ledger.state import RECENT_FAILURES, LedgerState
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
    ``problems`` are oldest first; ``resolved_problems`` those that were resolved shortly ago, and
    ``sim_cards`` what is known of the SIM cards of both, and of those in ``failures``, by id.
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
    problems: tuple[Problem, ...] = ()
    resolved_problems: tuple[ResolvedProblem, ...] = ()
    sim_cards: Mapping[str, SimCard] = field(default_factory=dict)

    @property
    def totals_unknown(self) -> bool:
        """Tell whether the API never gave a total: how many have ended is not known then."""
        return self.baselined and not self.last_audit


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """What of an account is exported.

    ``action_types`` and ``statuses`` empty: all. ``stuck_after`` and ``stuck_after_default``
    are seconds. ``reason_classes`` are those that may occur.
    """

    action_types: tuple[str, ...]
    statuses: tuple[Status, ...]
    stuck_after: Mapping[str, float]
    stuck_after_default: float
    reason_classes: tuple[str, ...]

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
        return self.shows(event.status) and (
            not self.action_types or event.action_type in self.action_types
        )

    def is_stuck(self, row: TrackedAction, now: float) -> bool:
        """Tell whether an open action is in progress for longer than it should be."""
        limit = self.stuck_after.get(row.action_type, self.stuck_after_default)
        return row.status == Status.IN_PROGRESS and now - started_at(row) > limit


def started_at(row: TrackedAction) -> float:
    """Return when an action was created, or first seen where the API does not say."""
    return row.created_at if row.created_at is not None else row.seen_at


def build(state: LedgerState, options: SnapshotOptions, now: float) -> AccountSnapshot:
    """Build the snapshot of a state as it is at ``now``."""
    types = options.action_types or (*state.types, OTHER)
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
    shown = [status for status in ENDED_STATUSES if options.shows(status)]
    return AccountSnapshot(
        name=state.name,
        baselined=state.baseline_at is not None,
        baseline_at=state.baseline_at,
        actions=_gauges(state, options, types, counts),
        oldest_in_progress=oldest if in_progress else {},
        stuck=stuck if in_progress else {},
        created={type_label: state.total(SumName.CREATED, type_label) for type_label in types},
        completed={
            type_label: state.total(SumName.COMPLETED, type_label)
            for type_label in types
            if Status.COMPLETED in shown
        },
        failed=_by_reason(state, options, types, Status.FAILED),
        interrupted=_by_reason(state, options, types, Status.INTERRUPTED),
        failed_exemplars=_exemplars(state, Status.FAILED),
        interrupted_exemplars=_exemplars(state, Status.INTERRUPTED),
        durations={
            (type_label, status): _histogram(
                state,
                SumKey(SumName.DURATION_BUCKET, type_label, f"{status}/"),
                SumKey(SumName.DURATION_SUM, type_label, status),
                DURATION_BUCKETS,
            )
            for type_label in types
            for status in shown
        },
        detection_delay=_histogram(
            state,
            SumKey(SumName.DELAY_BUCKET, ""),
            SumKey(SumName.DELAY_SUM, ""),
            DELAY_BUCKETS,
        ),
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
    )


def empty_snapshot(name: str, options: SnapshotOptions) -> AccountSnapshot:
    """Build the snapshot of an account whose state was not read yet: there is nothing to show."""
    snapshot = build(LedgerState(name, 0, None, None, 0, {}, {}, {}, {}, {}, {}, ()), options, 0.0)
    return replace(snapshot, readable=False)


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


def _by_reason(
    state: LedgerState, options: SnapshotOptions, types: Iterable[str], status: Status
) -> dict[tuple[str, str], int]:
    if not options.shows(status):
        return {}
    metric = ENTRY_SUMS[status]
    # Classes of an earlier configuration stay: counters are never removed.
    earlier = sorted({key.label for key in state.sums if key.metric is metric})
    classes = dict.fromkeys((*options.reason_classes, *earlier))
    return {
        (type_label, name): state.total(metric, type_label, name)
        for type_label in types
        for name in classes
    }


def _exemplars(state: LedgerState, status: Status) -> dict[tuple[str, str], Exemplar]:
    return {
        (key.action_type, key.label): exemplar
        for key, exemplar in state.exemplars.items()
        if key.metric is ENTRY_SUMS[status]
    }


def _histogram(
    state: LedgerState, bucket: SumKey, total: SumKey, bounds: tuple[float, ...]
) -> Histogram:
    counts = (
        state.total(bucket.metric, bucket.action_type, bucket.label + bucket_name(bounds, index))
        for index in range(len(bounds) + 1)
    )
    return Histogram(tuple(counts), state.sums.get(total, 0.0))


def _drift(state: LedgerState, options: SnapshotOptions) -> dict[str, int]:
    drift = {status.value: 0 for status in _counted_statuses(state, options)}
    for (_, status), difference in state.drift.items():
        if status.value in drift:
            drift[status.value] += difference
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
