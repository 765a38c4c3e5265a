"""The sweep: reading a list that drifted again, until the actions that its total counts are found.

It is spread over normal polls, a few pages each, and goes on after a restart. What it cannot find
is history that changed or vanished unseen: the ledger takes it as known.
"""

from exporter.domain import OTHER, Status
from exporter.errors import InvalidResponseError, UnavailableError
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, Sweep, TypeStatus
from exporter.sync.baseline import unread_cursor
from exporter.sync.context import PageRead, PollContext
from exporter.sync.list_ends import both_ends
from exporter.sync.sort_order import TOLERANCE, sort_times

PAGES_PER_POLL = 20
"""Pages that all sweeps of an account read in one poll at most."""


def start_sweep(poll: PollContext, key: TypeStatus, missing: int) -> bool:
    """Start to look for ``missing`` actions of one type and status.

    Returns False where a sweep of that list is running already.
    """
    if key in poll.ledger.state.sweeps:
        return False
    poll.recorder.unit.sweeps[key] = Sweep(1, missing)
    return True


async def continue_sweeps(poll: PollContext) -> tuple[str, ...]:
    """Read the next pages of each sweep; returns those that were given up, each with the error.

    Nothing else depends on what a sweep finds, so a list that cannot be read ends its own sweep
    only: if the difference stays, an audit starts another.
    """
    failed = []
    left = PAGES_PER_POLL
    for key, sweep in tuple(poll.ledger.state.sweeps.items()):
        if left <= 0:
            break
        try:
            left -= await _read_on(poll, key, sweep, left)
        except (InvalidResponseError, UnavailableError) as exc:
            failed.append(f"{key[0]}, {key[1]}: {exc}")
            poll.recorder.unit.sweeps[key] = None
    return tuple(failed)


async def _read_on(poll: PollContext, key: TypeStatus, sweep: Sweep, most: int) -> int:
    """Read at most ``most`` pages of one sweep; returns how many were read."""
    recorder, fetcher = poll.recorder, poll.fetcher
    type_label, status = key
    action_type = None if type_label == OTHER else type_label
    list_filter = ListFilter(action_type, None if status is Status.INTERRUPTED else status)
    every_status = ListFilter(action_type if poll.filters.action_types else None, None)
    cursor = (
        recorder.cursor(every_status)
        or recorder.cursor(every_status._replace(status=status))
        or unread_cursor(poll.ledger.state.baseline_at)
    )
    before = recorder.unit.known_change(key)
    page, missing = sweep
    from_end = cursor.order is SortOrder.OLDEST
    end = (await both_ends(fetcher, list_filter)).last if from_end else 0
    read, last = 0, False
    while read < most and not last and recorder.unit.known_change(key) - before < missing:
        number = max(1, end + 1 - page) if from_end else page
        (page_read,) = await poll.read(list_filter, [number], cursor)
        page, read = page + 1, read + 1
        if fetcher.refuses(list_filter, number):
            raise InvalidResponseError(f"the API rejects page {number}")
        last = _is_last(poll, page_read, cursor)
    missing = max(0, missing - (recorder.unit.known_change(key) - before))
    if last and missing:
        recorder.unit.adjust_known(key, missing)  # history that changed or vanished unseen
    if found := recorder.unit.known_change(key) - before:
        # The gauges need no correction for what is known now.
        drift = poll.ledger.state.drift.get(key, 0)
        recorder.unit.drift[key] = drift - min(found, max(0, drift))
    recorder.unit.sweeps[key] = None if last or missing == 0 else Sweep(page, missing)
    return read


def _is_last(poll: PollContext, page_read: PageRead, cursor: ListCursor) -> bool:
    """Tell whether nothing that may be an event stands beyond a page: no total alone says so."""
    times = sort_times(cursor.order, page_read.page.actions)
    sorted_from = cursor.baseline_cutoff if cursor.order is not SortOrder.NONE else None
    if sorted_from is not None and times and max(times) < sorted_from - TOLERANCE:
        return True
    if cursor.order is SortOrder.OLDEST:
        return page_read.number == 1
    return poll.fetcher.is_last(page_read.page, page_read.number)
