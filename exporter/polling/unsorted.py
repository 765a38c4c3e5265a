"""Finding what is new in a listing without any order: all of it has to be read.

The totals say how many are new, so of the actions that nobody knows the latest so many are
taken: exact as long as what is new was created after what was there before. What was over before
anyone looked is none of them, whatever a total says.
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

    What was created after the horizon is new whatever the totals are. Of what was created about
    then the latest are, up to so many as are missing, unless the listing moved while it was read.
    """
    latest: list[tuple[float, str]] = []
    held: dict[str, Action] = {}
    read, sure = 0, 0
    moved = False
    horizon = listing.horizon or 0.0
    pages = range(1, pages_of(total, reader.size) + 1)
    for start in range(0, len(pages), reader.concurrency):
        part = pages[start : start + reader.concurrency]
        for page in await gather([reader.fetch(scope, number) for number in part]):
            read += len(page.actions) + page.malformed
            # One that cannot be read may be a new one: then the number is no guide.
            moved = moved or page.total != total or page.malformed > 0
            for action in await reader.take_known(page.actions, listing):
                if action.id in held or _is_old(action, listing):
                    continue  # the listing moved: it stands on two pages; or it is history
                held[action.id] = action
                sure += _time(action) > horizon
                heappush(latest, (_time(action), action.id))
                if len(latest) > max(missing, sure):
                    del held[heappop(latest)[1]]
    if moved or read != total:
        latest = [entry for entry in latest if entry[0] > horizon]
    news = [held[action_id] for _, action_id in sorted(latest)]
    return (await reader.take_new(news, listing)).new


def _is_old(action: Action, listing: Listing) -> bool:
    return listing.cutoff is not None and 0.0 < _time(action) <= listing.cutoff


def _time(action: Action) -> float:
    return action.created_at or action.updated_at or 0.0
