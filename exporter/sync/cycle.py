"""One poll of one account: head, in flight, departures, audit, commit.

It puts the steps in order; each step decides for itself what to ask. A search for what is new
is taken in whole or not at all, as a gap in the middle of a listing would not be found again;
what became of known actions is true one by one.
"""

from collections.abc import Callable

from exporter.clock import Clock
from exporter.errors import PollError
from exporter.ledger.ledger import Ledger
from exporter.ledger.records import ListFilter
from exporter.sync.audit import begin, conclude, due
from exporter.sync.baseline import baseline, unread_cursor
from exporter.sync.discovery import Discovery
from exporter.sync.filters import AccountFilters
from exporter.sync.in_flight import follow, follow_listed
from exporter.sync.reader import Reader
from exporter.sync.sweep import go_on
from exporter.telnyx.client import Client


class Cycle:
    """Polls one account, once each `run`; ``audit_interval`` is in seconds."""

    def __init__(
        self,
        *,
        client: Client,
        ledger: Ledger,
        clock: Clock,
        filters: AccountFilters,
        audit_interval: float,
        page_size: int,
        concurrency: int,
        on_sweep: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Keep the parts; nothing is asked yet. ``on_sweep`` is told the cause of each sweep.

        ``abandoned_sweeps`` are the sweeps that the last poll could not go on with, each with the
        reason.
        """
        self._client = client
        self._ledger = ledger
        self._clock = clock
        self._filters = filters
        self._audit_interval = audit_interval
        self._page_size = page_size
        self._concurrency = concurrency
        self._on_sweep = on_sweep
        self._served: int | None = None
        self._absent: set[str] = set()
        self._page_limits: dict[ListFilter, int] = {}
        self._totals: dict[ListFilter, int | None] = {}
        self._floors: dict[str | None, float] = {}
        self.abandoned_sweeps: tuple[str, ...] = ()

    @property
    def totals_unknown(self) -> bool:
        """Tell whether the API told no total of any listing in the last poll."""
        told = self._totals.values()
        return bool(told) and all(total is None for total in told)

    async def run(self) -> int:
        """Poll the account, commit and publish; returns how many actions could not be found.

        Raises PollError or StateError. What was committed by then is true, though it is not all
        there is; what is published stays as it was.
        """
        self.abandoned_sweeps = ()
        await self._ledger.open(self._clock.now())
        reader = Reader(
            client=self._client,
            ledger=self._ledger,
            clock=self._clock,
            size=self._page_size,
            concurrency=self._concurrency,
            served=self._served,
            absent=self._absent,
            # A refusal is believed until the next audit, unless a poll cannot go on for it.
            page_limits=self._page_limits,
        )
        self._page_limits = {}
        try:
            shortfall = await self._run(reader)
            self._page_limits = reader.page_limits
            return shortfall
        finally:
            self._served = reader.size
            self._absent = (self._absent - reader.found) | reader.missing

    async def _run(self, reader: Reader) -> int:
        heads = self._filters.begun
        first = self._ledger.state.baseline_at is None
        if first:
            reader.unit.baseline_at = reader.unit.now
        shortfall = 0
        new = [list_filter for list_filter in heads if first or reader.cursor(list_filter) is None]
        if first or new:  # an account, or what the configuration asks for since now
            shortfall = await baseline(reader, self._filters, new)
            await self._publish(reader)
        if not first:
            totals, missing = await self._poll(reader)
            shortfall += missing
            await self._publish(reader)
            if not totals or any(total is not None for total in totals.values()):
                shortfall += await self._audit(reader, force=bool(new))
        return shortfall

    async def _publish(self, reader: Reader) -> None:
        """Commit the unit of work, and publish what is committed."""
        await self._ledger.note_stuck(reader.unit)
        await reader.commit()
        await self._ledger.publish(self._clock.now())

    async def _poll(self, reader: Reader) -> tuple[dict[ListFilter, int | None], int]:
        """Find what is new and what became of the known.

        Returns the totals of the listings, and how many actions could not be found.
        """
        totals: dict[ListFilter, int | None] = {}
        shortfall = 0
        for list_filter in self._filters.heads:
            try:
                search = Discovery(
                    reader,
                    list_filter,
                    self._ledger.state.cursors[list_filter],
                    before=self._totals.get(list_filter),
                    floor=self._floors.get(list_filter.action_type),
                )
                head = await search.run()
            except PollError:
                reader.restart()  # no part of it: a gap would be left behind
                raise
            totals[list_filter] = self._totals[list_filter] = head.total
            shortfall += head.shortfall
        await reader.commit()
        try:
            for action_type in self._filters.types:
                if self._filters.unfiltered:
                    await follow(
                        reader,
                        ListFilter(action_type, None),
                        totals.get(ListFilter(action_type, None)),
                    )
                else:
                    self._floors[action_type] = await follow_listed(
                        reader, ListFilter(action_type, None), unread_cursor(None)
                    )
            self.abandoned_sweeps += await go_on(reader, self._filters)
        except PollError:
            await reader.commit()  # what was seen is true of each action by itself
            raise
        return totals, shortfall

    async def _audit(self, reader: Reader, *, force: bool = False) -> int:
        """Compare with the API's totals when it is time; returns how many were not found."""
        if not force and not due(
            self._ledger.state.audit_at, interval=self._audit_interval, now=reader.unit.now
        ):
            return 0
        reader.page_limits.clear()
        audit = await begin(reader, self._filters)
        if not audit.totals:
            return 0  # the API gives none: the time of the last audit says so
        reader.seen.clear()
        totals, shortfall = await self._poll(reader)
        for _ in range(await conclude(reader, self._filters, audit, totals)):
            self._on_sweep("drift")
        await self._publish(reader)
        return shortfall
