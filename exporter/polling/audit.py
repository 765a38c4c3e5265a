"""The audit: what the ledger knows, compared with the API's own totals.

Actions go on ending while the totals are asked for, so the account is polled once before and
once after: what the ledger had before, and what it has after, are the bounds of what the API
may have said in between. What lies outside is exported as drift and corrects the gauges;
counters are never corrected, as they count what was seen.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.ledger.model import ENTERED, Listing, Metric, Row, Scope, SumKey
from exporter.ledger.view import OTHER, Status
from exporter.polling.baseline import unlisted
from exporter.polling.coverage import Coverage
from exporter.polling.plan import plan
from exporter.polling.reader import Reader
from exporter.polling.running import FOLLOWED, relist, resolve
from exporter.polling.sweep import explain, start
from exporter.polling.totals import Totals, take_totals

READ_AGAIN = 2000
"""Interrupted actions that are looked at again at most, the latest first."""

DEAREST = 250
"""Requests that this may cost at most."""

Counts = Mapping[tuple[str, Status], int]
"""Actions under the keys of totals."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says at one instant: how many it knows, how often each status was entered."""

    known: Counts
    entered: Counts


@dataclass(frozen=True, slots=True)
class Audit:
    """Totals that wait to be judged, and what the ledger said before they were taken."""

    totals: Totals
    before: Books


def due(audit_at: float | None, *, interval: float, now: float) -> bool:
    """Tell whether an audit is due; one in the future means that the clock was put back."""
    return audit_at is None or not 0 <= now - audit_at < interval


async def begin(reader: Reader, coverage: Coverage) -> Audit:
    """Take the totals; the account has to be polled once more before they are judged."""
    before = _books(reader)
    return Audit(await take_totals(reader, coverage), before)


async def conclude(
    reader: Reader, coverage: Coverage, audit: Audit, totals: dict[Scope, int | None]
) -> int:
    """Judge the totals, look for what is missing, and take the rest into the draft as drift.

    ``totals`` are those that the heads of the listings told last. Returns how many sweeps were
    begun: for drift that was there at the audit before, too.
    """
    drift = differences(audit, _books(reader))
    for kind in coverage.types:
        head = Scope(kind, None)
        mine = {
            status
            for (each, status), n in drift.items()
            if kind in {None, each} and (n < 0 or (n > 0 and status is Status.IN_PROGRESS))
        }
        listing = reader.listing(head) or unlisted(None)
        if not coverage.unfiltered:
            continue  # all that is in progress was listed just now, and nothing else is asked for
        if Status.IN_PROGRESS in mine:
            # Something goes on that is not known of, or the other way round.
            await relist(reader, head, listing, totals.get(head))
        if Status.INTERRUPTED in mine:
            await _read_interrupted(reader, head, listing, totals.get(head))
        strange = await reader.ledger.in_worker(_strange, reader, kind)
        await resolve(reader, head, listing, strange[:DEAREST], totals.get(head))
    sweeps = _judge(reader, audit)
    reader.draft.audit_at = reader.draft.now
    return sweeps


def _judge(reader: Reader, audit: Audit) -> int:
    """Take what differs into the draft; returns how many sweeps were begun."""
    sweeps = 0
    first = reader.ledger.book.audit_at is None
    for (kind, status), count in differences(audit, _books(reader)).items():
        key = SumKey(Metric.UNEXPLAINED, kind, status)
        if first and status is not Status.IN_PROGRESS:
            explain(reader, kind, status, count)  # no total told of the history until now
            continue
        earlier = int(reader.ledger.book.sums.get(key, 0))
        lasting = 0
        if status is not Status.IN_PROGRESS and count * earlier > 0:
            lasting = min(count, earlier, key=abs)
        if lasting > 0:
            sweeps += start(reader, kind, status, lasting)
        elif lasting < 0:
            # Fewer than there were: Telnyx forgot some, which is no event.
            explain(reader, kind, status, lasting)
        if (rest := count - min(lasting, 0)) != earlier:
            reader.draft.fixed[key] = rest
    return sweeps


def differences(audit: Audit, after: Books) -> dict[tuple[str, Status], int]:
    """Return what the API has beyond what the ledger may have had when it was asked."""
    came = {key: n - audit.before.entered.get(key, 0) for key, n in after.entered.items()}
    found = {}
    for key, total in audit.totals.items():
        kind, status = key
        first, last = audit.before.known.get(key, 0), after.known.get(key, 0)
        ended = sum(n for (each, _), n in came.items() if each == kind)
        # What came beyond the difference has left again, and the other way round.
        if status is Status.IN_PROGRESS:
            low, high = first - ended, last + ended
        else:
            low, high = last - came.get(key, 0), first + came.get(key, 0)
        if kind == OTHER:
            # It is what the named types leave, which were asked for a moment later.
            low -= sum(n for (_, each), n in came.items() if each is status)
        found[key] = total - min(max(total, low), high)
    return found


def _strange(reader: Reader, kind: str | None) -> list[Row]:
    """Return the open actions in a status that nobody knows, which no poll follows."""
    return [
        row
        for row in reader.open_rows(kind)
        if row.status not in FOLLOWED and row.id not in reader.seen
    ]


async def _read_interrupted(
    reader: Reader, head: Scope, listing: Listing, total: int | None
) -> None:
    """Look at interrupted actions again: fewer are left than there were, so some went on."""
    rows = await reader.ledger.interrupted(head.action_type, READ_AGAIN)
    wanted = [row for row in rows if row.id not in reader.seen]
    reach = reader.reach.get(head)
    while plan(wanted, listing, size=reader.size, total=total, reach=reach).cost > DEAREST:
        wanted = wanted[: len(wanted) // 2]
    await resolve(reader, head, listing, wanted, total)


def _books(reader: Reader) -> Books:
    """Return what the ledger says, the present unit of work included."""
    book, draft = reader.ledger.book, reader.draft
    metrics = {metric: status for status, metric in ENTERED.items()}
    known: Counter[tuple[str, Status]] = Counter()
    entered: Counter[tuple[str, Status]] = Counter()
    for key in book.sums.keys() | draft.sums.keys():
        count = int(book.sums.get(key, 0)) + draft.sums.get(key, 0)
        kind = key.action_type if key.action_type in book.types else OTHER
        if key.metric in metrics:
            entered[kind, metrics[key.metric]] += count
        elif key.metric is Metric.KNOWN and key.label in tuple(Status):
            known[kind, Status(key.label)] += count
    return Books(known, entered)
