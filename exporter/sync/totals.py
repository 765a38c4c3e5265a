"""What the API says that there is: totals by status and action type, one small request each.

They give the gauges a baseline without reading the history, and tell what the ledger misses.
`interrupted` is no filter value: it is what the other statuses leave of the total.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.domain import ENDED_STATUSES, OTHER, Status
from exporter.errors import BadRequestError, InvalidResponseError, UnavailableError
from exporter.ledger.records import ListFilter
from exporter.sync.filters import AccountFilters
from exporter.sync.reader import Reader, gather

Totals = dict[tuple[str, Status], int]
"""Actions by action type and status; what no named type accounts for is `other`."""

FILTERED = (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED)
"""The statuses that the API can filter on."""


async def take_totals(
    reader: Reader, filters: AccountFilters, *, all_types: bool = False
) -> Totals:
    """Ask for the totals of each action type, and of all together where all are covered.

    ``all_types`` counts a type that cannot be told to `other`, instead of judging neither.
    Empty where the API gives no totals: nothing in its document says that it must.
    """
    try:
        return await _take(reader, filters, all_types=all_types)
    except _NoTotalsError:
        return {}


class _NoTotalsError(Exception):
    """The API does not say how many there are."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many actions of one type there are, and how many in each status that was asked for.

    ``strange`` are in a status that nobody knows, by what the ledger has.
    """

    everything: int
    filtered: Mapping[Status, int]
    strange: int

    def less(self, named: Iterable["_Counts"]) -> "_Counts":
        """Return what is left of all together beside the named types."""
        parts = tuple(named)
        return _Counts(
            self.everything - sum(each.everything for each in parts),
            {
                status: max(0, count - sum(each.filtered.get(status, 0) for each in parts))
                for status, count in self.filtered.items()
            },
            max(0, self.strange - sum(each.strange for each in parts)),
        )

    def of(self, status: Status) -> int:
        """Return how many there are in a status; interrupted are what the others leave."""
        if status is not Status.INTERRUPTED:
            return self.filtered.get(status, 0)
        return max(0, self.everything - sum(self.filtered.values()) - self.strange)


async def _take(reader: Reader, filters: AccountFilters, *, all_types: bool) -> Totals:
    wanted = filters.statuses or tuple(Status)
    types = filters.action_types or tuple(reader.ledger.state.types)
    strange = await reader.ledger.in_worker(_strange, reader)
    # All together first: what comes while the types are asked for is then no other type's.
    whole = None if filters.action_types else await _of(reader, None, wanted, strange[""])
    found: dict[str, _Counts] = {}
    skipped = False
    for action_type in types:
        try:
            found[action_type] = await _of(reader, action_type, wanted, strange[action_type])
        except (InvalidResponseError, UnavailableError):
            if whole is None:
                raise
            skipped = True  # not judged; all together were told, so the API is there
    if whole is not None and (all_types or not skipped):
        found[OTHER] = whole.less(tuple(found.values()))
    return {
        (action_type, status): counts.of(status)
        for action_type, counts in found.items()
        for status in wanted
    }


def _strange(reader: Reader) -> Counter[str]:
    """Count those in a status that nobody knows, by type; "" for all."""
    counts: Counter[str] = Counter()
    for row in reader.open_rows(None):
        if row.status != Status.IN_PROGRESS:
            counts.update((reader.ledger.state.label(row.action_type), ""))
    return counts


async def _of(
    reader: Reader, action_type: str | None, wanted: Sequence[Status], strange: int
) -> _Counts:
    """Ask for the totals of one type, None for all together.

    Actions go on while they are counted: asked for in the order that these run through, each is
    in one of the totals at least, so what they leave never shows an interrupted one too many.
    """
    everything = 0
    try:
        if Status.INTERRUPTED in wanted:
            everything = await _total(reader, ListFilter(action_type, None))
            if everything == 0:
                return _Counts(0, {}, 0)
        asked = [each for each in FILTERED if each in wanted or Status.INTERRUPTED in wanted]
        running = [
            await _total(reader, ListFilter(action_type, each))
            for each in asked
            if each not in ENDED_STATUSES
        ]
        ended = [
            _total(reader, ListFilter(action_type, each))
            for each in asked
            if each in ENDED_STATUSES
        ]
        counts = [*running, *await gather(ended)]
    except BadRequestError:
        if action_type is None:
            raise
        # An edition of the API that does not know this type: it has none of it.
        return _Counts(0, {}, 0)
    return _Counts(everything, dict(zip(asked, counts, strict=True)), strange)


async def _total(reader: Reader, list_filter: ListFilter) -> int:
    total = await reader.total(list_filter)
    if total is None:
        raise _NoTotalsError
    return total
