"""What the API says that there is: totals by status and action type, one small request each.

They give the gauges a baseline without reading the history, and tell what the ledger misses.
`interrupted` is no filter value: it is what the other statuses leave of the total.
"""

from collections import Counter
from collections.abc import Sequence

from exporter.errors import BadRequestError, InvalidResponseError, UnavailableError
from exporter.ledger.model import Scope
from exporter.ledger.view import OTHER, Status
from exporter.polling.coverage import Coverage
from exporter.polling.reader import Reader, gather

Totals = dict[tuple[str, Status], int]
"""Actions by action type and status; what no named type accounts for is `other`."""

FILTERED = (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED)
"""The statuses that the API can filter on."""


async def take_totals(reader: Reader, coverage: Coverage, *, listed: bool = False) -> Totals:
    """Ask for the totals of each action type, and of all together where all are covered.

    ``listed`` says that what is in progress was just listed whole: it is not asked for again.
    Empty where the API gives no totals: nothing in its document says that it must.
    """
    try:
        return await _take(reader, coverage, listed=listed)
    except _NoTotalsError:
        return {}


class _NoTotalsError(Exception):
    """The API does not say how many there are."""


async def _take(reader: Reader, coverage: Coverage, *, listed: bool) -> Totals:
    wanted = coverage.statuses or tuple(Status)
    types = coverage.action_types or tuple(reader.ledger.book.types)
    running, strange = await reader.ledger.in_worker(_open, reader)

    async def ask(kind: str | None) -> dict[Status, int]:
        known = running[kind or ""] if listed else None
        return await _of_type(reader, kind, wanted, running=known, strange=strange[kind or ""])

    # All together first: what ends while the types are asked for is then no other type's.
    whole = {} if coverage.action_types else await ask(None)
    totals: Totals = {}
    skipped: set[str] = set()
    for kind in types:
        try:
            found = await ask(kind)
        except (InvalidResponseError, UnavailableError):
            if not whole:
                raise
            skipped.add(kind)
            continue  # not judged; all together were told, so the API is there
        totals.update({(kind, status): count for status, count in found.items()})
    if skipped and not listed:
        return totals
    for status, count in whole.items():
        named = sum(totals.get((kind, status), 0) for kind in types)
        totals[OTHER, status] = max(0, count - named)
    return totals


def _open(reader: Reader) -> tuple[Counter[str], Counter[str]]:
    """Count those in progress, and those in a status that nobody knows, by type; "" for all."""
    running: Counter[str] = Counter()
    strange: Counter[str] = Counter()
    for row in reader.open_rows(None):
        counts = running if row.status == Status.IN_PROGRESS else strange
        counts.update((reader.ledger.book.label(row.action_type), ""))
    return running, strange


async def _of_type(
    reader: Reader, kind: str | None, wanted: Sequence[Status], *, running: int | None, strange: int
) -> dict[Status, int]:
    """Ask for the totals of one type, None for all together.

    ``running`` is how many are in progress, None to ask; ``strange`` how many are in a status
    that nobody knows, which the total holds too.
    """
    needed = [each for each in FILTERED if each in wanted or Status.INTERRUPTED in wanted]
    found = {} if running is None else {Status.IN_PROGRESS: running}
    asked = [each for each in needed if each not in found]
    try:
        everything = 0
        if Status.INTERRUPTED in wanted:
            everything = await _total(reader, Scope(kind, None))
            if everything == 0:
                return dict.fromkeys(wanted, 0)
        counts = await gather([_total(reader, Scope(kind, status)) for status in asked])
    except BadRequestError:
        if kind is None:
            raise
        # An edition of the API that does not know this type: it has none of it.
        return dict.fromkeys(wanted, 0)
    found.update(zip(asked, counts, strict=True))
    found[Status.INTERRUPTED] = max(0, everything - sum(found.values()) - strange)
    return {status: found.get(status, 0) for status in wanted}


async def _total(reader: Reader, scope: Scope) -> int:
    total = await reader.total(scope)
    if total is None:
        raise _NoTotalsError
    return total
