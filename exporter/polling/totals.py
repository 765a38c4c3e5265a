"""What the API says that there is: totals by status and action type, one small request each.

They give the gauges a baseline without reading the history, and tell what the ledger misses.
`interrupted` is no filter value: it is what the other statuses leave of the total.
"""

from collections.abc import Mapping, Sequence

from exporter.errors import BadRequestError, InvalidResponseError
from exporter.ledger.model import Metric, Scope, SumKey
from exporter.ledger.view import OTHER, Status
from exporter.polling.reader import Reader, gather

Totals = dict[tuple[str, Status], int]
"""Actions by action type and status; what no named type accounts for is `other`."""

FILTERED = (Status.COMPLETED, Status.FAILED)
"""The statuses of ended actions that the API can filter on."""


async def take_totals(
    reader: Reader,
    *,
    types: Sequence[str],
    whole: bool,
    statuses: Sequence[Status],
    running: Mapping[str, int],
) -> Totals:
    """Ask for the totals of each of ``types``, and where ``whole`` of all types together.

    ``statuses`` are those wanted, empty for all; ``running`` is how many of each type are in
    progress, as the ledger knows. Raises InvalidResponseError where the API gives no totals.
    """
    totals: Totals = {}
    asked = [*types, *([None] if whole else [])]
    for kind in asked:
        found = await _of_type(reader, kind, statuses, running.get(kind or "", 0))
        totals.update({(kind or "", status): count for status, count in found.items()})
    if whole:
        for status in Status:
            if ("", status) in totals:
                named = sum(totals.get((kind, status), 0) for kind in types)
                totals[OTHER, status] = max(0, totals.pop(("", status)) - named)
    return totals


async def _of_type(
    reader: Reader, kind: str | None, statuses: Sequence[Status], running: int
) -> dict[Status, int]:
    """Ask for the totals of one type, None for all together."""
    wanted = tuple(statuses) or tuple(Status)
    found: dict[Status, int] = {}
    try:
        everything = 0
        if Status.INTERRUPTED in wanted:
            everything = await _total(reader, Scope(kind, None))
            if everything == 0:
                return dict.fromkeys((s for s in wanted if s is not Status.IN_PROGRESS), 0)
        needed = FILTERED if Status.INTERRUPTED in wanted else [s for s in FILTERED if s in wanted]
        counts = await gather([_total(reader, Scope(kind, status)) for status in needed])
    except BadRequestError:
        # An edition of the API that does not know this type: it has none of it.
        return dict.fromkeys((s for s in wanted if s is not Status.IN_PROGRESS), 0)
    found = dict(zip(needed, counts, strict=True))
    if Status.INTERRUPTED in wanted:
        found[Status.INTERRUPTED] = max(0, everything - sum(counts) - running)
    return {status: count for status, count in found.items() if status in wanted}


async def _total(reader: Reader, scope: Scope) -> int:
    total = await reader.total(scope)
    if total is None:
        raise InvalidResponseError("the API gives no total_results to compare with")
    return total


def baseline_sums(totals: Totals) -> dict[SumKey, float]:
    """Return the known sums that a baseline begins with."""
    return {SumKey(Metric.KNOWN, kind, status): count for (kind, status), count in totals.items()}


def unexplained_sums(totals: Totals, known: Mapping[SumKey, float]) -> dict[SumKey, float]:
    """Return what the API says more than the ledger knows, as sums."""
    return {
        SumKey(Metric.UNEXPLAINED, kind, status): count
        - known.get(SumKey(Metric.KNOWN, kind, status), 0)
        for (kind, status), count in totals.items()
    }
