"""One poll of one account: head, in flight, departures, audit, commit.

It puts the steps in order; each step decides for itself what to ask. A search for what is new
is taken in whole or not at all, as a gap in the middle of a listing would not be found again;
what became of known actions is true one by one.
"""

from collections.abc import Callable

from exporter.clock import Clock
from exporter.errors import PollError
from exporter.ledger.ledger import Ledger
from exporter.ledger.model import Scope
from exporter.polling.audit import begin, conclude, due
from exporter.polling.baseline import baseline, first_look, unlisted
from exporter.polling.coverage import Coverage
from exporter.polling.head import HeadSearch
from exporter.polling.reader import Reader
from exporter.polling.running import follow, relist
from exporter.polling.sweep import go_on
from exporter.telnyx.client import Client


class Cycle:
    """Polls one account, once each `run`; ``audit_interval`` is in seconds."""

    def __init__(
        self,
        *,
        client: Client,
        ledger: Ledger,
        clock: Clock,
        coverage: Coverage,
        audit_interval: float,
        page_size: int,
        concurrency: int,
        on_sweep: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Keep the parts; nothing is asked yet. ``on_sweep`` is told the cause of each sweep."""
        self._client = client
        self._ledger = ledger
        self._clock = clock
        self._coverage = coverage
        self._audit_interval = audit_interval
        self._page_size = page_size
        self._concurrency = concurrency
        self._on_sweep = on_sweep

    async def run(self) -> int:
        """Poll the account, commit and publish; returns how many actions could not be found.

        Raises PollError or StateError. What was committed by then is true, though it is not all
        there is; what is published stays as it was.
        """
        await self._ledger.open(self._clock.now())
        reader = Reader(
            client=self._client,
            ledger=self._ledger,
            clock=self._clock,
            size=self._page_size,
            concurrency=self._concurrency,
        )
        shortfall = 0
        if self._ledger.book.baseline_at is None:
            await baseline(reader, self._coverage)
        else:
            shortfall = await self._poll(reader)
        await self._ledger.note_stuck(reader.draft)
        await reader.commit()
        await self._ledger.publish(self._clock.now())
        return shortfall

    async def _poll(self, reader: Reader) -> int:
        """Find what is new and what became of the known; audit when it is time."""
        totals, shortfall = await self._find_new(reader)
        try:
            await self._follow(reader, totals)
            await go_on(reader, self._coverage)
            book = self._ledger.book
            if due(book.audit_at, interval=self._audit_interval, now=reader.draft.now):
                audit = await begin(reader, self._coverage)
                await reader.commit()
                reader.seen.clear()
                totals, more = await self._find_new(reader)
                shortfall += more
                await self._follow(reader, totals)
                for _ in range(await conclude(reader, self._coverage, audit, totals)):
                    self._on_sweep("drift")
        except PollError:
            await reader.commit()
            raise
        return shortfall

    async def _find_new(self, reader: Reader) -> tuple[dict[Scope, int | None], int]:
        """Search every listing for what is new; returns their totals, and what was not found."""
        totals: dict[Scope, int | None] = {}
        shortfall = 0
        for scope in self._coverage.heads:
            listing = reader.listing(scope)
            if listing is None:  # the configuration asks for it since now
                await first_look(reader, scope)
                continue
            try:
                head = await HeadSearch(reader, scope, listing).run()
            except PollError:
                reader.restart()  # no part of it: a gap would be left behind
                raise
            totals[scope] = head.total
            shortfall += head.shortfall
        return totals, shortfall

    async def _follow(self, reader: Reader, totals: dict[Scope, int | None]) -> None:
        """Learn what became of the actions in progress."""
        for kind in self._coverage.types:
            head = Scope(kind, None)
            if self._coverage.unfiltered:
                await follow(reader, head, totals.get(head))
            elif self._coverage.running:
                await relist(reader, head, unlisted(self._ledger.book.baseline_at), None)
