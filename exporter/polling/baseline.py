"""The first poll of an account: what is there already is history, and counts as nothing.

The history is not read: its totals are asked for, and the end of the listing where new actions
appear is remembered one by one, so that what is new can be told from it. What is in progress is
listed whole and tracked, as it counts when it ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

from exporter.ledger.model import Listing, Metric, Order, Scope, SumKey
from exporter.ledger.view import Status
from exporter.polling.coverage import Coverage
from exporter.polling.ends import Ends, both_ends
from exporter.polling.order import oldest_unread, stamps
from exporter.polling.reader import Reader
from exporter.polling.running import list_running
from exporter.polling.totals import take_totals
from exporter.telnyx.wire import Page

BULK_PAGES = 8
"""Pages that are remembered at most while all on them was created at one time."""

LISTINGS = 3
"""How often the actions in progress are listed at most, until no page moved meanwhile."""


async def baseline(reader: Reader, coverage: Coverage, heads: Sequence[Scope]) -> int:
    """Take the first picture of ``heads`` into the draft; all of it or nothing counts.

    Returns how many of those in progress could not be found.
    """
    reader.whole = True
    shortfall = 0
    for scope in heads:
        if scope.status is Status.IN_PROGRESS:
            reader.draft.listings[scope] = unlisted(None)  # a mark that it was begun
        else:
            await first_look(reader, scope)
    for kind in {scope.action_type: None for scope in heads} or coverage.types:
        shortfall += await _list_running(reader, Scope(kind, None))
    totals = await take_totals(reader, coverage, all_types=True)
    reader.draft.fixed.update(
        {
            SumKey(Metric.KNOWN, kind, status): count
            for (kind, status), count in totals.items()
            if status is not Status.IN_PROGRESS  # those are known one by one
        }
    )
    if totals:
        reader.draft.audit_at = reader.draft.now
    reader.whole = False
    return shortfall


async def _list_running(reader: Reader, head: Scope) -> int:
    """List what is in progress, again while a page moved meanwhile; returns how many it misses."""
    listing = reader.listing(head) or unlisted(inf)
    if listing.order is not Order.NONE and listing.frontier is not None:
        # What came after the head was read is new; all before that was there already.
        listing = replace(listing, horizon=listing.frontier)
    elif listing.horizon is not None:
        # A clock there that is behind, or said to be, makes nothing new of what was there.
        listing = replace(listing, horizon=max(listing.horizon, reader.draft.now))
    missing = 0
    for _ in range(LISTINGS):
        total = await list_running(reader, head, listing)
        missing = (total or 0) - await _count_open(reader, head)
        if missing <= 0:
            return 0
    if Scope(head.action_type, Status.IN_PROGRESS) in reader.reach and head.action_type is None:
        # The list is longer than anyone may read; those of the action types are shorter.
        for kind in tuple(reader.ledger.book.types):
            await list_running(reader, Scope(kind, None), listing)
        missing = (total or 0) - await _count_open(reader, head)
    return max(0, missing)


async def _count_open(reader: Reader, head: Scope) -> int:
    rows = reader.open_rows(head.action_type)
    return len(await reader.ledger.in_worker(list, rows))


async def first_look(reader: Reader, scope: Scope) -> None:
    """Read the ends of a listing: its order, and from when on its actions are known."""
    ends = await both_ends(reader, scope)
    pages = {1: ends.first_page, ends.last: ends.last_page}
    total = _count(ends, reader.size)
    if ends.order is not Order.NONE and reader.is_full(ends.first_page):
        pages = await _new_end(reader, scope, pages, ends.order)
    kept = [action for number in sorted(pages) for action in pages[number].actions]
    times, now = stamps(ends.order, kept), reader.time_there()
    if total <= reader.size and not reader.is_full(ends.first_page):
        horizon = None  # all of it is remembered: whatever else turns up is new
    elif ends.order is Order.NONE:
        horizon = max([now, *times])  # only time tells old from new
    else:
        horizon = min(now, oldest_unread(ends.order, kept))
    # One that is dated ahead of its time tells nothing of those that come until then.
    frontier = min(now, max(times)) if times else None
    listing = Listing(
        ends.order,
        total,
        horizon,
        frontier,
        cutoff=reader.cutoff(ends.new_end[0].actions, ends.order),
    )
    reader.draft.listings[scope] = listing
    for number, page in pages.items():
        await reader.take(page, number, listing, placed=scope.status is None, history=True)


def _count(ends: Ends, size: int) -> int:
    """Return how many actions a listing holds: by what was seen of its end, where that was."""
    if ends.order is Order.OLDEST or ends.first_page.total is None:
        return (ends.last - 1) * size + len(ends.last_page.actions) + ends.last_page.malformed
    return ends.first_page.total


async def _new_end(
    reader: Reader, scope: Scope, pages: Mapping[int, Page], order: Order
) -> dict[int, Page]:
    """Return the pages where new actions appear, back to before the latest bulk if it is short."""
    number, step = (max(pages), -1) if order is Order.OLDEST else (1, 1)
    kept = {number: pages[number]}
    while len(kept) < BULK_PAGES:
        times = stamps(order, (action for page in kept.values() for action in page.actions))
        number += step
        if number < 1 or not times or min(times) < max(times):
            break
        page = await reader.fetch(scope, number)
        if not page.actions:
            break
        kept[number] = page
    return kept


def unlisted(horizon: float | None) -> Listing:
    """Return a stand-in for a listing that is not read, in no order."""
    return Listing(Order.NONE, 0, horizon)
