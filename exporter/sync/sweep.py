"""The sweep: reading again what drifted, until what the totals promise is found.

It runs in the background of normal polls, a few pages each, and goes on after a restart. What
it cannot find is history that changed or vanished unseen: it is accounted for as it is.
"""

from exporter.domain import OTHER, Status
from exporter.errors import InvalidResponseError, UnavailableError
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, SumKey, SumName
from exporter.sync.baseline import unread_cursor
from exporter.sync.filters import AccountFilters
from exporter.sync.list_ends import both_ends
from exporter.sync.reader import PageRead, Reader
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import TOLERANCE, sort_times

PAGES = 20
"""Pages that all sweeps of an account read in one poll at most."""


def start(reader: Reader, action_type: str, status: Status, missing: int) -> bool:
    """Begin to look for ``missing`` actions of one type and status, unless that goes on."""
    if reader.ledger.state.sums.get(SumKey(SumName.SWEEP_PAGE, action_type, status)):
        return False
    reader.unit.fixed[SumKey(SumName.SWEEP_PAGE, action_type, status)] = 1
    reader.unit.fixed[SumKey(SumName.SWEEP_MISSING, action_type, status)] = missing
    return True


def explain(reader: Reader, action_type: str, status: Status, count: int) -> None:
    """Account for a difference for which there is no event: history changed or vanished."""
    reader.unit.sums[SumKey(SumName.KNOWN, action_type, status)] += count


async def go_on(reader: Reader, filters: AccountFilters) -> tuple[str, ...]:
    """Read on where sweeps are, a few pages in all; returns why some were given up.

    Nothing else waits for what a sweep finds, so a list that is not answered ends its sweep alone:
    if the difference stays, an audit begins another.
    """
    failed = []
    state = reader.ledger.state
    running = [
        (key, int(page))
        for key, page in state.sums.items()
        if key.metric is SumName.SWEEP_PAGE and page > 0
    ]
    left = PAGES
    for key, page in running:
        if left <= 0:
            break
        try:
            left -= await _read(reader, filters, key, page, left)
        except (InvalidResponseError, UnavailableError) as exc:
            failed.append(f"{key.action_type}, {key.label}: {exc}")
            reader.unit.fixed[key] = 0
            reader.unit.fixed[key._replace(metric=SumName.SWEEP_MISSING)] = 0
    return tuple(failed)


async def _read(reader: Reader, filters: AccountFilters, key: SumKey, page: int, most: int) -> int:
    """Read at most ``most`` pages of one sweep; returns how many it were."""
    action_type = None if key.action_type == OTHER else key.action_type
    status = Status(key.label)
    list_filter = ListFilter(action_type, None if status is Status.INTERRUPTED else status)
    head = ListFilter(action_type if filters.action_types else None, None)
    cursor = (
        reader.cursor(head)
        or reader.cursor(head._replace(status=status))
        or unread_cursor(reader.ledger.state.baseline_at)
    )
    gap = key._replace(metric=SumName.SWEEP_MISSING)
    known = key._replace(metric=SumName.KNOWN)
    drift = key._replace(metric=SumName.UNEXPLAINED)
    missing = int(reader.ledger.state.sums.get(gap, 0))
    before = reader.unit.sums[known]
    from_end = cursor.order is SortOrder.OLDEST
    end = (await both_ends(reader, list_filter)).last if from_end else 0
    read, last = 0, False
    while read < most and not last and reader.unit.sums[known] - before < missing:
        (page_read,) = await reader.read(
            list_filter, [max(1, end + 1 - page) if from_end else page], cursor
        )
        page, read = page + 1, read + 1
        if reader.refuses(list_filter, page_read.number):
            raise InvalidResponseError(f"the API refuses its page {page_read.number}")
        last = _is_last(page_read, cursor, reader)
    found = reader.unit.sums[known] - before
    missing = max(0, missing - found)
    if last and missing:
        explain(reader, key.action_type, status, missing)
    if settled := int(reader.unit.sums[known] - before):
        # It is known now, and no more what the gauges have to be corrected by.
        drifted = int(reader.ledger.state.sums.get(drift, 0))
        reader.unit.fixed[drift] = drifted - min(settled, max(0, drifted))
    done = last or missing == 0
    reader.unit.fixed[key] = 0 if done else page
    reader.unit.fixed[gap] = 0 if done else missing
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
