"""How a list is sorted: found out from what it holds. Pure: values in, values out.

The API promises no order, so none is assumed: each page that is read is checked, and one
that contradicts the order found so far is noticed.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from statistics import median

from exporter.domain import Action
from exporter.ledger.records import POSITIONED_ORDERS, SortOrder

TOLERANCE = 2.0
"""Seconds by which neighbours may stand the wrong way round: rows that were committed together."""

CLEAR_MAJORITY = 9
"""How many pairs have to show one direction for each that shows the other: outliers are few."""


def created(actions: Iterable[Action]) -> list[float]:
    """Return when actions were created, leaving out those that do not say."""
    return [action.created_at for action in actions if action.created_at is not None]


def updated(actions: Iterable[Action]) -> list[float]:
    """Return when actions changed last, leaving out those that do not say."""
    return [action.updated_at for action in actions if action.updated_at is not None]


def sort_times(order: SortOrder, actions: Iterable[Action]) -> list[float]:
    """Return the times that a list in this order is sorted by."""
    return updated(actions) if order is SortOrder.UPDATED else created(actions)


def direction(times: Sequence[float]) -> SortOrder | None:
    """Return the order that a sequence of times shows; None where it shows none.

    A single outlier among times that show an order, or among those of a bulk, is ignored.
    """
    falls = sum(later < earlier - TOLERANCE for earlier, later in pairwise(times))
    rises = sum(later > earlier + TOLERANCE for earlier, later in pairwise(times))
    if falls == rises == 1 and len(times) > CLEAR_MAJORITY:
        return _without_outlier(times)
    if not falls and not rises:
        return _slope(times)
    if falls >= CLEAR_MAJORITY * rises:
        return SortOrder.NEWEST
    return SortOrder.OLDEST if rises >= CLEAR_MAJORITY * falls else SortOrder.NONE


def _slope(times: Sequence[float]) -> SortOrder | None:
    """Return the order of times whose neighbours are too close to show one, if they never turn."""
    if len(times) < 2 or abs(times[-1] - times[0]) <= TOLERANCE:  # noqa: PLR2004 - a pair
        return None
    if all(later <= earlier for earlier, later in pairwise(times)):
        return SortOrder.NEWEST
    return SortOrder.OLDEST if all(b >= a for a, b in pairwise(times)) else None


def _without_outlier(times: Sequence[float]) -> SortOrder | None:
    """Return the order of times that turn twice, if leaving one out makes them monotonic."""
    turn = next(i for i, (a, b) in enumerate(pairwise(times)) if abs(b - a) > TOLERANCE)
    for index in (turn, turn + 1):
        rest = [*times[:index], *times[index + 1 :]]
        steps = [later - earlier for earlier, later in pairwise(rest)]
        if all(step <= TOLERANCE for step in steps) or all(step >= -TOLERANCE for step in steps):
            return direction(rest)
    return SortOrder.NONE


def detect_order(
    first_page: Sequence[Action],
    last_page: Sequence[Action],
    *,
    known: SortOrder = SortOrder.NEWEST,
) -> SortOrder:
    """Return the order of a list of which the first and the last page are known.

    Pages that show no order (all created at once, or too few) are taken as in the ``known`` one,
    newest first by default: that is likely, and the next page that contradicts it is noticed.
    """
    order = _shown(created(first_page), created(last_page)) or known
    if (
        order is SortOrder.NONE
        and _shown(updated(first_page), updated(last_page)) is SortOrder.NEWEST
    ):
        return SortOrder.UPDATED
    return order


def oldest_unread(order: SortOrder, kept: Sequence[Action]) -> float:
    """Return a time before which all actions beyond the older end of ``kept`` were created.

    It is as low as can be, and a single outlier does not lower it; inf where it is not known.
    """
    older = kept[:CLEAR_MAJORITY] if order is SortOrder.OLDEST else kept[-CLEAR_MAJORITY:]
    times = sort_times(order, older)
    # What stands beyond was created before these, and so before their last changes, too.
    changes = updated(older)
    return max(median(times), min(changes, default=-inf)) if times else min(changes, default=inf)


def contradicts(order: SortOrder, page: Sequence[Action]) -> bool:
    """Tell whether a page shows another order than this."""
    by_update = direction(updated(page))
    if order is SortOrder.UPDATED:
        return by_update not in {None, SortOrder.NEWEST}
    by_creation = direction(created(page))
    if order is SortOrder.NONE:
        return by_creation in POSITIONED_ORDERS or by_update is SortOrder.NEWEST
    return by_creation not in {None, order}


def _shown(first_page: Sequence[float], last_page: Sequence[float]) -> SortOrder | None:
    """Return the order that the times of both pages show, within each and across."""
    ends = [times[0] for times in (first_page, last_page) if times]
    found = {direction(times) for times in (first_page, last_page, ends)} - {None}
    return SortOrder.NONE if len(found) > 1 else next(iter(found), None)
