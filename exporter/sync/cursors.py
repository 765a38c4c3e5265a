"""Where a listing's head ends, and what its total says then. Pure: values in, values out.

A total may lag behind (a replica, a cache), so only a fall that is told twice is believed:
then so many actions vanished from the old end, which is no event.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from exporter.ledger.records import ListCursor, ListFilter, SortOrder


def oldest_new(
    cursor: ListCursor, list_filter: ListFilter, entering: Iterable[float | None]
) -> float:
    """Return the time below which nothing new stands in a listing; -inf where nobody knows.

    ``entering`` is when actions were created that may have entered its status since.
    """
    if list_filter.status is None or cursor.order is SortOrder.UPDATED:
        return -inf if cursor.high_watermark is None else cursor.high_watermark
    # What enters a status stands where it was created: as far back as the oldest open.
    times = (*entering, cursor.high_watermark)
    return min((time for time in times if time is not None), default=-inf)


def confirmed_shrink(cursor: ListCursor, *, last: int | None, total: int | None) -> ListCursor:
    """Return the listing with the fall taken in that the last total told and this one confirms.

    What came since then is missing from ``seen_count``, and is looked for.
    """
    if last is None or total is None or max(last, total) >= cursor.seen_count:
        return cursor
    return _shrunk(cursor, to=last)


def possible_cursors(cursor: ListCursor, total: int | None) -> tuple[ListCursor, ...]:
    """Return the ways in which places may be counted: a fall may be true, or a total behind."""
    if total is None or total >= cursor.seen_count:
        return (cursor,)
    return cursor, _shrunk(cursor, to=total)


def read_to_end(cursor: ListCursor, end: int) -> ListCursor:
    """Return a listing that was read up to its end, where ``end`` actions stand, oldest first."""
    return _shrunk(cursor, to=end)


def reconciled(
    cursor: ListCursor, *, before: int, last: int | None, total: int | None
) -> ListCursor:
    """Return the listing in agreement with its total: what it has more is written off.

    ``before`` is how many were accounted for before the head was read.
    """
    if total is None:
        return cursor
    if total >= cursor.seen_count:
        return replace(cursor, seen_count=total)
    believed = last is not None and last < before
    return _shrunk(cursor, to=total) if believed else cursor


def _shrunk(cursor: ListCursor, *, to: int) -> ListCursor:
    return replace(cursor, seen_count=to, dropped=cursor.dropped + cursor.seen_count - to)
