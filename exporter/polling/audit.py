"""The audit: what the ledger knows, compared with the API's own totals.

The difference is exported as it is and corrects the gauges; counters are never corrected, as
they count what was seen.
"""

from exporter.ledger.model import Metric, Scope, SumKey
from exporter.ledger.view import Status
from exporter.polling.baseline import unlisted
from exporter.polling.coverage import Coverage
from exporter.polling.reader import Reader
from exporter.polling.running import relist
from exporter.polling.totals import take_totals, unexplained_sums


def due(audit_at: float | None, *, interval: float, now: float) -> bool:
    """Tell whether an audit is due; one in the future means that the clock was put back."""
    return audit_at is None or not 0 <= now - audit_at < interval


async def audit(reader: Reader, coverage: Coverage, totals: dict[Scope, int | None]) -> None:
    """Compare totals and take the differences into the draft.

    ``totals`` are those that the heads of the listings told in this poll.
    """
    book = reader.ledger.book
    if coverage.running:
        for kind in coverage.types:
            await _audit_running(reader, Scope(kind, None), totals)
    found = await take_totals(
        reader,
        types=coverage.action_types or tuple(book.types),
        whole=not coverage.action_types,
        statuses=coverage.statuses,
        running=reader.running(),
    )
    known = dict(book.sums)
    for key, more in reader.draft.sums.items():
        known[key] = known.get(key, 0) + more
    reader.draft.fixed.update(unexplained_sums(found, known))
    reader.draft.audit_at = reader.draft.now


async def _audit_running(reader: Reader, head: Scope, totals: dict[Scope, int | None]) -> None:
    """Look for what is in progress and not known of: an interrupted action that goes on."""
    label = head.action_type or ""
    total = await reader.total(Scope(head.action_type, Status.IN_PROGRESS))
    if total is None:
        return
    if total != reader.running()[label]:
        listing = reader.listing(head) or unlisted(reader.ledger.book.baseline_at)
        await relist(reader, head, listing, totals.get(head))
    key = SumKey(Metric.UNEXPLAINED, label, Status.IN_PROGRESS)
    reader.draft.fixed[key] = total - reader.running()[label]
