"""Where a listing's head ends, and what its total says then. Pure: values in, values out.

A total may lag behind (a replica, a cache), so only a fall that is told twice is believed:
then so many actions vanished from the old end, which is no event.
"""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from exporter.ledger.model import Listing, Order, Scope


def lowest(listing: Listing, scope: Scope, entering: Iterable[float | None]) -> float:
    """Return the time below which nothing new stands in a listing; -inf where nobody knows.

    ``entering`` is when actions were created that may have entered its status since.
    """
    if scope.status is None or listing.order is Order.UPDATED:
        return -inf if listing.frontier is None else listing.frontier
    # What enters a status stands where it was created: as far back as the oldest open.
    times = (*entering, listing.frontier)
    return min((time for time in times if time is not None), default=-inf)


def fallen(listing: Listing, *, last: int | None, total: int | None) -> Listing:
    """Return the listing with the fall taken in that the last total told and this one confirms.

    What came since then is missing from ``accounted``, and is looked for.
    """
    if last is None or total is None or max(last, total) >= listing.accounted:
        return listing
    return _shrunk(listing, to=last)


def fallen_or_not(listing: Listing, total: int | None) -> tuple[Listing, ...]:
    """Return the ways in which places may be counted: a fall may be true, or a total behind."""
    if total is None or total >= listing.accounted:
        return (listing,)
    return listing, _shrunk(listing, to=total)


def read_to(listing: Listing, end: int) -> Listing:
    """Return a listing that was read up to its end, where ``end`` actions stand, oldest first."""
    return _shrunk(listing, to=end)


def settled(listing: Listing, *, before: int, last: int | None, total: int | None) -> Listing:
    """Return the listing in agreement with its total: what it has more is written off.

    ``before`` is how many were accounted for before the head was read.
    """
    if total is None:
        return listing
    if total >= listing.accounted:
        return replace(listing, accounted=total)
    believed = last is not None and last < before
    return _shrunk(listing, to=total) if believed else listing


def _shrunk(listing: Listing, *, to: int) -> Listing:
    return replace(listing, accounted=to, pruned=listing.pruned + listing.accounted - to)
