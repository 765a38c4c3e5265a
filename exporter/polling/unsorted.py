"""Finding what is new in a listing without any order: all of it has to be read.

The totals say how many are new, so of the actions that nobody knows the latest so many are
taken: exact as long as what is new was created after what was there before.
"""

from heapq import heappop, heappush

from exporter.ledger.model import Listing, Scope
from exporter.polling.plan import pages_of
from exporter.polling.reader import Reader, gather
from exporter.telnyx.wire import Action


async def find_unsorted(
    reader: Reader, scope: Scope, listing: Listing, missing: int, total: int
) -> int:
    """Find ``missing`` new actions among ``total``; returns how many were found.

    Where the listing moved while it was read, only those are taken that are new beyond doubt:
    created after the horizon.
    """
    latest: list[tuple[float, str]] = []
    held: dict[str, Action] = {}
    read = 0
    moved = False
    pages = range(1, pages_of(total, reader.size) + 1)
    for start in range(0, len(pages), reader.concurrency):
        part = pages[start : start + reader.concurrency]
        for page in await gather([reader.fetch(scope, number) for number in part]):
            read += len(page.actions) + page.malformed
            # One that cannot be read may be a new one: then the number is no guide.
            moved = moved or page.total != total or page.malformed > 0
            for action in await reader.take_known(page.actions, listing):
                if action.id in held:
                    continue  # the listing moved: it stands on two pages
                held[action.id] = action
                heappush(latest, (_time(action), action.id))
                if len(latest) > missing:
                    del held[heappop(latest)[1]]
    if moved or read != total:
        floor = listing.horizon or 0.0
        latest = [entry for entry in latest if entry[0] > floor]
    seen = await reader.take_new([held[action_id] for _, action_id in sorted(latest)])
    return seen.new


def _time(action: Action) -> float:
    return action.created_at or action.updated_at or 0.0
