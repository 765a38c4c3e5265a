"""The first poll of an account: what is there already is history, and counts as nothing.

The history is not read: its totals are asked for, and the end of each list where new actions
appear is remembered action by action, so that what is new can be told from it. What is in progress
is listed whole and tracked, as it counts when it ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from exporter.domain import Action, Status
from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.sync.context import PollContext
from exporter.sync.in_flight import list_in_progress
from exporter.sync.list_ends import ListEnds, both_ends
from exporter.sync.sort_order import oldest_unread, sort_times
from exporter.sync.totals import take_totals
from exporter.telnyx.rate_limit_headers import ROUNDING
from exporter.telnyx.schema import Page

BULK_PAGES = 8
"""Pages that are remembered at most while all on them was created at one time."""

MAX_LISTINGS = 3
"""How often the actions in progress are listed at most, until no page moved meanwhile."""


async def take_baseline(poll: PollContext, lists: Sequence[ListFilter]) -> int:
    """Take the baseline of ``lists`` into the unit of work, which commits nothing on the way.

    Returns how many of the actions in progress could not be found.
    """
    recorder = poll.recorder
    shortfall = 0
    for list_filter in lists:
        if list_filter.status is Status.IN_PROGRESS:
            recorder.set_cursor(list_filter, unread_cursor(None))  # marks that it was begun
        else:
            await _take_list(poll, list_filter)
    action_types = {list_filter.action_type: None for list_filter in lists}
    for action_type in action_types or poll.filters.type_filters:
        shortfall += await _list_in_progress(poll, ListFilter(action_type, None))
    totals = await take_totals(poll, all_types=True)
    for key, count in totals.items():
        if key[1] is not Status.IN_PROGRESS:  # those are known one by one
            recorder.unit.set_known(key, count)
    if totals:
        recorder.unit.audit_at = recorder.unit.now
    return shortfall


async def _list_in_progress(poll: PollContext, list_filter: ListFilter) -> int:
    """List what is in progress, again while pages moved meanwhile; returns how many are missing."""
    cursor = poll.recorder.cursor(list_filter) or unread_cursor(inf)
    if cursor.order is not SortOrder.NONE and cursor.high_watermark is not None:
        # What came after the end of the list was read is new; all before that was there already.
        cursor = replace(cursor, baseline_cutoff=cursor.high_watermark)
    elif cursor.baseline_cutoff is not None:
        # An API clock that is behind must not make new actions of those that were there.
        cutoff = max(cursor.baseline_cutoff, poll.recorder.unit.now)
        cursor = replace(cursor, baseline_cutoff=cutoff)
    missing = 0
    for _ in range(MAX_LISTINGS):
        total = await list_in_progress(poll, list_filter, cursor, all_or_nothing=True)
        missing = (total or 0) - await _count_open(poll, list_filter)
        if missing <= 0:
            return 0
    in_progress = list_filter._replace(status=Status.IN_PROGRESS)
    if in_progress in poll.fetcher.limits.last_pages and list_filter.action_type is None:
        # The list is longer than anyone may read; those of the action types are shorter.
        for action_type in tuple(poll.ledger.state.types):
            await list_in_progress(poll, ListFilter(action_type, None), cursor, all_or_nothing=True)
        missing = (total or 0) - await _count_open(poll, list_filter)
    return max(0, missing)


async def _count_open(poll: PollContext, list_filter: ListFilter) -> int:
    rows = poll.recorder.open_actions(list_filter.action_type)
    return len(await poll.ledger.in_worker(list, rows))


async def _take_list(poll: PollContext, list_filter: ListFilter) -> None:
    """Read the ends of a list: its order, and from when on its actions are known."""
    ends = await both_ends(poll.fetcher, list_filter)
    pages = {1: ends.first_page, ends.last: ends.last_page}
    total = _count(ends, poll.fetcher.page_size)
    if ends.order is not SortOrder.NONE and poll.fetcher.is_full(ends.first_page):
        pages = await _new_end(poll, list_filter, pages, ends.order)
    kept = [action for number in sorted(pages) for action in pages[number].actions]
    times, now = sort_times(ends.order, kept), poll.api_time
    if total <= poll.fetcher.page_size and not poll.fetcher.is_full(ends.first_page):
        baseline_cutoff = None  # all of it is remembered: whatever else turns up is new
    elif ends.order is SortOrder.NONE:
        baseline_cutoff = max([now, *times])  # only the time separates old from new
    else:
        baseline_cutoff = min(now, oldest_unread(ends.order, kept))
    # A time in the future says nothing of the actions that are created until then.
    high_watermark = min(now, max(times)) if times else None
    cursor = ListCursor(
        ends.order,
        total,
        baseline_cutoff,
        high_watermark,
        baseline_time=_baseline_time(poll, ends.new_end[0].actions, ends.order),
    )
    poll.recorder.set_cursor(list_filter, cursor)
    for number, page in pages.items():
        await poll.record_page(list_filter, page, number, cursor, history=True)


def _baseline_time(poll: PollContext, new_end: Sequence[Action], order: SortOrder) -> float | None:
    """Return a time that is certainly before this unit of work, on the clock that stamps actions.

    That is the latest time at the new end of a list, or else the API's time less what is lost in
    rounding; None where neither is known.
    """
    times = (time for each in new_end for time in (each.created_at, each.updated_at))
    stamped = max((time for time in times if time is not None), default=None)
    clock_known = poll.fetcher.clock_offset is not None
    api_time = poll.api_time - (ROUNDING if clock_known else 0.0)
    if order is SortOrder.NONE and clock_known:
        return api_time
    return None if stamped is None else min(stamped, api_time)


def _count(ends: ListEnds, size: int) -> int:
    """Return how many actions a list holds: by what was seen of its end, where that was."""
    if ends.order is SortOrder.OLDEST or ends.first_page.total is None:
        return (ends.last - 1) * size + ends.last_page.length
    return ends.first_page.total


async def _new_end(
    poll: PollContext, list_filter: ListFilter, pages: Mapping[int, Page], order: SortOrder
) -> dict[int, Page]:
    """Return the pages where new actions appear, back to before the latest bulk if it is short."""
    number, step = (max(pages), -1) if order is SortOrder.OLDEST else (1, 1)
    kept = {number: pages[number]}
    while len(kept) < BULK_PAGES:
        times = sort_times(order, (action for page in kept.values() for action in page.actions))
        number += step
        if number < 1 or not times or min(times) < max(times):
            break
        page = await poll.fetcher.page(list_filter, number)
        if not page.actions:
            break
        kept[number] = page
    return kept


def unread_cursor(baseline_cutoff: float | None) -> ListCursor:
    """Return a stand-in for the cursor of a list that is not read, in no order."""
    return ListCursor(SortOrder.NONE, 0, baseline_cutoff)
