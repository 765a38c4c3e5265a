"""The API's totals by status and action type, one small request each.

They give the gauges a baseline without reading the history, and show what the ledger misses.
`interrupted` is no filter value: it is what the other statuses leave of the total.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.domain import ENDED_STATUSES, OTHER, Status
from exporter.errors import BadRequestError, InvalidResponseError, UnavailableError
from exporter.ledger.records import ListFilter
from exporter.sync.context import PollContext
from exporter.sync.fetcher import gather

Totals = dict[tuple[str, Status], int]
"""Actions by action type and status; those of no named type are `other`."""

FILTERED = (Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED)
"""The statuses that the API can filter on."""


async def take_totals(poll: PollContext, *, all_types: bool = False) -> Totals:
    """Ask for the totals of each action type, and of all together where no type is left out.

    A type whose totals cannot be read is left out, and `other` with it; with ``all_types`` it is
    counted as `other`. Empty where the API gives no totals: its specification does not say that it
    must.
    """
    try:
        return await _take(poll, all_types=all_types)
    except _NoTotalsError:
        return {}


class _NoTotalsError(Exception):
    """The API does not say how many there are."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many actions of one type there are, and how many in each status that was asked for.

    ``unknown_status`` is how many are in a status that nobody knows, by the ledger.
    """

    everything: int
    filtered: Mapping[Status, int]
    unknown_status: int

    def less(self, named: Iterable["_Counts"]) -> "_Counts":
        """Return what is left of all together beside the named types."""
        parts = tuple(named)
        return _Counts(
            self.everything - sum(each.everything for each in parts),
            {
                status: max(0, count - sum(each.filtered.get(status, 0) for each in parts))
                for status, count in self.filtered.items()
            },
            max(0, self.unknown_status - sum(each.unknown_status for each in parts)),
        )

    def of(self, status: Status) -> int:
        """Return how many there are in a status; interrupted are what the others leave."""
        if status is not Status.INTERRUPTED:
            return self.filtered.get(status, 0)
        return max(0, self.everything - sum(self.filtered.values()) - self.unknown_status)


async def _take(poll: PollContext, *, all_types: bool) -> Totals:
    filters = poll.filters
    wanted = filters.statuses or tuple(Status)
    types = filters.action_types or tuple(poll.ledger.state.types)
    unknown = await poll.ledger.in_worker(_unknown_statuses, poll)
    # All together first: what is created while the types are asked for then never counts as other.
    whole = None if filters.action_types else await _of(poll, None, wanted, unknown[""])
    found: dict[str, _Counts] = {}
    skipped = False
    for action_type in types:
        try:
            found[action_type] = await _of(poll, action_type, wanted, unknown[action_type])
        except (InvalidResponseError, UnavailableError):
            if whole is None:
                raise
            skipped = True  # the totals of all types were read, so the API is there
    if whole is not None and (all_types or not skipped):
        found[OTHER] = whole.less(tuple(found.values()))
    return {
        (action_type, status): counts.of(status)
        for action_type, counts in found.items()
        for status in wanted
    }


def _unknown_statuses(poll: PollContext) -> Counter[str]:
    """Count the actions in a status that nobody knows, by type; "" for all types."""
    counts: Counter[str] = Counter()
    for row in poll.recorder.open_actions(None):
        if row.status != Status.IN_PROGRESS:
            counts.update((poll.ledger.state.label(row.action_type), ""))
    return counts


async def _of(
    poll: PollContext, action_type: str | None, wanted: Sequence[Status], unknown_status: int
) -> _Counts:
    """Ask for the totals of one type, None for all together.

    Actions change status while they are counted: the totals are asked for in the order in which an
    action passes through the statuses, so each is in one of them at least, and what they leave
    never shows an interrupted one too many.
    """
    everything = 0
    try:
        if Status.INTERRUPTED in wanted:
            everything = await _total(poll, ListFilter(action_type, None))
            if everything == 0:
                return _Counts(0, {}, 0)
        asked = [each for each in FILTERED if each in wanted or Status.INTERRUPTED in wanted]
        running = [
            await _total(poll, ListFilter(action_type, each))
            for each in asked
            if each not in ENDED_STATUSES
        ]
        ended = [
            _total(poll, ListFilter(action_type, each)) for each in asked if each in ENDED_STATUSES
        ]
        counts = [*running, *await gather(ended)]
    except BadRequestError:
        if action_type is None:
            raise
        # This API does not know the type, so it has none of it.
        return _Counts(0, {}, 0)
    return _Counts(everything, dict(zip(asked, counts, strict=True)), unknown_status)


async def _total(poll: PollContext, list_filter: ListFilter) -> int:
    total = await poll.fetcher.total(list_filter)
    if total is None:
        raise _NoTotalsError
    return total
