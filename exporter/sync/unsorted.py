"""Finding what is new in a listing without any order: all of it has to be read.

The totals say how many are new, so of the actions that nobody knows the latest so many are
taken: exact as long as what is new was created after what was there before. What was over before
anyone looked is none of them, whatever a total says.
"""

from heapq import heappop, heappush

from exporter.domain import Action
from exporter.ledger.records import ListCursor, ListFilter
from exporter.sync.reader import Reader, gather
from exporter.sync.request_plan import pages_of


async def find_unsorted(
    reader: Reader, list_filter: ListFilter, cursor: ListCursor, missing: int, total: int
) -> int:
    """Find ``missing`` new actions among ``total``; returns how many were found.

    What was created after the baseline cutoff is new whatever the totals are. Of what was created
    about then the latest are, up to so many as are missing, unless the listing moved while it was
    read.
    """
    latest: list[tuple[float, str]] = []
    held: dict[str, Action] = {}
    read, sure = 0, 0
    moved = False
    baseline_cutoff = cursor.baseline_cutoff or 0.0
    pages = range(1, pages_of(total, reader.size) + 1)
    for start in range(0, len(pages), reader.concurrency):
        part = pages[start : start + reader.concurrency]
        for page in await gather([reader.fetch(list_filter, number) for number in part]):
            read += len(page.actions) + page.malformed
            # One that cannot be read may be a new one: then the number is no guide.
            moved = moved or page.total != total or page.malformed > 0
            for action in await reader.take_known(page.actions, cursor):
                if action.id in held or _is_old(action, cursor):
                    continue  # the listing moved: it stands on two pages; or it is history
                held[action.id] = action
                sure += _time(action) > baseline_cutoff
                heappush(latest, (_time(action), action.id))
                if len(latest) > max(missing, sure):
                    del held[heappop(latest)[1]]
    if moved or read != total:
        latest = [entry for entry in latest if entry[0] > baseline_cutoff]
    news = [held[action_id] for _, action_id in sorted(latest)]
    return (await reader.take_new(news, cursor)).new


def _is_old(action: Action, cursor: ListCursor) -> bool:
    return cursor.baseline_time is not None and 0.0 < _time(action) <= cursor.baseline_time


def _time(action: Action) -> float:
    return action.created_at or action.updated_at or 0.0
