"""One poll of one account: discovery, what is in flight, sweeps, audit, commit.

It puts the steps in order; each step decides for itself what to ask. Discovery in all lists is
committed whole or not at all, as a gap in the middle of a list would not be found again; what
became of known actions is true action by action.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.errors import PollError
from exporter.ledger.ledger import Ledger
from exporter.ledger.records import ListFilter
from exporter.sync.audit import audit_due, begin_audit, conclude_audit
from exporter.sync.baseline import take_baseline, unread_cursor
from exporter.sync.bulk import BulkFollower
from exporter.sync.context import PollContext
from exporter.sync.discovery import AtRest, discover, look_at_end
from exporter.sync.fetcher import Fetcher, ServerLimits
from exporter.sync.filters import AccountFilters
from exporter.sync.in_flight import follow, follow_listed
from exporter.sync.naming import Naming
from exporter.sync.progress import Progress, ProgressTracker
from exporter.sync.recorder import Recorder
from exporter.sync.sweep import continue_sweeps
from exporter.telnyx.client import Client

STALE = 2.0
"""Seconds after which the end of a list is read again before its new actions are searched for."""


@dataclass(frozen=True, slots=True)
class PollResult:
    """What one poll could not do, though it succeeded.

    ``shortfall`` is how many actions the totals count that could not be found. ``totals_unknown``
    says that the API gave no total of any list. ``abandoned_sweeps`` are those that were given
    up, each with the error.
    """

    shortfall: int
    totals_unknown: bool
    abandoned_sweeps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CarryOver:
    """What a poll hands to the next one; nothing of it outlives the process.

    ``absent`` are the ids that the API did not know when it was asked for them last. ``totals`` is
    the last total of each list. ``floors`` is, by action type, when the oldest was created of those
    that left the list of what is in progress (see `follow_listed`). ``at_rest`` is
    what the page at the end of each list brought, if that was nothing.
    """

    limits: ServerLimits = field(default_factory=ServerLimits)
    absent: frozenset[str] = frozenset()
    totals: Mapping[ListFilter, int | None] = field(default_factory=dict)
    floors: Mapping[str | None, float] = field(default_factory=dict)
    at_rest: Mapping[ListFilter, AtRest | None] = field(default_factory=dict)


class Cycle:
    """Polls one account, once each `run`; ``audit_interval`` is in seconds."""

    def __init__(  # noqa: PLR0913 - the parts, each by its name
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
        on_progress: Callable[[Progress], None] = lambda _: None,
        naming: Naming | None = None,
        bulks: BulkFollower | None = None,
    ) -> None:
        """Keep the parts; nothing is asked yet.

        ``on_sweep`` is told the cause of each sweep, ``on_progress`` how far the poll is. Without
        ``naming``, SIM cards have no names, and without ``bulks``, no bulk actions are known.
        """
        self._client = client
        self._ledger = ledger
        self._clock = clock
        self._filters = filters
        self._audit_interval = audit_interval
        self._page_size = page_size
        self._concurrency = concurrency
        self._on_sweep = on_sweep
        self._on_progress = on_progress
        self._naming = naming
        self._bulks = bulks
        self._carried = CarryOver()

    async def run(self) -> PollResult:
        """Poll the account, commit and publish.

        Raises PollError or StateError. What was committed by then is true, though it is not all
        there is; of what is published, only counters of a long catch-up may have changed.
        """
        await self._ledger.open(self._clock.now())
        poll = _PollRun(
            PollContext(
                ledger=self._ledger,
                filters=self._filters,
                fetcher=Fetcher(
                    self._client, page_size=self._page_size, limits=self._carried.limits
                ),
                recorder=Recorder(self._ledger, self._clock, absent=self._carried.absent),
                progress=ProgressTracker(self._clock, self._on_progress, self._page_size),
                concurrency=self._concurrency,
            ),
            self._carried,
            clock=self._clock,
            audit_interval=self._audit_interval,
            on_sweep=self._on_sweep,
            naming=self._naming,
            bulks=self._bulks,
        )
        succeeded = False
        try:
            result = await poll.run()
            succeeded = True
        finally:
            self._carried = poll.carry_over(succeeded=succeeded)
        return result


class _PollRun:
    """One poll; what it learns for the next one is in `carry_over`, also after an error."""

    def __init__(
        self,
        context: PollContext,
        carried: CarryOver,
        *,
        clock: Clock,
        audit_interval: float,
        on_sweep: Callable[[str], None],
        naming: Naming | None,
        bulks: BulkFollower | None,
    ) -> None:
        """Keep the parts; ``carried`` is what the poll before handed over."""
        self._context = context
        self._clock = clock
        self._audit_interval = audit_interval
        self._on_sweep = on_sweep
        self._naming = naming
        self._bulks = bulks
        self._audited = False
        self._totals = dict(carried.totals)
        self._floors = dict(carried.floors)
        self._at_rest = dict(carried.at_rest)
        self._abandoned_sweeps: tuple[str, ...] = ()

    async def run(self) -> PollResult:
        """Take the steps."""
        context, recorder = self._context, self._context.recorder
        lists = context.filters.baseline_lists
        first = context.ledger.state.baseline_at is None
        if first:
            recorder.unit.baseline_at = recorder.unit.now
            context.progress.begin_baseline()
        shortfall = 0
        new = [each for each in lists if first or recorder.cursor(each) is None]
        if first or new:  # an account, or what the configuration asks for since now
            shortfall = await take_baseline(context, new)
            await self._publish()
        if not first:
            totals, missing = await self._update()
            shortfall += missing
            await self._publish()
            if not totals or any(total is not None for total in totals.values()):
                shortfall += await self._audit(force=bool(new))
        if self._audited:
            recorder.unit.clear_bulk_drift(context.ledger.state.bulks.values())
            await recorder.commit()
        if self._bulks is not None and await self._bulks.follow(context, audited=self._audited):
            await context.ledger.publish(self._clock.now())
            context.ledger.announce()
        known = self._totals.values()
        return PollResult(
            shortfall,
            totals_unknown=bool(known) and all(total is None for total in known),
            abandoned_sweeps=self._abandoned_sweeps,
        )

    def carry_over(self, *, succeeded: bool) -> CarryOver:
        """Return what the next poll has to know.

        A refusal is believed until the next audit, unless a poll cannot go on because of it.
        """
        limits = self._context.fetcher.limits
        return CarryOver(
            limits if succeeded else limits.without_refusals(),
            self._context.recorder.absent,
            self._totals,
            self._floors,
            self._at_rest,
        )

    async def _publish(self) -> None:
        """Commit the unit of work, publish what is committed, then tell the sinks.

        Names are for the sinks and for people: the metrics do not wait for them.
        """
        ledger, recorder = self._context.ledger, self._context.recorder
        await recorder.conclude()
        # Once a poll: what is left has its turn in the next one.
        if self._naming is not None and await self._naming.look_up(self._context):
            self._naming = None
            await ledger.publish(self._clock.now())
        ledger.announce()

    async def _update(self) -> tuple[Mapping[ListFilter, int | None], int]:
        """Find what is new and what became of what is known.

        Returns the totals of the lists, and how many actions could not be found.
        """
        context, recorder = self._context, self._context.recorder
        totals: dict[ListFilter, int | None] = {}
        shortfall = 0
        lists = context.filters.discovery_lists
        # All of them first, so that it is known how many actions are unseen.
        ends = {each: await look_at_end(context, each, self._at_rest.get(each)) for each in lists}
        seen_at = self._clock.monotonic()
        for list_filter in lists:
            try:
                if self._clock.monotonic() - seen_at > STALE:  # the others took long
                    ends[list_filter] = await look_at_end(context, list_filter)
                found = await discover(
                    context,
                    list_filter,
                    context.ledger.state.cursors[list_filter],
                    ends[list_filter],
                    at_rest=self._at_rest.get(list_filter),
                    last_total=self._totals.get(list_filter),
                    floor=self._floors.get(list_filter.action_type),
                )
            except PollError:
                recorder.discard()  # no part of it: a gap would be left behind
                raise
            totals[list_filter] = self._totals[list_filter] = found.total
            self._at_rest[list_filter] = found.at_rest
            shortfall += found.shortfall
        await recorder.commit()
        try:
            for action_type in context.filters.type_filters:
                every_status = ListFilter(action_type, None)
                if context.filters.reads_every_status:
                    await follow(context, every_status, totals.get(every_status))
                else:
                    self._floors[action_type] = await follow_listed(
                        context, every_status, unread_cursor(None)
                    )
            self._abandoned_sweeps += await continue_sweeps(context)
        except PollError:
            await recorder.commit()  # what was seen is true of each action by itself
            raise
        return totals, shortfall

    async def _audit(self, *, force: bool) -> int:
        """Compare with the API's totals when it is time; returns how many were not found."""
        context = self._context
        now, last = context.recorder.unit.now, context.ledger.state.audit_at
        if not force and not audit_due(last, interval=self._audit_interval, now=now):
            return 0
        context.fetcher.forget_refusals()
        audit = await begin_audit(context)
        if not audit.totals:
            return 0  # the API gives none: the time of the last audit says so
        context.recorder.forget_seen()
        self._at_rest.clear()
        self._audited = True
        totals, shortfall = await self._update()
        for _ in range(await conclude_audit(context, audit, totals)):
            self._on_sweep("drift")
        await self._publish()
        return shortfall
