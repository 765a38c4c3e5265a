"""The audit: what the ledger knows, compared with the API's own totals.

Actions go on ending while the totals are asked for, so the account is polled once before and
once after: what the ledger knew before, and what it knows after, are the bounds of what the API
may have counted in between. What lies outside is exported as drift and corrects the gauges;
counters are never corrected, as they count what was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.domain import OTHER, Status
from exporter.ledger.records import ListCursor, ListFilter, TrackedAction, TypeStatus
from exporter.ledger.state import LedgerCounts
from exporter.sync.baseline import unread_cursor
from exporter.sync.context import PollContext
from exporter.sync.in_flight import FOLLOWED, relist, resolve
from exporter.sync.request_plan import plan_requests
from exporter.sync.sweep import start_sweep
from exporter.sync.totals import Totals, take_totals

MAX_INTERRUPTED = 2000
"""Interrupted actions that are asked for again at most, the latest first."""

MAX_REQUESTS = 250
"""Requests that this may cost at most; as many actions in an unknown status are asked for."""


@dataclass(frozen=True, slots=True)
class Audit:
    """Totals to be compared, and what the ledger knew before they were taken."""

    totals: Totals
    before: LedgerCounts


def audit_due(audit_at: float | None, *, interval: float, now: float) -> bool:
    """Tell whether an audit is due; a last one in the future means that the clock was put back."""
    return audit_at is None or not 0 <= now - audit_at < interval


async def begin_audit(poll: PollContext) -> Audit:
    """Take the totals; the account has to be polled once more before they are compared."""
    before = poll.ledger.state.counts_with(poll.recorder.unit)
    return Audit(await take_totals(poll), before)


async def conclude_audit(
    poll: PollContext, audit: Audit, totals: Mapping[ListFilter, int | None]
) -> int:
    """Compare the totals, look for what is missing, and record the rest as drift.

    ``totals`` are those that discovery saw last. Returns how many sweeps were started: for
    drift that was there at the audit before, too.
    """
    drift = differences(audit, poll.ledger.state.counts_with(poll.recorder.unit))
    for action_type in poll.filters.type_filters:
        every_status = ListFilter(action_type, None)
        drifted = {
            status
            for (type_label, status), n in drift.items()
            if action_type in {None, type_label}
            and (n < 0 or (n > 0 and status is Status.IN_PROGRESS))
        }
        cursor = poll.recorder.cursor(every_status) or unread_cursor(None)
        if not poll.filters.reads_every_status:
            continue  # all that is in progress was listed just now, and nothing else is asked for
        total = totals.get(every_status)
        if Status.IN_PROGRESS in drifted:
            # Something is in progress that is not known, or the other way round.
            await relist(poll, every_status, cursor, total)
        if Status.INTERRUPTED in drifted:
            await _resolve_interrupted(poll, every_status, cursor, total)
        unknown = await poll.ledger.in_worker(_in_unknown_status, poll, action_type)
        await resolve(poll, every_status, cursor, unknown[:MAX_REQUESTS], total)
    sweeps = _record_drift(poll, audit)
    poll.recorder.unit.audit_at = poll.recorder.unit.now
    return sweeps


def _record_drift(poll: PollContext, audit: Audit) -> int:
    """Record what differs; returns how many sweeps were started."""
    sweeps = 0
    unit = poll.recorder.unit
    first = poll.ledger.state.audit_at is None
    after = poll.ledger.state.counts_with(unit)
    for key, count in differences(audit, after).items():
        _, status = key
        if first and status is not Status.IN_PROGRESS:
            unit.adjust_known(key, count)  # there were no totals of the history until now
            continue
        earlier = poll.ledger.state.drift.get(key, 0)
        lasting = 0
        if status is not Status.IN_PROGRESS and count * earlier > 0:
            lasting = min(count, earlier, key=abs)
        if lasting > 0:
            sweeps += start_sweep(poll, key, lasting)
        elif lasting < 0:
            # Fewer than there were: Telnyx forgot some, which is no event.
            unit.adjust_known(key, lasting)
        if (rest := count - min(lasting, 0)) != earlier:
            unit.drift[key] = rest
    return sweeps


def differences(audit: Audit, after: LedgerCounts) -> dict[TypeStatus, int]:
    """Return what the API counts beyond what the ledger may have known when it was asked."""
    came = {key: n - audit.before.entered.get(key, 0) for key, n in after.entered.items()}
    found = {}
    for key, total in audit.totals.items():
        type_label, status = key
        first, last = audit.before.known.get(key, 0), after.known.get(key, 0)
        ended = sum(n for (each, _), n in came.items() if each == type_label)
        # What came beyond the difference has left again, and the other way round.
        if status is Status.IN_PROGRESS:
            low, high = first - ended, last + ended
        else:
            low, high = last - came.get(key, 0), first + came.get(key, 0)
        if type_label == OTHER:
            # It is what the named types leave, which were asked for a moment later.
            low -= sum(n for (_, each), n in came.items() if each is status)
        found[key] = total - min(max(total, low), high)
    return found


def _in_unknown_status(poll: PollContext, action_type: str | None) -> list[TrackedAction]:
    """Return the open actions in a status that nobody knows, which no poll follows."""
    rows = poll.recorder.open_actions(action_type)
    return poll.recorder.unseen(row for row in rows if row.status not in FOLLOWED)


async def _resolve_interrupted(
    poll: PollContext, list_filter: ListFilter, cursor: ListCursor, total: int | None
) -> None:
    """Ask for interrupted actions again: fewer are left than there were, so some went on."""
    rows = await poll.ledger.interrupted(list_filter.action_type, MAX_INTERRUPTED)
    wanted = poll.recorder.unseen(rows)
    size = poll.fetcher.page_size
    last_page = poll.fetcher.limits.last_pages.get(list_filter)
    while (
        plan_requests(wanted, cursor, size=size, total=total, last_page=last_page).cost
        > MAX_REQUESTS
    ):
        wanted = wanted[: len(wanted) // 2]
    await resolve(poll, list_filter, cursor, wanted, total)
