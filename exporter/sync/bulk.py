"""Follows the bulk actions of an account: how many of their members are in which status.

The list is read at each audit, and at each poll while one is known to have members in progress;
`bulk_plan` decides what is asked for besides. It must not fail a poll, nor delay one for long.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from math import inf

import msgspec

from exporter.clock import Clock
from exporter.domain import BulkAction, BulkCounts, ListedBulk, Status
from exporter.errors import (
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
)
from exporter.ledger.bulks import observe_bulk
from exporter.sync.audit import audit_due
from exporter.sync.bulk_plan import (
    PAGE_SIZE,
    BulkList,
    BulkPlan,
    WantedBulk,
    budget,
    counts_of,
    plan_bulks,
)
from exporter.sync.context import PollContext
from exporter.sync.fetcher import gather
from exporter.sync.request_plan import pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.query import Query
from exporter.telnyx.schema import BulkPage

PAUSE = 60.0
"""Seconds without a request after two polls in a row in which one failed; doubled for each more.

A request may take as long as a timeout; a single one that fails is no reason to wait.
"""

LONGEST_PAUSE = 600.0
"""Maximum of that."""

REFUSED_PAUSE = 3600.0
"""Seconds without a request after the API refused the key for them, or has no bulk actions."""

MAX_COMPARED = 50_000
"""Members that an audit compares at most: looking each up takes a second or so in all."""

LONGEST_READING = 10.0
"""Maximum seconds that a poll spends on bulk actions."""


@dataclass(slots=True)
class _Reading:
    """What one poll has read of bulk actions; what came before an error is true all the same.

    ``listed`` are those that a page showed without counts, ``settled`` those that need not be asked
    for again in this poll, ``gone`` those that the API does not know any more. ``members`` are the
    ids that were read of those of bulk actions, with the page that comes next.
    """

    counts: dict[str, tuple[ListedBulk, BulkCounts]] = field(default_factory=dict)
    listed: dict[str, ListedBulk] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    members: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    has_list: bool = False


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
        # stands, those that were listed but not counted yet, and whether objects have a summary.
        self._list = BulkList()
        self._asked_at: dict[str, float] = {}
        self._positions: dict[str, int] = {}
        self._uncounted: dict[str, ListedBulk] = {}
        self._counted_before: dict[str, BulkCounts] = {}
        self._objects_have_summary = True

    async def follow(self, poll: PollContext, *, audited: bool) -> bool:
        """Read what is due, and commit it; tells whether anything was asked for."""
        state = poll.ledger.state
        if self._clock.monotonic() < self._paused_until:
            return False
        running = any(each.in_progress for each in state.bulks.values())
        due = audited or audit_due(
            state.bulks_at, interval=self._audit_interval, now=self._clock.now()
        )
        if not (due or running or self._uncounted):
            return False
        if due:
            self._objects_have_summary = True  # an audit looks whether that is so still
        reading = _Reading()
        error: PollError | None = None
        try:
            async with asyncio.timeout(self._seconds):
                await self._read(poll, reading)
        except TimeoutError:
            error = UnavailableError(f"reading them took more than {self._seconds:g} s")
        except PollError as exc:
            error = exc
        comparable = _comparable(poll, reading) if audited else ()
        self._record(poll, reading, due=due)
        for bulk_id in comparable:
            await self._compare(poll, bulk_id)
        await poll.recorder.commit()
        self._forget(each.id for each in poll.ledger.state.bulks.values() if each.in_progress)
        self._note(error)
        return True

    async def _read(self, poll: PollContext, reading: _Reading) -> None:
        """Read the list first, then what it does not tell, then members, within the budget."""
        running = [each for each in poll.ledger.state.bulks.values() if each.in_progress]
        ids = [each.id for each in running]
        in_progress = len({*ids, *self._uncounted})
        await self._read_head(reading)
        unknown = (each for each in reading.listed if each not in poll.ledger.state.bulks)
        self._uncounted |= {each: reading.listed[each] for each in unknown}
        summaries = not (self._uncounted or reading.listed.keys() & {*ids})
        heads = len(self._list.pages_read)
        left = max(0, budget(in_progress, summaries=summaries) - (heads - 1))
        while (plan := self._plan(reading, ids, left)).cost:
            left -= plan.cost
            for number in plan.pages:
                await self._read_page(reading, number)
            await gather([self._read_one(reading, each) for each in plan.ids])
            for each in plan.counted:
                known = self._uncounted.get(each) or _listed(poll.ledger.state.bulks[each])
                await self._count(reading, each, known)
        await self._read_members(reading, poll.ledger.state.bulks.values(), left)

    def _plan(self, reading: _Reading, running: Iterable[str], left: int) -> BulkPlan:
        return plan_bulks(
            self._wanted(reading, running),
            self._list,
            left,
            objects_have_summary=self._objects_have_summary,
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
            if bulk.counts is None:
                reading.listed[bulk.id] = bulk
            else:
                reading.counts[bulk.id] = bulk, bulk.counts
        self._list = replace(self._list, pages_read=self._list.pages_read | {number})

    def _wanted(self, reading: _Reading, running: Iterable[str]) -> list[WantedBulk]:
        """Return those in progress, or of which nothing is known, that were not counted yet."""
        settled = reading.counts.keys() | reading.settled
        return [
            WantedBulk(
                each,
                self._asked_at.get(each, -inf),
                self._positions.get(each),
                listed=each in reading.listed,
            )
            for each in {*running, *self._uncounted}
            if each not in settled
        ]

    async def _read_one(self, reading: _Reading, bulk_id: str) -> None:
        """Ask for one bulk action; an answer that cannot be used concerns that one only."""
        try:
            bulk = await self._client.bulk_action(bulk_id)
        except NotFoundError as exc:
            reading.settled.add(bulk_id)
            if exc.documented:
                reading.gone.add(bulk_id)
        except InvalidResponseError:
            reading.settled.add(bulk_id)
        else:
            if bulk.id != bulk_id:
                reading.settled.add(bulk_id)
            elif bulk.counts is None:
                self._objects_have_summary = False
            else:
                reading.counts[bulk_id] = bulk, bulk.counts

    async def _count(self, reading: _Reading, bulk_id: str, bulk: ListedBulk) -> None:
        """Count the members of one bulk action by the totals of its lists.

        That it ended is believed once two polls in a row have counted the same.
        """
        reading.settled.add(bulk_id)
        found = []
        for status in (None, Status.IN_PROGRESS, Status.COMPLETED, Status.FAILED):
            query = Query(1, 1, status, bulk_id=bulk_id)
            total = (await self._client.bulk_members(query)).total
            if total is None:
                return
            found.append(total)
        counts = counts_of(*found)
        if counts is None:
            return
        before = self._counted_before.get(bulk_id)
        self._counted_before[bulk_id] = counts
        if counts.left or counts == before:
            reading.counts[bulk_id] = bulk, counts

    async def _read_members(
        self, reading: _Reading, bulks: Iterable[BulkAction], most: int
    ) -> None:
        """Read pages with the ids of members, those of which the fewest were read first.

        Of one that ended meanwhile last, and of one that had ended when it was seen first never.
        """
        unread = [
            each
            for each in bulks
            if each.members_page and each.ended_at != each.seen_at and each.id not in reading.gone
        ]
        unread.sort(key=lambda each: (not each.in_progress, each.members_page, each.id))
        for bulk in unread[:most]:
            query = Query(bulk.members_page, PAGE_SIZE, bulk_id=bulk.id)
            page = await self._client.bulk_members(query)
            counts = reading.counts[bulk.id][1] if bulk.id in reading.counts else bulk.counts
            if page.total is not None and page.total > counts.total:
                continue  # of other bulk actions, too: the filter is ignored, or this one grows
            size = min(PAGE_SIZE, page.page_size or PAGE_SIZE)
            more = page.length >= size and (
                page.total is None or bulk.members_page < pages_of(page.total, size)
            )
            ids = tuple(each.id for each in page.actions)
            reading.members[bulk.id] = ids, bulk.members_page + 1 if more else 0

    def _record(self, poll: PollContext, reading: _Reading, *, due: bool) -> None:
        """Take what was read into the unit of work, and remember what costs requests if lost."""
        unit, state = poll.recorder.unit, poll.ledger.state
        now = self._clock.monotonic()
        for bulk_id, (seen, counts) in reading.counts.items():
            known = state.bulks.get(bulk_id)
            after = observe_bulk(known, seen, counts, now=unit.now, api_now=poll.api_time)
            unit.bulk_seen(known, after, since=state.bulks_since)
        for bulk_id, (ids, next_page) in reading.members.items():
            bulk = unit.bulks.get(bulk_id) or state.bulks[bulk_id]
            unit.bulks[bulk_id] = msgspec.structs.replace(bulk, members_page=next_page)
            unit.bulk_members[bulk_id] = ids
        for bulk_id in reading.gone & state.bulks.keys():
            unit.bulks[bulk_id] = None
        if due and reading.has_list:
            unit.bulks_at = unit.now
            if state.bulks_since is None:
                unit.bulks_since = poll.api_time
        for bulk_id in reading.counts.keys() | reading.settled:
            self._asked_at[bulk_id] = now
            if bulk_id in reading.counts or bulk_id in reading.gone:
                self._uncounted.pop(bulk_id, None)

    async def _compare(self, poll: PollContext, bulk_id: str) -> None:
        """Compare how many members of a bulk action that ended were interrupted with the ledger."""
        unit = poll.recorder.unit
        bulk = unit.bulks.get(bulk_id) or poll.ledger.state.bulks[bulk_id]
        found = await poll.ledger.count_members(bulk_id)
        # What is history, or was forgotten, is remembered by no status: no sum to compare with.
        exact = found.known == found.remembered == bulk.counts.total
        drift = bulk.counts.interrupted - found.interrupted if exact else 0
        if drift != bulk.drift:
            unit.bulks[bulk_id] = msgspec.structs.replace(bulk, drift=drift)

    def _forget(self, running: Iterable[str]) -> None:
        """Keep what is remembered of bulk actions that may be asked for again only."""
        wanted = {*running, *self._uncounted}
        self._asked_at = {each: at for each, at in self._asked_at.items() if each in wanted}
        self._positions = {each: at for each, at in self._positions.items() if each in wanted}
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


def _comparable(poll: PollContext, reading: _Reading) -> list[str]:
    """Return the bulk actions whose interrupted members can be compared with the ledger.

    Those that had ended when they were read before, with the same counts: then nothing of them
    changed meanwhile. The newest come first, up to MAX_COMPARED members.
    """
    quiet = [
        bulk
        for bulk_id, (_, counts) in reading.counts.items()
        if (bulk := poll.ledger.state.bulks.get(bulk_id)) is not None
        and not (bulk.in_progress or bulk.members_page)
        and bulk.counts == counts
    ]
    quiet.sort(key=lambda each: each.started_at, reverse=True)
    members = accumulate(each.counts.total for each in quiet)
    return [each.id for each, n in zip(quiet, members, strict=True) if n <= MAX_COMPARED]


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
        return REFUSED_PAUSE
    usual = min(PAUSE * 2.0 ** (failures - 2), LONGEST_PAUSE) if failures > 1 else 0.0
    return max(usual, error.retry_after) if isinstance(error, RateLimitedError) else usual
