"""Follows the bulk actions of an account: how many of their members are in which status.

The list is read at each audit, and at each poll while one is known to have members in progress;
`bulk_plan` decides what is asked for besides, `bulk_members` reads which actions are the members.
It must not fail a poll, nor delay one for long.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf

from exporter.clock import Clock
from exporter.domain import BulkAction, BulkCounts, ListedBulk, Status
from exporter.errors import (
    NotFoundError,
    PollError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)
from exporter.ledger.bulks import observe_bulk
from exporter.sync.audit import audit_due
from exporter.sync.bulk_members import (
    BulkMembers,
    MembersReading,
    comparable,
    compare_interrupted,
)
from exporter.sync.bulk_plan import (
    LONGEST_PAUSE,
    PAGE_SIZE,
    BulkList,
    BulkPlan,
    Patience,
    WantedBulk,
    budget,
    counts_of,
    pause_after,
    plan_bulks,
)
from exporter.sync.context import PollContext
from exporter.sync.fetcher import gather
from exporter.telnyx.client import Client
from exporter.telnyx.query import Query
from exporter.telnyx.schema import BulkPage

REFUSED_PAUSE = 3600.0
"""Seconds without a request after the API refused the key for the list twice, or has none."""

FEW_BARE = 2
"""So many objects without a summary say that there is none in any; a single one may be odd."""

MOST_TRIES = 3
"""Tries to count the members of a bulk action older than a day that was never counted."""

OLD = 86_400.0
"""Seconds after which a bulk action is old."""

LONGEST_READING = 10.0
"""Maximum seconds that a poll spends on bulk actions."""


@dataclass(slots=True)
class _Reading:
    """What one poll has read of bulk actions; what came before an error is true all the same.

    ``listed`` are those that a page showed without members, ``settled`` those that need not be
    asked for again in this poll, ``failed`` those of them of which the answer was of no use,
    ``asking`` those without an answer yet, and ``gone`` those that the API does not know any more.
    """

    counts: dict[str, tuple[ListedBulk, BulkCounts]] = field(default_factory=dict)
    listed: dict[str, ListedBulk] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    asking: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    has_list: bool = False
    members: MembersReading = field(default_factory=MembersReading)

    @property
    def all_counts(self) -> dict[str, BulkCounts]:
        """The counts alone, by the id."""
        return {bulk_id: counts for bulk_id, (_, counts) in self.counts.items()}


class BulkFollower:
    """Reads the bulk actions of one account, poll after poll; ``seconds`` is the most it takes."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        audit_interval: float,
        seconds: float = LONGEST_READING,
        shows: Callable[[str], bool] = lambda _: True,
        on_change: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """Keep the parts.

        ``shows`` tells which types are followed. ``on_change`` is told when reading begins to
        fail, and why, or to work.
        """
        self._client = client
        self._clock = clock
        self._audit_interval = audit_interval
        self._seconds = seconds
        self._shows = shows
        self._on_change = on_change
        self._paused_until = -inf
        self._failures = 0
        self._told = False
        # What only costs requests if it is lost: the list, when each was read last, and where it
        # stands, those that were listed but not counted yet or never will be, those whose object
        # has no summary, and what failed.
        self._list = BulkList()
        self._asked_at: dict[str, float] = {}
        self._positions: dict[str, int] = {}
        self._uncounted: dict[str, ListedBulk] = {}
        self._counted_before: dict[str, BulkCounts] = {}
        self._given_up: set[str] = set()
        self._bare: set[str] = set()
        self._counting = Patience()
        self._members = BulkMembers(client, clock)

    async def follow(self, poll: PollContext, *, audited: bool) -> bool:
        """Read what is due, and commit it; tells whether anything was asked for."""
        state = poll.ledger.state
        if self._clock.monotonic() < self._paused_until:
            return False
        running = any(each.in_progress for each in self._followed(poll))
        due = audited or audit_due(
            state.bulks_at, interval=self._audit_interval, now=self._clock.now()
        )
        now = self._clock.monotonic()
        uncounted = any(not self._counting.waits(each, now) for each in self._uncounted)
        if not (due or running or uncounted):
            return False
        if due:
            self._bare.clear()  # an audit looks whether that is so still
            self._list = replace(self._list, searched=1)
        reading = _Reading()
        error: PollError | None = None
        try:
            async with asyncio.timeout(self._seconds):
                await self._read(poll, reading)
        except TimeoutError:
            reading.failed |= reading.asking
            if not reading.asking and not reading.members.failed:
                error = UnavailableError(f"reading them took more than {self._seconds:g} s")
        except PollError as exc:
            error = exc
        to_compare = comparable(state.bulks.values(), reading.all_counts) if audited else ()
        self._record(poll, reading, due=due)
        last_pages = self._members.record(poll, reading.members)
        await compare_interrupted(poll, to_compare)
        await poll.recorder.commit()
        if await self._members.begin_again(poll, last_pages):
            await poll.recorder.commit()
        bulks = poll.ledger.state.bulks.values()
        self._forget(each.id for each in bulks if each.in_progress)
        self._note(error)
        return True

    async def _read(self, poll: PollContext, reading: _Reading) -> None:
        """Read the list first, then what it does not tell, then members, within the budget."""
        running = [each for each in self._followed(poll) if each.in_progress]
        ids = [each.id for each in running]
        in_progress = len({*ids, *self._uncounted})
        await self._read_head(reading)
        unknown = reading.listed.keys() - poll.ledger.state.bulks.keys() - self._given_up
        self._uncounted |= {each: reading.listed[each] for each in unknown}
        summaries = not (self._uncounted or reading.listed.keys() & {*ids})
        heads = len(self._list.pages_read)
        left = max(0, budget(in_progress, summaries=summaries) - (heads - 1))
        while (plan := self._plan(reading, ids, left)).cost:
            left -= plan.cost
            if plan.searched is not None:
                self._list = replace(self._list, searched=plan.searched)
            for number in plan.pages:
                await self._read_page(reading, number)
            await gather([self._read_one(reading, each) for each in plan.ids])
            for each in plan.counted:
                known = self._uncounted.get(each) or _listed(poll.ledger.state.bulks[each])
                await self._count(reading, each, known)
        listed = [each for each in self._followed(poll) if each.id not in reading.gone]
        await self._members.read(listed, reading.all_counts, left, reading.members)

    def _followed(self, poll: PollContext) -> list[BulkAction]:
        """Return those that are known, but for types that were followed before a restart only."""
        return [each for each in poll.ledger.state.bulks.values() if self._shows(each.action_type)]

    def _plan(self, reading: _Reading, running: Iterable[str], left: int) -> BulkPlan:
        return plan_bulks(
            self._wanted(reading, running),
            self._list,
            left,
            objects_have_summary=len(self._bare) < FEW_BARE,
        )

    async def _read_head(self, reading: _Reading) -> None:
        """Read the page where new ones appear, and another if that turns out to be the one."""
        self._list = replace(self._list, pages_read=frozenset())
        head = self._list.head
        await self._read_page(reading, head)
        if self._list.head != head:
            await self._read_page(reading, self._list.head)

    async def _read_page(self, reading: _Reading, number: int) -> None:
        page = await self._client.bulk_actions(number, PAGE_SIZE)
        reading.has_list = True
        order = _is_oldest_first(page)
        self._list = replace(
            self._list,
            total=page.total,
            page_size=max(1, min(PAGE_SIZE, page.page_size or self._list.page_size)),
            oldest_first=self._list.oldest_first if order is None else order,
        )
        # What should stand here and does not is asked for by its id.
        here = {each for each, at in self._positions.items() if self._list.page_at(at) == number}
        for each in here:
            del self._positions[each]
        for index, bulk in enumerate(page.bulks):
            if not self._shows(bulk.action_type):
                continue
            position = self._list.position(number, index)
            if position is not None:
                self._positions[bulk.id] = position
            # An empty summary is none, unless the object has an empty one as well.
            if bulk.counts is None or not bulk.counts.total:
                reading.listed[bulk.id] = bulk
            else:
                reading.counts[bulk.id] = bulk, bulk.counts
        self._list = replace(self._list, pages_read=self._list.pages_read | {number})

    def _wanted(self, reading: _Reading, running: Iterable[str]) -> list[WantedBulk]:
        """Return those in progress, or of which nothing is known, that were not counted yet."""
        settled = reading.counts.keys() | reading.settled
        now = self._clock.monotonic()
        return [
            WantedBulk(
                each,
                self._asked_at.get(each, -inf),
                self._positions.get(each),
                listed=each in reading.listed,
                bare=each in self._bare,
            )
            for each in {*running, *self._uncounted}
            if each not in settled and not self._counting.waits(each, now)
        ]

    async def _read_one(self, reading: _Reading, bulk_id: str) -> None:
        """Ask for one bulk action; an answer that cannot be used concerns that one only."""
        reading.asking.add(bulk_id)
        try:
            bulk = await self._client.bulk_action(bulk_id)
        except RateLimitedError:
            raise
        except PollError as exc:
            reading.settled.add(bulk_id)
            gone = isinstance(exc, NotFoundError) and exc.documented
            (reading.gone if gone else reading.failed).add(bulk_id)
        else:
            if bulk.id != bulk_id:
                reading.settled.add(bulk_id)
                reading.failed.add(bulk_id)
            elif bulk.counts is None:
                self._bare.add(bulk_id)
            else:
                reading.counts[bulk_id] = bulk, bulk.counts
        reading.asking.discard(bulk_id)

    async def _count(self, reading: _Reading, bulk_id: str, bulk: ListedBulk) -> None:
        """Count the members of one bulk action by the totals of its lists.

        That it ended is believed once two polls in a row have counted the same.
        """
        reading.settled.add(bulk_id)
        reading.asking.add(bulk_id)
        try:
            counts = await self._totals(bulk_id)
        except RateLimitedError:
            raise
        except PollError:
            counts = None
        reading.asking.discard(bulk_id)
        if counts is None:
            reading.failed.add(bulk_id)
            return
        before = self._counted_before.get(bulk_id)
        self._counted_before[bulk_id] = counts
        if counts.left or counts == before:
            reading.counts[bulk_id] = bulk, counts

    async def _totals(self, bulk_id: str) -> BulkCounts | None:
        """Return the counts that totals of members tell; None if they are of no use."""
        found = []
        for status in (None, Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED):
            query = Query(1, 1, status, bulk_id=bulk_id)
            total = (await self._client.bulk_members(query)).total
            if total is None:
                return None
            found.append(total)
        return counts_of(*found)

    def _record(self, poll: PollContext, reading: _Reading, *, due: bool) -> None:
        """Take what was read into the unit of work."""
        unit, state = poll.recorder.unit, poll.ledger.state
        for bulk_id, (seen, counts) in reading.counts.items():
            known = state.bulks.get(bulk_id)
            after = observe_bulk(known, seen, counts, now=unit.now, api_now=poll.api_time)
            unit.bulk_seen(known, after, since=state.bulks_since)
        for bulk_id in reading.gone & state.bulks.keys():
            unit.bulks[bulk_id] = None
        if due and reading.has_list:
            self._given_up &= reading.listed.keys()
            unit.bulks_at = unit.now
            if state.bulks_since is None:
                unit.bulks_since = poll.api_time
        self._remember(poll, reading)

    def _remember(self, poll: PollContext, reading: _Reading) -> None:
        """Remember what was asked for, and what failed."""
        now = self._clock.monotonic()
        for bulk_id in reading.counts.keys() | reading.settled | reading.failed:
            self._asked_at[bulk_id] = now
            if bulk_id in reading.counts or bulk_id in reading.gone:
                self._uncounted.pop(bulk_id, None)
                self._counting.succeeded(bulk_id)
        for bulk_id in reading.failed - reading.counts.keys():
            self._count_failed(poll, bulk_id)

    def _count_failed(self, poll: PollContext, bulk_id: str) -> None:
        """Let one wait; one that was never counted until the next audit, or for ever if it is old.

        Otherwise each poll would read the list because of it.
        """
        now, listed = self._clock.monotonic(), self._uncounted.get(bulk_id)
        if listed is None:
            self._counting.failed(bulk_id, now)
            return
        tries = self._counting.failed(bulk_id, now, longest=self._audit_interval)
        old = listed.created_at is None or poll.api_time - listed.created_at > OLD
        if tries >= MOST_TRIES and old:
            del self._uncounted[bulk_id]
            self._given_up.add(bulk_id)

    def _forget(self, running: Iterable[str]) -> None:
        """Keep what is remembered of bulk actions that may be asked for again only."""
        wanted = {*running, *self._uncounted}
        self._asked_at = {each: at for each, at in self._asked_at.items() if each in wanted}
        self._positions = {each: at for each, at in self._positions.items() if each in wanted}
        self._counting.keep(wanted)
        self._counted_before = {
            each: counts for each, counts in self._counted_before.items() if each in wanted
        }

    def _note(self, error: PollError | None) -> None:
        self._failures = self._failures + 1 if error is not None else 0
        pause = 0.0 if error is None else _pause(error, self._failures)
        if pause:
            self._paused_until = self._clock.monotonic() + pause
        if self._told is (error is None) and (error is None or pause):
            self._told = error is not None
            self._on_change(None if error is None else str(error))


def _listed(bulk: BulkAction) -> ListedBulk:
    return ListedBulk(bulk.id, bulk.action_type, bulk.created_at, None)


def _is_oldest_first(page: BulkPage) -> bool | None:
    """Tell how a page is sorted, by the times at its ends; None where they do not say."""
    times = [each.created_at for each in page.bulks if each.created_at is not None]
    if not times or times[0] == times[-1]:
        return None
    return times[0] < times[-1]


def _pause(error: PollError, failures: int) -> float:
    """Return for how long nothing is asked, after so many failures in a row."""
    if isinstance(error, RefusedError | NotFoundError):
        return REFUSED_PAUSE if failures > 1 else LONGEST_PAUSE / 2
    usual = pause_after(failures)
    return max(usual, error.retry_after) if isinstance(error, RateLimitedError) else usual
