"""What became of the actions in progress: which still are, which have ended, and how.

Those that discovery did not see are looked up by whatever takes the fewest requests: the list of
all in progress, the pages of the list of every status where they stand, or one request each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import TypeVar

from exporter.domain import Action, Status
from exporter.errors import NotFoundError
from exporter.ledger.ledger import PageContext
from exporter.ledger.records import (
    POSITIONED_ORDERS,
    ListCursor,
    ListFilter,
    SortOrder,
    TrackedAction,
)
from exporter.sync.context import PageRead, PollContext
from exporter.sync.cursors import possible_cursors
from exporter.sync.fetcher import FetchResult
from exporter.sync.request_plan import (
    RequestPlan,
    list_is_cheaper,
    pages_of,
    plan_requests,
    rest_of_list_is_cheaper,
    worth_searching,
)
from exporter.sync.sort_order import created

T = TypeVar("T")

FOLLOWED = (Status.IN_PROGRESS, "")
"""Statuses of open actions that are followed in each poll; "" where the API gave none."""


async def follow(poll: PollContext, list_filter: ListFilter, total: int | None) -> None:
    """Learn the status of every open action of a list of every status.

    ``total`` is how many actions the list holds, None where the API does not say.
    """
    cursor = poll.recorder.cursor(list_filter)
    if cursor is None or not (poll.ledger.state.open or poll.recorder.unit.rows):
        return
    # A hundred thousand may be in progress: what goes through all of them runs in the worker.
    running, wanted, plan = await poll.ledger.in_worker(_plan_all, poll, list_filter, total, cursor)
    if not wanted:
        return
    poll.progress.follow(len(wanted), poll.recorder.followed)
    listed = list_is_cheaper(plan, running=running, size=poll.fetcher.page_size)
    if listed:
        first = await _first_in_progress(poll, list_filter, cursor)
        left = first.page.total
        if left is None or rest_of_list_is_cheaper(
            plan, departed=max(0, running - left), running=left, size=poll.fetcher.page_size
        ):
            await _rest_in_progress(poll, list_filter, first, cursor)
    not_found, misplaced = await _locate(poll, list_filter, cursor, wanted, total)
    if (
        cursor.order is SortOrder.NEWEST
        and list_filter not in poll.fetcher.limits.last_pages
        and worth_searching(misplaced, size=poll.fetcher.page_size, total=total)
    ):
        # They do not stand where they stood: it may be changes that sort the list.
        _set_order(poll, list_filter, SortOrder.UPDATED)
        not_found = await _read_from_top(poll, list_filter, cursor, not_found)
    one_by_one = RequestPlan((), tuple(row.id for row in not_found))
    if not listed and list_is_cheaper(one_by_one, running=running, size=poll.fetcher.page_size):
        await list_in_progress(poll, list_filter, cursor)
        not_found = poll.recorder.unseen(not_found)
    await _ask_by_id(poll, not_found, cursor)


async def follow_listed(poll: PollContext, list_filter: ListFilter, cursor: ListCursor) -> float:
    """List all that is in progress where other lists show those that have ended.

    What ended in a status that is not asked for is not asked for either. One that a page skipped
    as it moved is seen again in the next poll, and goes on. Returns when the oldest of those that
    are not listed any more was created: another list may show it from now on.
    """
    left = await _not_listed(poll, list_filter, cursor)
    await poll.ledger.in_worker(_mark_gone, poll, left)
    return min((row.created_at for row in left if row.created_at is not None), default=inf)


async def relist(
    poll: PollContext, list_filter: ListFilter, cursor: ListCursor, total: int | None
) -> None:
    """List all that is in progress, and learn what became of those that are not listed."""
    left = await _not_listed(poll, list_filter, cursor)
    await resolve(poll, list_filter, cursor, left, total)


async def list_in_progress(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    *,
    all_or_nothing: bool = False,
) -> int | None:
    """List all that is in progress; returns how many the API says there are.

    ``all_or_nothing`` commits nothing on the way, and takes no total's word for the end of the
    list.
    """
    first = await _first_in_progress(poll, list_filter, cursor, all_or_nothing=all_or_nothing)
    await _rest_in_progress(poll, list_filter, first, cursor, all_or_nothing=all_or_nothing)
    return first.page.total


async def resolve(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int | None,
) -> None:
    """Learn the status of each of ``wanted``; one that is still in progress simply stays."""
    not_found, _ = await _locate(poll, list_filter, cursor, wanted, total)
    await _ask_by_id(poll, not_found, cursor)


async def _not_listed(
    poll: PollContext, list_filter: ListFilter, cursor: ListCursor
) -> Sequence[TrackedAction]:
    """List all that is in progress; returns the open actions that are not listed."""
    poll.recorder.forget_seen()
    await list_in_progress(poll, list_filter, cursor)
    rows = poll.recorder.open_actions(list_filter.action_type)
    return await poll.ledger.in_worker(poll.recorder.unseen, rows)


async def _locate(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int | None,
) -> tuple[Sequence[TrackedAction], int]:
    """Read the pages where ``wanted`` stand.

    Returns those that were not found, and how many of them were expected on a page, by what was
    known of their positions.
    """
    left, plans = wanted, list[RequestPlan]()
    for guess in possible_cursors(cursor, total):
        left, plan = await poll.ledger.in_worker(_plan, poll, list_filter, left, total, guess)
        plans.append(plan)
        for part in _parts(plan.pages, poll.concurrency):
            await _read(poll, list_filter, part, cursor)
        left = poll.recorder.unseen(left)
        if not worth_searching(len(left), size=poll.fetcher.page_size, total=total):
            break
    if (
        cursor.order in POSITIONED_ORDERS
        and total is not None
        and list_filter not in poll.fetcher.limits.last_pages
    ):
        left = await _search(poll, list_filter, cursor, left, total)
    return left, len({row.id for row in left}.difference(plans[0].ids))


async def _search(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int,
) -> Sequence[TrackedAction]:
    """Find actions by when they were created; returns those that it is not worth it for."""
    while worth_searching(len(wanted), size=poll.fetcher.page_size, total=total):
        before, read = len(wanted), pages_of(total, poll.fetcher.page_size).bit_length()
        number = await _page_of_latest(poll, list_filter, cursor, wanted, total)
        while number is not None:
            held = len(wanted)
            read += 1
            await _read(poll, list_filter, [number], cursor)
            wanted = poll.recorder.unseen(wanted)
            number = _next_older(number, cursor, pages_of(total, poll.fetcher.page_size))
            if len(wanted) == held:
                break
        if before - len(wanted) < read:
            break  # asking for each of the others is cheaper
    return wanted


async def _read_from_top(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
) -> Sequence[TrackedAction]:
    """Read down from the first page while that finds some of ``wanted``; returns the others."""
    number, held = 1, inf
    while 0 < len(wanted) < held:
        held = len(wanted)
        await _read(poll, list_filter, [number], cursor)
        wanted = poll.recorder.unseen(wanted)
        number += 1
    return wanted


async def _page_of_latest(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    wanted: Sequence[TrackedAction],
    total: int,
) -> int | None:
    """Find the page where the latest created of ``wanted`` stands, by bisection."""
    times = [row.created_at for row in wanted if row.created_at is not None]
    if not times:
        return None
    pages = max(1, pages_of(total, poll.fetcher.page_size))
    # Counted from the new end, so that one search serves both orders.
    low, high = 1, pages
    while low < high:
        middle = (low + high) // 2
        number = middle if cursor.order is SortOrder.NEWEST else pages + 1 - middle
        (page_read,) = await _read(poll, list_filter, [number], cursor)
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


async def _first_in_progress(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    *,
    all_or_nothing: bool = False,
) -> PageRead:
    """Read the first page of the list of all in progress."""
    in_progress = list_filter._replace(status=Status.IN_PROGRESS)
    (first,) = await poll.read(in_progress, [1], cursor)
    _count_new(poll, list_filter, first.result.new)
    if not all_or_nothing:
        await poll.checkpoint(1)
    return first


async def _rest_in_progress(
    poll: PollContext,
    list_filter: ListFilter,
    first: PageRead,
    cursor: ListCursor,
    *,
    all_or_nothing: bool = False,
) -> None:
    """Read the list of all in progress to its end, after its first page.

    Where all of them have to be found, it ends with a page that is not full, whatever the total is.
    """
    in_progress = list_filter._replace(status=Status.IN_PROGRESS)
    total = first.page.total
    last = pages_of(total or 0, poll.fetcher.page_size)
    page_read, listed = first, first.page.length
    while page_read.number < last or (
        poll.fetcher.is_full(page_read.page) and (all_or_nothing or total is None)
    ):
        above = page_read
        numbers = range(page_read.number + 1, max(last, page_read.number + 1) + 1)
        for page_read in await poll.read(in_progress, numbers[: poll.concurrency], cursor):
            _count_new(poll, list_filter, page_read.result.new)
            listed += page_read.page.length
        if all_or_nothing:
            poll.progress.note(in_progress, done=listed, left=(total or 0) - listed)
        else:
            await poll.checkpoint(page_read.number - above.number)
        if page_read.page.actions[:1] in {(), above.page.actions[:1]}:
            break


async def _read(
    poll: PollContext, list_filter: ListFilter, numbers: Sequence[int], cursor: ListCursor
) -> Sequence[PageRead]:
    pages_read = await poll.read(list_filter, numbers, cursor)
    for page_read in pages_read:
        _count_new(poll, list_filter, page_read.result.new)
    await poll.checkpoint(len(pages_read))
    return pages_read


async def _ask_by_id(poll: PollContext, rows: Sequence[TrackedAction], cursor: ListCursor) -> None:
    """Ask for single actions; one that the API does not know in two polls in a row is gone.

    One whose answer cannot be used stays as it is; see `Fetcher.actions` for when that raises.
    """
    for part in _parts(rows, poll.concurrency):
        answers = await poll.fetcher.actions([row.id for row in part])
        found = [answer for answer in answers if isinstance(answer, Action)]
        await poll.recorder.record(found, PageContext(cursor))
        for row, answer in zip(part, answers, strict=True):
            poll.recorder.asked_for(row, exists=_exists(answer))
        await poll.checkpoint(len(part))


def _exists(answer: FetchResult) -> bool | None:
    """Tell whether the action that was asked for exists; None where the answer does not tell."""
    if isinstance(answer, Action):
        return True
    return False if isinstance(answer, NotFoundError) else None


def _count_new(poll: PollContext, list_filter: ListFilter, new: int) -> None:
    """Count actions as seen that were new, though discovery did not find them."""
    cursor = poll.recorder.cursor(list_filter)
    if new and cursor is not None:
        poll.recorder.set_cursor(list_filter, replace(cursor, seen_count=cursor.seen_count + new))


def _set_order(poll: PollContext, list_filter: ListFilter, order: SortOrder) -> None:
    """Take a list as sorted like this from now on; the next poll verifies it."""
    if (cursor := poll.recorder.cursor(list_filter)) is not None:
        poll.recorder.set_cursor(list_filter, replace(cursor, order=order))


def _mark_gone(poll: PollContext, rows: Iterable[TrackedAction]) -> None:
    for row in rows:
        poll.recorder.unit.mark_gone(row)


def _plan_all(
    poll: PollContext, list_filter: ListFilter, total: int | None, cursor: ListCursor
) -> tuple[int, Sequence[TrackedAction], RequestPlan]:
    """Return how many actions to follow there are, and the plan as `_plan` does.

    Those in an unknown status are for the audit.
    """
    rows = poll.recorder.open_actions(list_filter.action_type)
    followed = [row for row in rows if row.status in FOLLOWED]
    return len(followed), *_plan(poll, list_filter, followed, total, cursor)


def _plan(
    poll: PollContext,
    list_filter: ListFilter,
    rows: Sequence[TrackedAction],
    total: int | None,
    cursor: ListCursor,
) -> tuple[Sequence[TrackedAction], RequestPlan]:
    """Return those that were not seen yet, and the plan to see them."""
    wanted = poll.recorder.unseen(rows)
    return wanted, plan_requests(
        wanted,
        cursor,
        size=poll.fetcher.page_size,
        total=total,
        last_page=poll.fetcher.limits.last_pages.get(list_filter),
    )


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
