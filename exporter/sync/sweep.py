"""The sweep: reading again what drifted, until what the totals promise is found.

It runs in the background of normal polls, a few pages each, and goes on after a restart. What
it cannot find is history that changed or vanished unseen: it is accounted for as it is.
"""

from exporter.domain import OTHER, Status
from exporter.errors import InvalidResponseError, UnavailableError
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, Sweep, TypeStatus
from exporter.sync.baseline import unread_cursor
from exporter.sync.filters import AccountFilters
from exporter.sync.list_ends import both_ends
from exporter.sync.reader import PageRead, Reader
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import TOLERANCE, sort_times

PAGES = 20
"""Pages that all sweeps of an account read in one poll at most."""


def start(reader: Reader, key: TypeStatus, missing: int) -> bool:
    """Begin to look for ``missing`` actions of one type and status, unless that goes on."""
    if key in reader.ledger.state.sweeps:
        return False
    reader.unit.sweeps[key] = Sweep(1, missing)
    return True


async def go_on(reader: Reader, filters: AccountFilters) -> tuple[str, ...]:
    """Read on where sweeps are, a few pages in all; returns why some were given up.

    Nothing else waits for what a sweep finds, so a list that is not answered ends its sweep alone:
    if the difference stays, an audit begins another.
    """
    failed = []
    left = PAGES
    for key, sweep in tuple(reader.ledger.state.sweeps.items()):
        if left <= 0:
            break
        try:
            left -= await _read(reader, filters, key, sweep, left)
        except (InvalidResponseError, UnavailableError) as exc:
            failed.append(f"{key[0]}, {key[1]}: {exc}")
            reader.unit.sweeps[key] = None
    return tuple(failed)


async def _read(
    reader: Reader, filters: AccountFilters, key: TypeStatus, sweep: Sweep, most: int
) -> int:
    """Read at most ``most`` pages of one sweep; returns how many it were."""
    label, status = key
    action_type = None if label == OTHER else label
    list_filter = ListFilter(action_type, None if status is Status.INTERRUPTED else status)
    head = ListFilter(action_type if filters.action_types else None, None)
    cursor = (
        reader.cursor(head)
        or reader.cursor(head._replace(status=status))
        or unread_cursor(reader.ledger.state.baseline_at)
    )
    before = reader.unit.known_change(key)
    page, missing = sweep
    from_end = cursor.order is SortOrder.OLDEST
    end = (await both_ends(reader, list_filter)).last if from_end else 0
    read, last = 0, False
    while read < most and not last and reader.unit.known_change(key) - before < missing:
        (page_read,) = await reader.read(
            list_filter, [max(1, end + 1 - page) if from_end else page], cursor
        )
        page, read = page + 1, read + 1
        if reader.refuses(list_filter, page_read.number):
            raise InvalidResponseError(f"the API refuses its page {page_read.number}")
        last = _is_last(page_read, cursor, reader)
    missing = max(0, missing - (reader.unit.known_change(key) - before))
    if last and missing:
        reader.unit.adjust_known(key, missing)  # history that changed or vanished unseen
    if accounted := reader.unit.known_change(key) - before:
        # The gauges need no correction for what is known now.
        drift = reader.ledger.state.drift.get(key, 0)
        reader.unit.drift[key] = drift - min(accounted, max(0, drift))
    reader.unit.sweeps[key] = None if last or missing == 0 else Sweep(page, missing)
    return read


def _is_last(page_read: PageRead, cursor: ListCursor, reader: Reader) -> bool:
    """Tell whether nothing that may be an event stands beyond a page: no total alone says so."""
    times = sort_times(cursor.order, page_read.page.actions)
    sorted_from = cursor.baseline_cutoff if cursor.order is not SortOrder.NONE else None
    if sorted_from is not None and times and max(times) < sorted_from - TOLERANCE:
        return True
    if cursor.order is SortOrder.OLDEST:
        return page_read.number == 1
    promised = page_read.number < pages_of(page_read.page.total or 0, reader.size)
    return not reader.is_full(page_read.page) and not (page_read.page.actions and promised)
