"""The sweep: reading again what drifted, until what the totals promise is found.

It runs in the background of normal polls, a few pages each, and goes on after a restart. What
it cannot find is history that changed or vanished unseen: it is accounted for as it is.
"""

from exporter.errors import InvalidResponseError, UnavailableError
from exporter.ledger.model import Listing, Metric, Order, Scope, SumKey
from exporter.ledger.view import OTHER, Status
from exporter.polling.baseline import unlisted
from exporter.polling.coverage import Coverage
from exporter.polling.ends import both_ends
from exporter.polling.order import TOLERANCE, stamps
from exporter.polling.plan import pages_of
from exporter.polling.reader import Look, Reader

PAGES = 20
"""Pages that all sweeps of an account read in one poll at most."""


def start(reader: Reader, kind: str, status: Status, missing: int) -> bool:
    """Begin to look for ``missing`` actions of one type and status, unless that goes on."""
    if reader.ledger.book.sums.get(SumKey(Metric.SWEEP_PAGE, kind, status)):
        return False
    reader.draft.fixed[SumKey(Metric.SWEEP_PAGE, kind, status)] = 1
    reader.draft.fixed[SumKey(Metric.SWEEP_MISSING, kind, status)] = missing
    return True


def explain(reader: Reader, kind: str, status: Status, count: int) -> None:
    """Account for a difference for which there is no event: history changed or vanished."""
    reader.draft.sums[SumKey(Metric.KNOWN, kind, status)] += count


async def go_on(reader: Reader, coverage: Coverage) -> tuple[str, ...]:
    """Read on where sweeps are, a few pages in all; returns why some were given up.

    Nothing else waits for what a sweep finds, so a list that is not answered ends its sweep alone:
    if the difference stays, an audit begins another.
    """
    failed = []
    book = reader.ledger.book
    running = [
        (key, int(page))
        for key, page in book.sums.items()
        if key.metric is Metric.SWEEP_PAGE and page > 0
    ]
    left = PAGES
    for key, page in running:
        if left <= 0:
            break
        try:
            left -= await _read(reader, coverage, key, page, left)
        except (InvalidResponseError, UnavailableError) as exc:
            failed.append(f"{key.action_type}, {key.label}: {exc}")
            reader.draft.fixed[key] = 0
            reader.draft.fixed[key._replace(metric=Metric.SWEEP_MISSING)] = 0
    return tuple(failed)


async def _read(reader: Reader, coverage: Coverage, key: SumKey, page: int, most: int) -> int:
    """Read at most ``most`` pages of one sweep; returns how many it were."""
    kind = None if key.action_type == OTHER else key.action_type
    status = Status(key.label)
    scope = Scope(kind, None if status is Status.INTERRUPTED else status)
    head = Scope(kind if coverage.action_types else None, None)
    listing = (
        reader.listing(head)
        or reader.listing(head._replace(status=status))
        or unlisted(reader.ledger.book.baseline_at)
    )
    gap = key._replace(metric=Metric.SWEEP_MISSING)
    known = key._replace(metric=Metric.KNOWN)
    drift = key._replace(metric=Metric.UNEXPLAINED)
    missing = int(reader.ledger.book.sums.get(gap, 0))
    before = reader.draft.sums[known]
    from_end = listing.order is Order.OLDEST
    end = (await both_ends(reader, scope)).last if from_end else 0
    read, last = 0, False
    while read < most and not last and reader.draft.sums[known] - before < missing:
        (look,) = await reader.read(scope, [max(1, end + 1 - page) if from_end else page], listing)
        page, read = page + 1, read + 1
        if reader.refuses(scope, look.number):
            raise InvalidResponseError(f"the API refuses its page {look.number}")
        last = _is_last(look, listing, reader)
    found = reader.draft.sums[known] - before
    missing = max(0, missing - found)
    if last and missing:
        explain(reader, key.action_type, status, missing)
    if settled := int(reader.draft.sums[known] - before):
        # It is known now, and no more what the gauges have to be corrected by.
        drifted = int(reader.ledger.book.sums.get(drift, 0))
        reader.draft.fixed[drift] = drifted - min(settled, max(0, drifted))
    done = last or missing == 0
    reader.draft.fixed[key] = 0 if done else page
    reader.draft.fixed[gap] = 0 if done else missing
    return read


def _is_last(look: Look, listing: Listing, reader: Reader) -> bool:
    """Tell whether nothing that may be an event stands beyond a page: no total alone says so."""
    times = stamps(listing.order, look.page.actions)
    sorted_from = listing.horizon if listing.order is not Order.NONE else None
    if sorted_from is not None and times and max(times) < sorted_from - TOLERANCE:
        return True
    if listing.order is Order.OLDEST:
        return look.number == 1
    promised = look.number < pages_of(look.page.total or 0, reader.size)
    return not reader.is_full(look.page) and not (look.page.actions and promised)
