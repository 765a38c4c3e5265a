"""How a cursor changes with what its list's total says. Pure: values in, values out.

A total may lag behind (a replica, a cache), so only a fall that two polls in a row see is believed:
then so many actions vanished from the old end, which is no event.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from exporter.ledger.records import ListCursor, ListFilter, SortOrder


def oldest_new(
    cursor: ListCursor, list_filter: ListFilter, entering: Iterable[float | None]
) -> float:
    """Return the time before which nothing new was created in a list; -inf where nobody knows.

    ``entering`` is when actions were created that may have entered its status since.
    """
    if list_filter.status is None or cursor.order is SortOrder.UPDATED:
        return -inf if cursor.high_watermark is None else cursor.high_watermark
    # What enters a status stands where it was created: as far back as the oldest open.
    times = (*entering, cursor.high_watermark)
    return min((time for time in times if time is not None), default=-inf)


def confirmed_shrink(cursor: ListCursor, *, last: int | None, total: int | None) -> ListCursor:
    """Return the cursor after a fall that the ``last`` total showed and ``total`` confirms.

    What was created since is missing from ``seen_count``, and is searched for.
    """
    if last is None or total is None or max(last, total) >= cursor.seen_count:
        return cursor
    return _shrunk(cursor, to=last)


def possible_cursors(cursor: ListCursor, total: int | None) -> tuple[ListCursor, ...]:
    """Return the cursors that positions may be counted by: a fall is true, or the total lags."""
    if total is None or total >= cursor.seen_count:
        return (cursor,)
    return cursor, _shrunk(cursor, to=total)


def read_to_end(cursor: ListCursor, end: int) -> ListCursor:
    """Return the cursor of a list, oldest first, that was read to its end: it holds ``end``."""
    return _shrunk(cursor, to=end)


def reconciled(
    cursor: ListCursor, *, before: int, last: int | None, total: int | None
) -> ListCursor:
    """Return the cursor in agreement with its list's total: what that counts more is written off.

    ``before`` is how many were seen before this poll, ``last`` the total of the poll before.
    """
    if total is None:
        return cursor
    if total >= cursor.seen_count:
        return replace(cursor, seen_count=total)
    believed = last is not None and last < before
    return _shrunk(cursor, to=total) if believed else cursor


def _shrunk(cursor: ListCursor, *, to: int) -> ListCursor:
    return replace(cursor, seen_count=to, dropped=cursor.dropped + cursor.seen_count - to)
