"""What became of the actions in progress: who still is, who has left, and to which status.

Those that were not seen at the head are resolved by whatever costs the fewest requests: the
list of all in progress, the pages of the listing where they stand, or one request each.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from exporter.ledger.model import PLACED, Listing, Order, Row, Scope
from exporter.ledger.view import Status
from exporter.polling.order import created
from exporter.polling.plan import (
    Plan,
    lists_cheaper,
    lists_on,
    pages_of,
    plan,
    worth_searching,
)
from exporter.polling.reader import Look, Reader
from exporter.polling.settling import fallen_or_not

FOLLOWED = (Status.IN_PROGRESS, "")
"""Statuses of open actions that are followed in each poll; "" where none was told."""


async def follow(reader: Reader, head: Scope, total: int | None) -> None:
    """Learn the status of every open action of the unfiltered listing ``head``.

    ``total`` is how many actions it holds, None where the API does not say.
    """
    listing = reader.listing(head)
    if listing is None:
        return
    # A hundred thousand may be in progress: what goes through all of them runs beside the loop.
    followed = await reader.ledger.in_worker(_followed, reader, head)
    wanted, everything = await reader.ledger.in_worker(
        _planned, reader, head, followed, total, listing
    )
    running = len(followed)
    if not wanted:
        return
    listed = lists_cheaper(everything, running=running, size=reader.size)
    if listed:
        first = await _first_running(reader, head, listing)
        left = first.page.total
        if left is None or lists_on(
            everything, departed=max(0, running - left), running=left, size=reader.size
        ):
            await _rest_running(reader, head, first, listing)
    lost, strays = await _locate(reader, head, listing, wanted, total)
    if (
        listing.order is Order.NEWEST
        and head not in reader.reach
        and worth_searching(strays, size=reader.size, total=total)
    ):
        # They do not stand where they stood: it may be changes that sort the listing.
        reader.reorder(head, Order.UPDATED)
        lost = await _look_at_top(reader, head, listing, lost)
    one_by_one = Plan((), tuple(row.id for row in lost))
    if not listed and lists_cheaper(one_by_one, running=running, size=reader.size):
        await list_running(reader, head, listing)
        lost = _unseen(reader, lost)
    await reader.ask(lost, listing)


async def relist(reader: Reader, head: Scope, listing: Listing, total: int | None) -> None:
    """List all that is in progress, and learn what became of those that are not on the list."""
    left = await _not_listed(reader, head, listing)
    await resolve(reader, head, listing, left, total)


async def follow_listed(reader: Reader, head: Scope, listing: Listing) -> float:
    """List all that is in progress where other listings tell of those that have left.

    What left to a status that is not asked for is not asked for either. One that a page skipped
    as it moved is seen again in the next poll, and goes on. Returns when the oldest of those that
    have left was created: another listing may tell of it from now on.
    """
    left = await _not_listed(reader, head, listing)
    await reader.ledger.in_worker(_vanish, reader, left)
    return min((row.created_at for row in left if row.created_at is not None), default=inf)


async def _not_listed(reader: Reader, head: Scope, listing: Listing) -> Sequence[Row]:
    """List all that is in progress; returns the open actions that are not on the list."""
    reader.seen.clear()
    await list_running(reader, head, listing)
    rows = reader.open_rows(head.action_type)
    return await reader.ledger.in_worker(_unseen, reader, rows)


async def list_running(reader: Reader, head: Scope, listing: Listing) -> int | None:
    """List all that is in progress; returns how many the API says there are."""
    first = await _first_running(reader, head, listing)
    await _rest_running(reader, head, first, listing)
    return first.page.total


async def resolve(
    reader: Reader, head: Scope, listing: Listing, wanted: Sequence[Row], total: int | None
) -> None:
    """Learn the status of each of ``wanted``; one that is still in progress simply stays."""
    lost, _ = await _locate(reader, head, listing, wanted, total)
    await reader.ask(lost, listing)


async def _locate(
    reader: Reader, head: Scope, listing: Listing, wanted: Sequence[Row], total: int | None
) -> tuple[Sequence[Row], int]:
    """Read the pages where ``wanted`` stand; returns those that were not found there.

    And how many of them were to stand on a page, by what was known of their places.
    """
    left, plans = wanted, list[Plan]()
    for guess in fallen_or_not(listing, total):
        left, steps = await reader.ledger.in_worker(_planned, reader, head, left, total, guess)
        plans.append(steps)
        for part in _parts(steps.pages, reader.concurrency):
            await _read(reader, head, part, listing)
        left = _unseen(reader, left)
        if not worth_searching(len(left), size=reader.size, total=total):
            break
    if listing.order in PLACED and total is not None and head not in reader.reach:
        left = await _search(reader, head, listing, left, total)
    return left, len({row.id for row in left}.difference(plans[0].ids))


async def _search(
    reader: Reader, head: Scope, listing: Listing, wanted: Sequence[Row], total: int
) -> Sequence[Row]:
    """Find actions by when they were created; returns those that it is not worth it for."""
    while worth_searching(len(wanted), size=reader.size, total=total):
        before, read = len(wanted), pages_of(total, reader.size).bit_length()
        number = await _page_of_latest(reader, head, listing, wanted, total)
        while number is not None:
            held = len(wanted)
            read += 1
            await _read(reader, head, [number], listing)
            wanted = _unseen(reader, wanted)
            number = _next_older(number, listing, pages_of(total, reader.size))
            if len(wanted) == held:
                break
        if before - len(wanted) < read:
            break  # asking for each of the others is cheaper
    return wanted


async def _look_at_top(
    reader: Reader, head: Scope, listing: Listing, wanted: Sequence[Row]
) -> Sequence[Row]:
    """Read down from the first page while that finds some of ``wanted``; returns the others."""
    number, held = 1, inf
    while 0 < len(wanted) < held:
        held = len(wanted)
        await _read(reader, head, [number], listing)
        wanted = _unseen(reader, wanted)
        number += 1
    return wanted


async def _page_of_latest(
    reader: Reader, head: Scope, listing: Listing, wanted: Sequence[Row], total: int
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
        number = middle if listing.order is Order.NEWEST else pages + 1 - middle
        (look,) = await _read(reader, head, [number], listing)
        found = created(look.page.actions)
        if found and min(found) > max(times):
            low = middle + 1
        else:
            high = middle
    return low if listing.order is Order.NEWEST else pages + 1 - low


def _next_older(number: int, listing: Listing, pages: int) -> int | None:
    if listing.order is Order.NEWEST:
        return number + 1 if number < pages else None
    return number - 1 if number > 1 else None


async def _first_running(reader: Reader, head: Scope, listing: Listing) -> Look:
    scope = Scope(head.action_type, Status.IN_PROGRESS)
    (first,) = await reader.read(scope, [1], listing)
    reader.account(head, first.seen.new)
    await reader.checkpoint(1)
    return first


async def _rest_running(reader: Reader, head: Scope, first: Look, listing: Listing) -> None:
    """Read the list of all in progress to its end, after its first page.

    Where all of them have to be found, its end is where a page is not full, whatever the total is.
    """
    scope = Scope(head.action_type, Status.IN_PROGRESS)
    total = first.page.total
    last = pages_of(total or 0, reader.size)
    look = first
    while look.number < last or (reader.is_full(look.page) and (reader.whole or total is None)):
        above = look
        numbers = range(look.number + 1, max(last, look.number + 1) + 1)
        for look in await reader.read(scope, numbers[: reader.concurrency], listing):
            reader.account(head, look.seen.new)
        await reader.checkpoint(look.number - above.number)
        if look.page.actions[:1] in {(), above.page.actions[:1]}:
            break


async def _read(
    reader: Reader, head: Scope, numbers: Sequence[int], listing: Listing
) -> Sequence[Look]:
    looks = await reader.read(head, numbers, listing)
    for look in looks:
        reader.account(head, look.seen.new)
    await reader.checkpoint(len(looks))
    return looks


def _vanish(reader: Reader, rows: Iterable[Row]) -> None:
    for row in rows:
        reader.draft.vanish(row)


def _followed(reader: Reader, head: Scope) -> list[Row]:
    """Return the actions to follow; statuses that nobody knows are looked at by the audit only."""
    return [row for row in reader.open_rows(head.action_type) if row.status in FOLLOWED]


def _planned(
    reader: Reader,
    head: Scope,
    rows: Sequence[Row],
    total: int | None,
    listing: Listing,
) -> tuple[Sequence[Row], Plan]:
    """Return those that were not seen yet, and the plan to see them."""
    wanted = _unseen(reader, rows)
    reach = reader.reach.get(head)
    return wanted, plan(wanted, listing, size=reader.size, total=total, reach=reach)


def _unseen(reader: Reader, rows: Iterable[Row]) -> Sequence[Row]:
    return [row for row in rows if row.id not in reader.seen]


def _parts(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))
