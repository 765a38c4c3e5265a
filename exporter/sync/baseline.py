"""The first poll of an account: what is there already is history, and counts as nothing.

The history is not read: its totals are asked for, and the end of the listing where new actions
appear is remembered one by one, so that what is new can be told from it. What is in progress is
listed whole and tracked, as it counts when it ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from exporter.domain import Status
from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.sync.filters import AccountFilters
from exporter.sync.in_flight import list_in_flight
from exporter.sync.list_ends import ListEnds, both_ends
from exporter.sync.reader import Reader
from exporter.sync.sort_order import oldest_unread, sort_times
from exporter.sync.totals import take_totals
from exporter.telnyx.schema import Page

BULK_PAGES = 8
"""Pages that are remembered at most while all on them was created at one time."""

LISTINGS = 3
"""How often the actions in progress are listed at most, until no page moved meanwhile."""


async def baseline(reader: Reader, filters: AccountFilters, heads: Sequence[ListFilter]) -> int:
    """Take the first picture of ``heads`` into the unit of work; all of it or nothing counts.

    Returns how many of those in progress could not be found.
    """
    reader.whole = True
    shortfall = 0
    for list_filter in heads:
        if list_filter.status is Status.IN_PROGRESS:
            reader.unit.cursors[list_filter] = unread_cursor(None)  # a mark that it was begun
        else:
            await first_look(reader, list_filter)
    for action_type in {list_filter.action_type: None for list_filter in heads} or filters.types:
        shortfall += await _list_running(reader, ListFilter(action_type, None))
    totals = await take_totals(reader, filters, all_types=True)
    for key, count in totals.items():
        if key[1] is not Status.IN_PROGRESS:  # those are known one by one
            reader.unit.set_known(key, count)
    if totals:
        reader.unit.audit_at = reader.unit.now
    reader.whole = False
    return shortfall


async def _list_running(reader: Reader, head: ListFilter) -> int:
    """List what is in progress, again while a page moved meanwhile; returns how many it misses."""
    cursor = reader.cursor(head) or unread_cursor(inf)
    if cursor.order is not SortOrder.NONE and cursor.high_watermark is not None:
        # What came after the head was read is new; all before that was there already.
        cursor = replace(cursor, baseline_cutoff=cursor.high_watermark)
    elif cursor.baseline_cutoff is not None:
        # A clock there that is behind, or said to be, makes nothing new of what was there.
        cursor = replace(cursor, baseline_cutoff=max(cursor.baseline_cutoff, reader.unit.now))
    missing = 0
    for _ in range(LISTINGS):
        total = await list_in_flight(reader, head, cursor)
        missing = (total or 0) - await _count_open(reader, head)
        if missing <= 0:
            return 0
    if (
        ListFilter(head.action_type, Status.IN_PROGRESS) in reader.page_limits
        and head.action_type is None
    ):
        # The list is longer than anyone may read; those of the action types are shorter.
        for action_type in tuple(reader.ledger.state.types):
            await list_in_flight(reader, ListFilter(action_type, None), cursor)
        missing = (total or 0) - await _count_open(reader, head)
    return max(0, missing)


async def _count_open(reader: Reader, head: ListFilter) -> int:
    rows = reader.open_rows(head.action_type)
    return len(await reader.ledger.in_worker(list, rows))


async def first_look(reader: Reader, list_filter: ListFilter) -> None:
    """Read the ends of a listing: its order, and from when on its actions are known."""
    ends = await both_ends(reader, list_filter)
    pages = {1: ends.first_page, ends.last: ends.last_page}
    total = _count(ends, reader.size)
    if ends.order is not SortOrder.NONE and reader.is_full(ends.first_page):
        pages = await _new_end(reader, list_filter, pages, ends.order)
    kept = [action for number in sorted(pages) for action in pages[number].actions]
    times, now = sort_times(ends.order, kept), reader.time_there()
    if total <= reader.size and not reader.is_full(ends.first_page):
        baseline_cutoff = None  # all of it is remembered: whatever else turns up is new
    elif ends.order is SortOrder.NONE:
        baseline_cutoff = max([now, *times])  # only time tells old from new
    else:
        baseline_cutoff = min(now, oldest_unread(ends.order, kept))
    # One that is dated ahead of its time tells nothing of those that come until then.
    high_watermark = min(now, max(times)) if times else None
    cursor = ListCursor(
        ends.order,
        total,
        baseline_cutoff,
        high_watermark,
        baseline_time=reader.baseline_time(ends.new_end[0].actions, ends.order),
    )
    reader.unit.cursors[list_filter] = cursor
    for number, page in pages.items():
        await reader.take(page, number, cursor, placed=list_filter.status is None, history=True)


def _count(ends: ListEnds, size: int) -> int:
    """Return how many actions a listing holds: by what was seen of its end, where that was."""
    if ends.order is SortOrder.OLDEST or ends.first_page.total is None:
        return (ends.last - 1) * size + len(ends.last_page.actions) + ends.last_page.malformed
    return ends.first_page.total


async def _new_end(
    reader: Reader, list_filter: ListFilter, pages: Mapping[int, Page], order: SortOrder
) -> dict[int, Page]:
    """Return the pages where new actions appear, back to before the latest bulk if it is short."""
    number, step = (max(pages), -1) if order is SortOrder.OLDEST else (1, 1)
    kept = {number: pages[number]}
    while len(kept) < BULK_PAGES:
        times = sort_times(order, (action for page in kept.values() for action in page.actions))
        number += step
        if number < 1 or not times or min(times) < max(times):
            break
        page = await reader.fetch(list_filter, number)
        if not page.actions:
            break
        kept[number] = page
    return kept


def unread_cursor(baseline_cutoff: float | None) -> ListCursor:
    """Return a stand-in for a listing that is not read, in no order."""
    return ListCursor(SortOrder.NONE, 0, baseline_cutoff)
