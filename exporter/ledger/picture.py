"""Drawing the immutable view from a book: pure, and the only place that knows what is exported.

Every combination of labels that can be named beforehand is there, zeros included.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import nsmallest

from exporter.ledger.book import LATEST, Book
from exporter.ledger.draft import bucket_name
from exporter.ledger.model import ENTERED, Event, Metric, Order, Row, Scope, SumKey
from exporter.ledger.view import (
    DELAY_BUCKETS,
    DURATION_BUCKETS,
    ENDED,
    OTHER,
    AccountView,
    EndedRow,
    Exemplar,
    Histogram,
    InFlightRow,
    Status,
)


@dataclass(frozen=True, slots=True)
class Frame:
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

    def reads(self, scope: Scope) -> bool:
        """Tell whether new actions are looked for in a list of this scope."""
        if scope.action_type not in (self.action_types or (None,)):
            return False
        if not self.statuses or Status.INTERRUPTED in self.statuses:
            return scope.status is None
        # What is in progress is listed whole: its order is of no use, so it is not found out.
        return scope.status in self.statuses and scope.status is not Status.IN_PROGRESS

    def tells(self, event: Event) -> bool:
        """Tell whether an event is of an action that is exported."""
        return self.shows(event.status) and (
            not self.action_types or event.action_type in self.action_types
        )

    def is_stuck(self, row: Row, now: float) -> bool:
        """Tell whether an open action is in progress for longer than it should be."""
        limit = self.stuck_after.get(row.action_type, self.stuck_after_default)
        return row.status == Status.IN_PROGRESS and now - begun(row) > limit


def begun(row: Row) -> float:
    """Return when an action was created, or first seen where the API does not say."""
    return row.created_at if row.created_at is not None else row.seen_at


def draw(book: Book, frame: Frame, now: float) -> AccountView:
    """Draw the view of a book as it is at ``now``."""
    types = frame.action_types or (*book.types, OTHER)
    running = [
        row
        for row in book.open.values()
        if row.status == Status.IN_PROGRESS and book.label(row.action_type) in types
    ]
    oldest: dict[str, float] = {}
    stuck = dict.fromkeys(types, 0)
    counts = Counter(book.label(row.action_type) for row in running)
    for row in running:
        kind = book.label(row.action_type)
        oldest[kind] = min(oldest.get(kind, begun(row)), begun(row))
        stuck[kind] += frame.is_stuck(row, now)
    in_progress = frame.shows(Status.IN_PROGRESS)
    orders = _orders(book, frame)
    shown = [status for status in ENDED if frame.shows(status)]
    return AccountView(
        name=book.name,
        baselined=book.baseline_at is not None,
        baseline_at=book.baseline_at,
        actions=_gauges(book, frame, types, counts),
        oldest_in_progress=oldest if in_progress else {},
        stuck=stuck if in_progress else {},
        created={kind: book.total(Metric.CREATED, kind) for kind in types},
        completed={
            kind: book.total(Metric.COMPLETED, kind) for kind in types if Status.COMPLETED in shown
        },
        failed=_by_reason(book, frame, types, Status.FAILED),
        interrupted=_by_reason(book, frame, types, Status.INTERRUPTED),
        failed_exemplars=_exemplars(book, Status.FAILED),
        interrupted_exemplars=_exemplars(book, Status.INTERRUPTED),
        durations={
            (kind, status): _histogram(
                book,
                SumKey(Metric.DURATION_BUCKET, kind, f"{status}/"),
                SumKey(Metric.DURATION_SUM, kind, status),
                DURATION_BUCKETS,
            )
            for kind in types
            for status in shown
        },
        detection_delay=_histogram(
            book,
            SumKey(Metric.DELAY_BUCKET, ""),
            SumKey(Metric.DELAY_SUM, ""),
            DELAY_BUCKETS,
        ),
        drift=_drift(book, frame),
        listings=dict.fromkeys(Order, 0) | Counter(orders.values()),
        orders=orders,
        tracked=book.tracked,
        last_audit=book.audit_at or 0.0,
        in_flight=tuple(
            InFlightRow(
                row.id, row.sim_card_id, row.action_type, begun(row), frame.is_stuck(row, now)
            )
            for row in nsmallest(LATEST, running if in_progress else (), key=begun)
        ),
        failures=tuple(_ended_row(event) for event in book.failures if frame.tells(event)),
    )


def empty_view(name: str, frame: Frame) -> AccountView:
    """Draw the view of an account whose state was not read yet: there is nothing to show."""
    view = draw(Book(name, 0, None, None, 0, {}, {}, {}, {}, ()), frame, 0.0)
    return replace(view, readable=False)


def _told(book: Book, frame: Frame) -> list[Status]:
    """Return the statuses of which it is known how many there are: of ended ones by totals only."""
    untold = book.baseline_at is not None and book.audit_at is None
    return [each for each in Status if frame.shows(each) and not (untold and each in ENDED)]


def _gauges(
    book: Book, frame: Frame, types: Iterable[str], running: Mapping[str, int]
) -> dict[tuple[str, str], int]:
    gauges = {}
    told = _told(book, frame)
    for kind in types:
        for status in told:
            known = book.total(Metric.KNOWN, kind, status)
            total = max(0, known + book.total(Metric.UNEXPLAINED, kind, status))
            gauges[kind, status.value] = (
                running.get(kind, 0) if status is Status.IN_PROGRESS else total
            )
        others = book.total(Metric.KNOWN, kind, OTHER)
        if others and not frame.statuses:
            # Statuses that nobody knows: their text is foreign, so it is no label.
            gauges[kind, OTHER] = others
    return gauges


def _by_reason(
    book: Book, frame: Frame, types: Iterable[str], status: Status
) -> dict[tuple[str, str], int]:
    if not frame.shows(status):
        return {}
    metric = ENTERED[status]
    # Classes of an earlier configuration stay: counters are never removed.
    earlier = sorted({key.label for key in book.sums if key.metric is metric})
    classes = dict.fromkeys((*frame.reason_classes, *earlier))
    return {(kind, name): book.total(metric, kind, name) for kind in types for name in classes}


def _exemplars(book: Book, status: Status) -> dict[tuple[str, str], Exemplar]:
    return {
        (key.action_type, key.label): exemplar
        for key, exemplar in book.exemplars.items()
        if key.metric is ENTERED[status]
    }


def _histogram(book: Book, bucket: SumKey, total: SumKey, bounds: tuple[float, ...]) -> Histogram:
    counts = (
        book.total(bucket.metric, bucket.action_type, bucket.label + bucket_name(bounds, index))
        for index in range(len(bounds) + 1)
    )
    return Histogram(tuple(counts), book.sums.get(total, 0.0))


def _drift(book: Book, frame: Frame) -> dict[str, int]:
    drift = {status.value: 0 for status in _told(book, frame)}
    for key, value in book.sums.items():
        if key.metric is Metric.UNEXPLAINED and key.label in drift:
            drift[key.label] += int(value)
    return drift


def _orders(book: Book, frame: Frame) -> dict[tuple[str, str], str]:
    """Return the orders of the lists that are read now; an earlier configuration had others."""
    return {
        (scope.action_type or "", scope.status or ""): listing.order.value
        for scope, listing in book.listings.items()
        if frame.reads(scope)
    }


def _ended_row(event: Event) -> EndedRow:
    return EndedRow(
        action_id=event.action_id,
        sim_card_id=event.sim_card_id,
        action_type=event.action_type,
        status=Status(event.status),
        reason=event.reason,
        reason_class=event.reason_class,
        created_at=event.created_at,
        updated_at=event.updated_at,
    )
