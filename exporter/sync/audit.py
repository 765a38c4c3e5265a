"""The audit: what the ledger knows, compared with the API's own totals.

Actions go on ending while the totals are asked for, so the account is polled once before and
once after: what the ledger had before, and what it has after, are the bounds of what the API
may have said in between. What lies outside is exported as drift and corrects the gauges;
counters are never corrected, as they count what was seen.
"""

from dataclasses import dataclass

from exporter.domain import OTHER, Status
from exporter.ledger.records import ListCursor, ListFilter, TrackedAction, TypeStatus
from exporter.ledger.state import LedgerCounts
from exporter.sync.baseline import unread_cursor
from exporter.sync.filters import AccountFilters
from exporter.sync.in_flight import FOLLOWED, relist, resolve
from exporter.sync.reader import Reader
from exporter.sync.request_plan import plan_requests
from exporter.sync.sweep import start
from exporter.sync.totals import Totals, take_totals

READ_AGAIN = 2000
"""Interrupted actions that are looked at again at most, the latest first."""

DEAREST = 250
"""Requests that this may cost at most."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Totals that wait to be judged, and what the ledger said before they were taken."""

    totals: Totals
    before: LedgerCounts


def due(audit_at: float | None, *, interval: float, now: float) -> bool:
    """Tell whether an audit is due; one in the future means that the clock was put back."""
    return audit_at is None or not 0 <= now - audit_at < interval


async def begin(reader: Reader, filters: AccountFilters) -> Audit:
    """Take the totals; the account has to be polled once more before they are judged."""
    before = reader.ledger.state.counts_with(reader.unit)
    return Audit(await take_totals(reader, filters), before)


async def conclude(
    reader: Reader, filters: AccountFilters, audit: Audit, totals: dict[ListFilter, int | None]
) -> int:
    """Judge the totals, look for what is missing, and take the rest into the unit of work as drift.

    ``totals`` are those that the heads of the listings told last. Returns how many sweeps were
    begun: for drift that was there at the audit before, too.
    """
    drift = differences(audit, reader.ledger.state.counts_with(reader.unit))
    for action_type in filters.types:
        head = ListFilter(action_type, None)
        mine = {
            status
            for (each, status), n in drift.items()
            if action_type in {None, each} and (n < 0 or (n > 0 and status is Status.IN_PROGRESS))
        }
        cursor = reader.cursor(head) or unread_cursor(None)
        if not filters.unfiltered:
            continue  # all that is in progress was listed just now, and nothing else is asked for
        if Status.IN_PROGRESS in mine:
            # Something goes on that is not known of, or the other way round.
            await relist(reader, head, cursor, totals.get(head))
        if Status.INTERRUPTED in mine:
            await _read_interrupted(reader, head, cursor, totals.get(head))
        strange = await reader.ledger.in_worker(_strange, reader, action_type)
        await resolve(reader, head, cursor, strange[:DEAREST], totals.get(head))
    sweeps = _judge(reader, audit)
    reader.unit.audit_at = reader.unit.now
    return sweeps


def _judge(reader: Reader, audit: Audit) -> int:
    """Take what differs into the unit of work; returns how many sweeps were begun."""
    sweeps = 0
    first = reader.ledger.state.audit_at is None
    after = reader.ledger.state.counts_with(reader.unit)
    for key, count in differences(audit, after).items():
        _, status = key
        if first and status is not Status.IN_PROGRESS:
            reader.unit.adjust_known(key, count)  # no total told of the history until now
            continue
        earlier = reader.ledger.state.drift.get(key, 0)
        lasting = 0
        if status is not Status.IN_PROGRESS and count * earlier > 0:
            lasting = min(count, earlier, key=abs)
        if lasting > 0:
            sweeps += start(reader, key, lasting)
        elif lasting < 0:
            # Fewer than there were: Telnyx forgot some, which is no event.
            reader.unit.adjust_known(key, lasting)
        if (rest := count - min(lasting, 0)) != earlier:
            reader.unit.drift[key] = rest
    return sweeps


def differences(audit: Audit, after: LedgerCounts) -> dict[TypeStatus, int]:
    """Return what the API has beyond what the ledger may have had when it was asked."""
    came = {key: n - audit.before.entered.get(key, 0) for key, n in after.entered.items()}
    found = {}
    for key, total in audit.totals.items():
        action_type, status = key
        first, last = audit.before.known.get(key, 0), after.known.get(key, 0)
        ended = sum(n for (each, _), n in came.items() if each == action_type)
        # What came beyond the difference has left again, and the other way round.
        if status is Status.IN_PROGRESS:
            low, high = first - ended, last + ended
        else:
            low, high = last - came.get(key, 0), first + came.get(key, 0)
        if action_type == OTHER:
            # It is what the named types leave, which were asked for a moment later.
            low -= sum(n for (_, each), n in came.items() if each is status)
        found[key] = total - min(max(total, low), high)
    return found


def _strange(reader: Reader, action_type: str | None) -> list[TrackedAction]:
    """Return the open actions in a status that nobody knows, which no poll follows."""
    return [
        row
        for row in reader.open_rows(action_type)
        if row.status not in FOLLOWED and row.id not in reader.seen
    ]


async def _read_interrupted(
    reader: Reader, head: ListFilter, cursor: ListCursor, total: int | None
) -> None:
    """Look at interrupted actions again: fewer are left than there were, so some went on."""
    rows = await reader.ledger.interrupted(head.action_type, READ_AGAIN)
    wanted = [row for row in rows if row.id not in reader.seen]
    page_limits = reader.page_limits.get(head)
    while (
        plan_requests(wanted, cursor, size=reader.size, total=total, page_limits=page_limits).cost
        > DEAREST
    ):
        wanted = wanted[: len(wanted) // 2]
    await resolve(reader, head, cursor, wanted, total)
