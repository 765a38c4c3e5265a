"""Discovery of new actions in one list, at the end where they appear.

The list's total says how many are missing; pages are read until they are found. Whether an action
is new is decided by its id, never by a total: that only says how far to look. A long catch-up is
read from its old end, so that what is still missing stays in one piece, at the new end. A page that
is, byte for byte, one that brought nothing before is not looked at again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from heapq import heappop, heappush
from math import inf

from exporter.domain import Action
from exporter.ledger.ledger import PageContext
from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.sync.context import PageRead, PollContext
from exporter.sync.cursors import confirmed_shrink, oldest_new, read_to_end, reconciled
from exporter.sync.list_ends import both_ends, check_end, new_end, too_deep
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import TOLERANCE, contradicts, sort_times
from exporter.telnyx.schema import Page

CHUNK_PAGES = 40
"""Pages that are read before what they brought is committed."""


@dataclass(frozen=True, slots=True)
class AtRest:
    """The first page of a list that brought nothing, and would bring nothing again.

    That is so while it has this ``digest``, and the ledger's state this ``version``: what an action
    means follows from itself, the cursor, and what is remembered of it. ``total`` is as it says,
    ``open_ids`` are the open actions on it.
    """

    digest: bytes
    total: int | None
    open_ids: tuple[str, ...]
    version: object


@dataclass(frozen=True, slots=True)
class ListEnd:
    """The page of a list where new actions appear, and its number; ``page`` decodes it.

    ``digest`` is that of the first page, where it is this one.
    """

    number: int
    page: Callable[[], Page]
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class DiscoveryResult:
    """What a list said.

    ``total`` is None where the API does not say. ``shortfall`` is how many actions it counts that
    could not be found; the audit finds out why. ``at_rest`` is for the next discovery.
    """

    total: int | None
    shortfall: int
    at_rest: AtRest | None = None


async def look_at_end(
    poll: PollContext, list_filter: ListFilter, at_rest: AtRest | None = None
) -> ListEnd:
    """Read the page where new actions of a list appear, and note how many are unseen."""
    cursor = poll.ledger.state.cursors[list_filter]
    if cursor.order is SortOrder.OLDEST:
        last, number = await new_end(poll.fetcher, list_filter, cursor)
        end = ListEnd(number, lambda: last)
    else:
        first = await poll.fetcher.first_page(list_filter)
        end = ListEnd(1, cache(first.decode), first.digest)
    same = at_rest is not None and _is_at_rest(poll, cursor, end, at_rest)
    left = 0 if same else (end.page().total or 0) - cursor.seen_count
    poll.progress.note(list_filter, done=0, left=left)
    return end


async def discover(
    poll: PollContext,
    list_filter: ListFilter,
    cursor: ListCursor,
    end: ListEnd,
    *,
    at_rest: AtRest | None = None,
    last_total: int | None = None,
    floor: float | None = None,
) -> DiscoveryResult:
    """Find what is new in a list, and leave its cursor in the unit of work.

    ``end`` is what `look_at_end` read. ``last_total`` is the total of the poll before: only a fall
    that both see is believed. ``floor`` is when the oldest action was created that may have entered
    a status since.
    """
    if at_rest is not None and _is_at_rest(poll, cursor, end, at_rest):
        poll.recorder.saw(at_rest.open_ids)
        return DiscoveryResult(at_rest.total, 0, at_rest)
    open_actions = poll.recorder.open_actions(list_filter.action_type) if list_filter.status else ()
    floor = oldest_new(cursor, list_filter, (floor, *(row.created_at for row in open_actions)))
    page, number = end.page(), end.number
    if contradicts(cursor.order, page.actions) and (
        cursor.order is not SortOrder.NONE or (page.total or 0) > cursor.seen_count
    ):
        cursor, page, number = await _learn_order(poll, list_filter, cursor)
    before, shrunk = cursor, False
    if not _counts_by_position(list_filter, cursor):
        cursor = confirmed_shrink(before, last=last_total, total=page.total)
        shrunk = cursor != before
    search = _Search(
        poll, list_filter, cursor, floor=floor, shrunk=shrunk, concurrency=poll.concurrency
    )
    await search.run(page, number)
    if search.missing > 0 and pages_of(search.total or 0, poll.fetcher.page_size) > 1:
        # Not where they should be: the order is not what it was, or pages that were read
        # concurrently moved meanwhile. So once more, one page after the other.
        cursor, page, number = await _learn_order(poll, list_filter, search.cursor)
        search = _Search(poll, list_filter, cursor, floor=floor, shrunk=shrunk, concurrency=1)
        await search.run(page, number)
    shortfall, cursor = max(0, search.missing), search.cursor
    if not _counts_by_position(list_filter, cursor):
        cursor = reconciled(cursor, before=before.seen_count, last=last_total, total=search.total)
    if cursor != before or list_filter in poll.recorder.unit.cursors:
        poll.recorder.set_cursor(list_filter, cursor)
    resting = None
    if cursor == before and search.is_done_with(end.page()):
        resting = _rest(poll, cursor, end)
    return DiscoveryResult(search.total, shortfall, resting)


def _rest(poll: PollContext, cursor: ListCursor, end: ListEnd) -> AtRest | None:
    """Return what is known of the only page that was read, if it is at rest."""
    page, state = end.page(), poll.ledger.state
    if end.digest is None or page.malformed:  # those are counted each time that they are read
        return None
    # By the ids that are held anyway, not by copies of them.
    rows = (state.open.get(action.id) for action in page.actions)
    open_ids = tuple(row.id for row in rows if row is not None)
    at_rest = AtRest(end.digest, page.total, open_ids, state.version)
    return at_rest if _is_at_rest(poll, cursor, end, at_rest) else None


def _is_at_rest(poll: PollContext, cursor: ListCursor, end: ListEnd, at_rest: AtRest) -> bool:
    """Tell whether a page was recorded as it is, and nothing has changed since."""
    return (
        at_rest.digest == end.digest
        and at_rest.version is poll.ledger.state.version
        and poll.recorder.unit.empty
        # Else the API's clock says what is new: see `_found_up_to`.
        and (cursor.high_watermark is None or cursor.high_watermark < poll.api_time)
    )


def _counts_by_position(list_filter: ListFilter, cursor: ListCursor) -> bool:
    """Tell whether what was seen is counted on the pages, and not taken from totals."""
    return cursor.order is SortOrder.OLDEST and list_filter.status is None


async def _learn_order(
    poll: PollContext, list_filter: ListFilter, cursor: ListCursor
) -> tuple[ListCursor, Page, int]:
    """Find out the order again, from both ends; returns the page of new actions and its number."""
    ends = await both_ends(poll.fetcher, list_filter, cursor.order)
    return replace(cursor, order=ends.order), *ends.new_end


class _Search:
    """One pass over a list in a known order; ``cursor`` and ``total`` are as it left them."""

    def __init__(
        self,
        poll: PollContext,
        list_filter: ListFilter,
        cursor: ListCursor,
        *,
        floor: float,
        shrunk: bool,
        concurrency: int,
    ) -> None:
        """Keep the parts; ``shrunk`` says that a fall of the total was just taken in."""
        self.cursor = cursor
        self.total: int | None = None
        self._poll = poll
        self._list_filter = list_filter
        self._floor = floor
        self._shrunk = shrunk
        self._concurrency = concurrency
        self._found = 0
        self._read_on = False

    def is_done_with(self, page: Page) -> bool:
        """Tell whether all that the list holds is seen, and no page but this was needed."""
        return self.missing == 0 and self._first is page and not self._read_on

    @property
    def missing(self) -> int:
        """How many actions the total counts beyond those that were seen."""
        return 0 if self.total is None else self.total - self.cursor.seen_count

    async def run(self, page: Page, number: int) -> None:
        """Find what is new; ``page`` is the one where new actions appear."""
        self.total = page.total
        self._first = page
        self._note_progress()
        if self.cursor.order is SortOrder.NONE and (self.missing > 0 or self._shrunk):
            # Anywhere: all of it has to be read, this page included.
            self._count(await self._read_unsorted(max(0, self.missing), page.total or 0))
        elif self.cursor.order is SortOrder.OLDEST:
            await self._read_up(await self._record(page, number))
        else:
            await self._read_from_top(page)

    async def _read_from_top(self, page: Page) -> None:
        """Newest (or latest changed) first: read down from the first page to what is known."""
        if self.missing > CHUNK_PAGES * self._page_size:
            page = await self._catch_up(page)
        self.total = page.total
        page_read = await self._record(page, 1)
        if self.cursor.order is not SortOrder.NONE:
            goal = self.cursor.seen_count + max(0, self.missing)
            if not self._at_bottom(page_read, goal, edge=True):
                await self._read_down(2, goal, edge=True)
        if times := sort_times(self.cursor.order, page.actions):
            self._found_up_to(max(times))

    async def _catch_up(self, page: Page) -> Page:
        """Read and commit what is missing, chunk by chunk from its old end, but for the last.

        Returns the first page as it is then.
        """
        total = page.total or 0
        size = self._page_size
        edge = True
        while (missing := total - self.cursor.seen_count) > CHUNK_PAGES * size:
            before = self.cursor.seen_count
            start = pages_of(missing, size) - CHUNK_PAGES + 1
            # So many are seen once all from this page on downwards are found.
            goal = total - (start - 1) * size
            total = await self._read_down(start, goal, edge=edge) or total
            await self._commit()
            edge = False
            if self.cursor.seen_count == before:
                break
        # What came meanwhile moved the first page: it is read again then.
        if total == page.total:
            return page
        return await self._poll.fetcher.page(self._list_filter, 1)

    async def _read_down(self, number: int, goal: int, *, edge: bool) -> int | None:
        """Read from a page on, towards older, until ``goal`` actions were seen.

        ``edge`` asks for a known action below the last unknown one as well. Returns the total
        of the last page.
        """
        above: PageRead | None = None
        while True:
            wanted = pages_of(max(0, goal - self.cursor.seen_count), self._page_size)
            pages_read = await self._read(number, max(1, wanted))
            number += len(pages_read)
            again = above is not None and pages_read[-1].page.actions[:1] == above.page.actions[:1]
            if again or self._at_bottom(pages_read[-1], goal, edge=edge):
                return pages_read[-1].page.total
            above = pages_read[-1]

    async def _read_up(self, page_read: PageRead) -> None:
        """Oldest first: read up from the page where the known ones end, to the end."""
        top, uncommitted = page_read, 1
        while page_read.number > 1 and 0 < len(page_read.page.actions) == page_read.result.new:
            # The list shrank at its old end: what is new begins further down.
            (page_read,) = await self._read(page_read.number - 1, 1)
        while True:
            self.total = total = top.page.total
            if self._poll.fetcher.is_last(top.page, top.number) or (
                top.result.ends_known and total == self.cursor.seen_count
            ):
                break
            last = pages_of(total or 0, self._page_size)
            pages_read = await self._read(top.number + 1, max(1, last - top.number))
            again = pages_read[0].page.actions[:1] == top.page.actions[:1]
            if again and self._poll.fetcher.is_full(top.page):
                raise too_deep(pages_read[0].number)  # it gives its last page again and again
            uncommitted += len(pages_read)
            # Behind the last page there may be empty ones, where the total is too large.
            top = next((each for each in reversed(pages_read) if each.page.actions), top)
            if top is not pages_read[-1]:
                check_end(self._poll.fetcher, self._list_filter, top.page, top.number)
                break
            if uncommitted >= CHUNK_PAGES:
                await self._commit()
                uncommitted = 0
        if self._list_filter.status is not None:
            await self._read_back(page_read)
        if _counts_by_position(self._list_filter, self.cursor) and top.page.actions:
            end = (top.number - 1) * self._page_size + top.page.length
            self.cursor = read_to_end(self.cursor, end)
        if times := sort_times(SortOrder.OLDEST, top.page.actions):
            self._found_up_to(max(times))

    async def _read_back(self, page_read: PageRead) -> None:
        """Read down from a page, as far back as actions may have entered the status since."""
        while page_read.number > 1 and self.missing > 0:
            (page_read,) = await self._read(page_read.number - 1, 1)
            times = sort_times(SortOrder.OLDEST, page_read.page.actions)
            if times and max(times) < self._floor - TOLERANCE:
                break

    async def _read_unsorted(self, missing: int, total: int) -> int:
        """Find ``missing`` new actions among ``total`` in no order; returns how many were found.

        The latest created of those that nobody knows are taken: exact as long as what is new was
        created after what was there before. What was created after the baseline cutoff is new
        whatever the totals are. Of what was created about then the latest are, up to so many as
        are missing, unless the list moved while it was read. What had ended before the baseline
        is history, whatever a total says.
        """
        latest: list[tuple[float, str]] = []
        held: dict[str, Action] = {}
        read, certain = 0, 0
        moved = False
        baseline_cutoff = self.cursor.baseline_cutoff or 0.0
        pages = range(1, pages_of(total, self._page_size) + 1)
        for start in range(0, len(pages), self._concurrency):
            part = pages[start : start + self._concurrency]
            for page in await self._poll.fetcher.pages(self._list_filter, part):
                read += page.length
                self._poll.progress.note(
                    self._list_filter, done=read, left=total - read, unseen=missing
                )
                # One that cannot be read may be a new one: then the number is no guide.
                moved = moved or page.total != total or page.malformed > 0
                for action in await self._record_known(page.actions):
                    if action.id in held or _is_history(action, self.cursor):
                        continue  # the list moved, so that it stands on two pages; or history
                    held[action.id] = action
                    certain += _time(action) > baseline_cutoff
                    heappush(latest, (_time(action), action.id))
                    if len(latest) > max(missing, certain):
                        del held[heappop(latest)[1]]
        if moved or read != total:
            latest = [entry for entry in latest if entry[0] > baseline_cutoff]
        new = [held[action_id] for _, action_id in sorted(latest)]
        # They are new whenever they were created, unless they say otherwise.
        context = PageContext(replace(self.cursor, baseline_cutoff=None))
        return (await self._poll.recorder.record(new, context)).new

    async def _record_known(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Record those that are known already; returns the others."""
        unknown = await self._poll.recorder.unknown(actions)
        ids = {action.id for action in unknown}
        known = [action for action in actions if action.id not in ids]
        await self._poll.recorder.record(known, PageContext(self.cursor))
        return unknown

    @property
    def _page_size(self) -> int:
        return self._poll.fetcher.page_size

    def _found_up_to(self, time: float) -> None:
        # A time in the future says nothing of the actions that are created until then.
        high_watermark = min(time, self._poll.api_time)
        self.cursor = replace(self.cursor, high_watermark=high_watermark)

    async def _commit(self) -> None:
        self._poll.recorder.set_cursor(self._list_filter, self.cursor)
        await self._poll.recorder.commit()
        await self._poll.ledger.publish_counters(self._poll.recorder.unit.now)

    async def _read(self, number: int, wanted: int) -> Sequence[PageRead]:
        """Read pages concurrently, at most ``wanted``, and count what they bring."""
        self._read_on = True
        pages = range(number, number + min(self._concurrency, wanted))
        pages_read = await self._poll.read(
            self._list_filter, pages, self.cursor, spare=self.missing
        )
        for page_read in pages_read:
            self._count(self._new_to_list(page_read))
        return pages_read

    async def _record(self, page: Page, number: int) -> PageRead:
        page_read = await self._poll.record_page(
            self._list_filter, page, number, self.cursor, spare=self.missing
        )
        self._count(self._new_to_list(page_read))
        return page_read

    def _new_to_list(self, page_read: PageRead) -> int:
        """Return how many are new to this list: with a status filter, a change makes one so."""
        entered = page_read.result.changed if self._list_filter.status is not None else 0
        return page_read.result.new + entered

    def _count(self, found: int) -> None:
        self.cursor = replace(self.cursor, seen_count=self.cursor.seen_count + found)
        self._found += found
        self._note_progress()

    def _note_progress(self) -> None:
        self._poll.progress.note(self._list_filter, done=self._found, left=self.missing)

    def _at_bottom(self, page_read: PageRead, goal: int, *, edge: bool) -> bool:
        """Tell whether nothing new is to be expected below a page."""
        if self._poll.fetcher.is_last(page_read.page, page_read.number):
            return True
        times = sort_times(self.cursor.order, page_read.page.actions)
        floor = self._floor - TOLERANCE
        news = page_read.result.new + page_read.result.changed
        if self.cursor.seen_count >= goal:
            if self.cursor.order is SortOrder.UPDATED:
                # What changed stands here as well, and need not be asked for one by one.
                return not news or min(times, default=inf) < floor
            # A page of nothing but news may be of such a list, though nothing shows it yet.
            if not edge or (page_read.result.ends_known and news < len(page_read.page.actions)):
                return True
        return not news and max(times, default=inf) < floor


def _is_history(action: Action, cursor: ListCursor) -> bool:
    return cursor.baseline_time is not None and 0.0 < _time(action) <= cursor.baseline_time


def _time(action: Action) -> float:
    return action.created_at or action.updated_at or 0.0
