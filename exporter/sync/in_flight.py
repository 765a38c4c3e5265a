"""What became of the actions in progress: who still is, who has left, and to which status.

Those that were not seen at the head are resolved by whatever costs the fewest requests: the
list of all in progress, the pages of the listing where they stand, or one request each.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from exporter.domain import Status
from exporter.ledger.records import (
    POSITIONED_ORDERS,
    ListCursor,
    ListFilter,
    SortOrder,
    TrackedAction,
)
from exporter.sync.cursors import possible_cursors
from exporter.sync.reader import PageRead, Reader
from exporter.sync.request_plan import (
    RequestPlan,
    lists_cheaper,
    lists_on,
    pages_of,
    plan_requests,
    worth_searching,
)
from exporter.sync.sort_order import created

FOLLOWED = (Status.IN_PROGRESS, "")
"""Statuses of open actions that are followed in each poll; "" where none was told."""


async def follow(reader: Reader, head: ListFilter, total: int | None) -> None:
    """Learn the status of every open action of the unfiltered listing ``head``.

    ``total`` is how many actions it holds, None where the API does not say.
    """
    cursor = reader.cursor(head)
    if cursor is None:
        return
    # A hundred thousand may be in progress: what goes through all of them runs beside the loop.
    followed = await reader.ledger.in_worker(_followed, reader, head)
    wanted, everything = await reader.ledger.in_worker(
        _planned, reader, head, followed, total, cursor
    )
    running = len(followed)
    if not wanted:
        return
    listed = lists_cheaper(everything, running=running, size=reader.size)
    if listed:
        first = await _first_running(reader, head, cursor)
        left = first.page.total
        if left is None or lists_on(
            everything, departed=max(0, running - left), running=left, size=reader.size
        ):
            await _rest_running(reader, head, first, cursor)
    lost, strays = await _locate(reader, head, cursor, wanted, total)
    if (
        cursor.order is SortOrder.NEWEST
        and head not in reader.page_limits
        and worth_searching(strays, size=reader.size, total=total)
    ):
        # They do not stand where they stood: it may be changes that sort the listing.
        reader.reorder(head, SortOrder.UPDATED)
        lost = await _look_at_top(reader, head, cursor, lost)
    one_by_one = RequestPlan((), tuple(row.id for row in lost))
    if not listed and lists_cheaper(one_by_one, running=running, size=reader.size):
        await list_in_flight(reader, head, cursor)
        lost = _unseen(reader, lost)
    await reader.ask(lost, cursor)


async def relist(reader: Reader, head: ListFilter, cursor: ListCursor, total: int | None) -> None:
    """List all that is in progress, and learn what became of those that are not on the list."""
    left = await _not_listed(reader, head, cursor)
    await resolve(reader, head, cursor, left, total)


async def follow_listed(reader: Reader, head: ListFilter, cursor: ListCursor) -> float:
    """List all that is in progress where other listings tell of those that have left.

    What left to a status that is not asked for is not asked for either. One that a page skipped
    as it moved is seen again in the next poll, and goes on. Returns when the oldest of those that
    have left was created: another listing may tell of it from now on.
    """
    left = await _not_listed(reader, head, cursor)
    await reader.ledger.in_worker(_mark_gone, reader, left)
    return min((row.created_at for row in left if row.created_at is not None), default=inf)


async def _not_listed(
    reader: Reader, head: ListFilter, cursor: ListCursor
) -> Sequence[TrackedAction]:
    """List all that is in progress; returns the open actions that are not on the list."""
    reader.seen.clear()
    await list_in_flight(reader, head, cursor)
    rows = reader.open_rows(head.action_type)
    return await reader.ledger.in_worker(_unseen, reader, rows)


async def list_in_flight(reader: Reader, head: ListFilter, cursor: ListCursor) -> int | None:
    """List all that is in progress; returns how many the API says there are."""
    first = await _first_running(reader, head, cursor)
    await _rest_running(reader, head, first, cursor)
    return first.page.total


async def resolve(
    reader: Reader,
    head: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int | None,
) -> None:
    """Learn the status of each of ``wanted``; one that is still in progress simply stays."""
    lost, _ = await _locate(reader, head, cursor, wanted, total)
    await reader.ask(lost, cursor)


async def _locate(
    reader: Reader,
    head: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int | None,
) -> tuple[Sequence[TrackedAction], int]:
    """Read the pages where ``wanted`` stand; returns those that were not found there.

    And how many of them were to stand on a page, by what was known of their places.
    """
    left, plans = wanted, list[RequestPlan]()
    for guess in possible_cursors(cursor, total):
        left, steps = await reader.ledger.in_worker(_planned, reader, head, left, total, guess)
        plans.append(steps)
        for part in _parts(steps.pages, reader.concurrency):
            await _read(reader, head, part, cursor)
        left = _unseen(reader, left)
        if not worth_searching(len(left), size=reader.size, total=total):
            break
    if cursor.order in POSITIONED_ORDERS and total is not None and head not in reader.page_limits:
        left = await _search(reader, head, cursor, left, total)
    return left, len({row.id for row in left}.difference(plans[0].ids))


async def _search(
    reader: Reader,
    head: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int,
) -> Sequence[TrackedAction]:
    """Find actions by when they were created; returns those that it is not worth it for."""
    while worth_searching(len(wanted), size=reader.size, total=total):
        before, read = len(wanted), pages_of(total, reader.size).bit_length()
        number = await _page_of_latest(reader, head, cursor, wanted, total)
        while number is not None:
            held = len(wanted)
            read += 1
            await _read(reader, head, [number], cursor)
            wanted = _unseen(reader, wanted)
            number = _next_older(number, cursor, pages_of(total, reader.size))
            if len(wanted) == held:
                break
        if before - len(wanted) < read:
            break  # asking for each of the others is cheaper
    return wanted


async def _look_at_top(
    reader: Reader, head: ListFilter, cursor: ListCursor, wanted: Sequence[TrackedAction]
) -> Sequence[TrackedAction]:
    """Read down from the first page while that finds some of ``wanted``; returns the others."""
    number, held = 1, inf
    while 0 < len(wanted) < held:
        held = len(wanted)
        await _read(reader, head, [number], cursor)
        wanted = _unseen(reader, wanted)
        number += 1
    return wanted


async def _page_of_latest(
    reader: Reader,
    head: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int,
) -> int | None:
    """Find the page where the latest created of ``wanted`` stands, by halving."""
    times = [row.created_at for row in wanted if row.created_at is not None]
    if not times:
        return None
    pages = max(1, pages_of(total, reader.size))
    # Counted from the new end, so that one search serves both orders.
    low, high = 1, pages
    while low < high:
        middle = (low + high) // 2
        number = middle if cursor.order is SortOrder.NEWEST else pages + 1 - middle
        (page_read,) = await _read(reader, head, [number], cursor)
        found = created(page_read.page.actions)
        if found and min(found) > max(times):
            low = middle + 1
        else:
            high = middle
    return low if cursor.order is SortOrder.NEWEST else pages + 1 - low


def _next_older(number: int, cursor: ListCursor, pages: int) -> int | None:
    if cursor.order is SortOrder.NEWEST:
        return number + 1 if number < pages else None
    return number - 1 if number > 1 else None


async def _first_running(reader: Reader, head: ListFilter, cursor: ListCursor) -> PageRead:
    list_filter = ListFilter(head.action_type, Status.IN_PROGRESS)
    (first,) = await reader.read(list_filter, [1], cursor)
    reader.account(head, first.seen.new)
    await reader.checkpoint(1)
    return first


async def _rest_running(
    reader: Reader, head: ListFilter, first: PageRead, cursor: ListCursor
) -> None:
    """Read the list of all in progress to its end, after its first page.

    Where all of them have to be found, its end is where a page is not full, whatever the total is.
    """
    list_filter = ListFilter(head.action_type, Status.IN_PROGRESS)
    total = first.page.total
    last = pages_of(total or 0, reader.size)
    page_read = first
    while page_read.number < last or (
        reader.is_full(page_read.page) and (reader.whole or total is None)
    ):
        above = page_read
        numbers = range(page_read.number + 1, max(last, page_read.number + 1) + 1)
        for page_read in await reader.read(list_filter, numbers[: reader.concurrency], cursor):
            reader.account(head, page_read.seen.new)
        await reader.checkpoint(page_read.number - above.number)
        if page_read.page.actions[:1] in {(), above.page.actions[:1]}:
            break


async def _read(
    reader: Reader, head: ListFilter, numbers: Sequence[int], cursor: ListCursor
) -> Sequence[PageRead]:
    pages_read = await reader.read(head, numbers, cursor)
    for page_read in pages_read:
        reader.account(head, page_read.seen.new)
    await reader.checkpoint(len(pages_read))
    return pages_read


def _mark_gone(reader: Reader, rows: Iterable[TrackedAction]) -> None:
    for row in rows:
        reader.unit.mark_gone(row)


def _followed(reader: Reader, head: ListFilter) -> list[TrackedAction]:
    """Return the actions to follow; statuses that nobody knows are looked at by the audit only."""
    return [row for row in reader.open_rows(head.action_type) if row.status in FOLLOWED]


def _planned(
    reader: Reader,
    head: ListFilter,
    rows: Sequence[TrackedAction],
    total: int | None,
    cursor: ListCursor,
) -> tuple[Sequence[TrackedAction], RequestPlan]:
    """Return those that were not seen yet, and the plan to see them."""
    wanted = _unseen(reader, rows)
    page_limits = reader.page_limits.get(head)
    return wanted, plan_requests(
        wanted, cursor, size=reader.size, total=total, page_limits=page_limits
    )


def _unseen(reader: Reader, rows: Iterable[TrackedAction]) -> Sequence[TrackedAction]:
    return [row for row in rows if row.id not in reader.seen]


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))
