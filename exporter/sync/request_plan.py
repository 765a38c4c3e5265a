"""Which requests to send for actions whose status is not known yet. Pure: values in, values out.

An action can be asked for by its id, or found on the page of the list where it stands. Its
position is counted from the old end of the list, which new actions do not move; a page that holds
two or more of the wanted is cheaper than asking for each of them.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from math import ceil, inf, log2

from exporter.ledger.records import POSITIONED_ORDERS, ListCursor, SortOrder, TrackedAction


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """Which pages of the list to read, and which ids to ask for."""

    pages: tuple[int, ...]
    ids: tuple[str, ...]

    @property
    def cost(self) -> int:
        """How many requests it takes."""
        return len(self.pages) + len(self.ids)


def pages_of(count: int, size: int) -> int:
    """Return how many pages of ``size`` hold ``count`` actions."""
    return ceil(count / size)


def first_position(cursor: ListCursor, *, page: int, size: int, total: int) -> tuple[int, int]:
    """Return the position of a page's first action, and the step to the next one."""
    before = (page - 1) * size
    if cursor.order is SortOrder.OLDEST:
        return cursor.dropped + before + 1, 1
    return cursor.dropped + total - before, -1


def page_at(cursor: ListCursor, *, position: int, size: int, total: int) -> int | None:
    """Return the page that a position stands on; None where there is no such place now."""
    if cursor.order not in POSITIONED_ORDERS:
        return None
    index = position - cursor.dropped - 1
    if cursor.order is SortOrder.NEWEST:
        index = total - 1 - index
    return index // size + 1 if 0 <= index < total else None


def plan_requests(
    wanted: Collection[TrackedAction],
    cursor: ListCursor,
    *,
    size: int,
    total: int | None,
    last_page: int | None = None,
) -> RequestPlan:
    """Plan the cheapest way to learn the status of each of ``wanted``.

    ``total`` is how many actions the list holds now, None where the API does not say.
    ``last_page`` is the last page that the API lets anyone read, None where it refuses none.
    """
    deepest = inf if last_page is None else last_page
    groups: dict[int, list[str]] = defaultdict(list)
    ids: list[str] = []
    for row in wanted:
        page = None
        if row.position is not None and total is not None:
            page = page_at(cursor, position=row.position, size=size, total=total)
        if page is None or page > deepest:
            ids.append(row.id)
        else:
            groups[page].append(row.id)
    for page in [page for page, members in groups.items() if len(members) == 1]:
        ids.extend(groups.pop(page))
    plan = RequestPlan(tuple(sorted(groups)), tuple(ids))
    if total is not None and pages_of(total, size) < min(plan.cost, deepest + 1):
        return RequestPlan(tuple(range(1, pages_of(total, size) + 1)), ())
    return plan


def list_is_cheaper(plan: RequestPlan, *, running: int, size: int) -> bool:
    """Tell whether listing all ``running`` actions in progress takes fewer requests than a plan."""
    return plan.cost > max(1, pages_of(running, size))


def rest_of_list_is_cheaper(plan: RequestPlan, *, departed: int, running: int, size: int) -> bool:
    """Tell whether to list on, after the first page said how many are in progress.

    At least ``departed`` have left: each of them costs one request more, or all of them together
    what the plan costs.
    """
    rest = pages_of(running, size) - 1
    return rest + min(departed, plan.cost) < plan.cost


def worth_searching(wanted: int, *, size: int, total: int | None) -> bool:
    """Tell whether so many actions without a position are worth a search in the list.

    A search costs some log2(pages) requests before it finds anything.
    """
    return total is not None and wanted > 2 * log2(pages_of(total, size) + 2) + 2
