"""Finding the actions that nobody has seen yet, at the end of the listing where they appear.

The listing's total says how many are missing; pages are read until they are found. What is new
is decided by identity, never by the totals: those only say how far to look. A long catch-up is
read from its old end, so that what is missing stays in one piece, at the new end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.sync.cursors import confirmed_shrink, oldest_new, read_to_end, reconciled
from exporter.sync.list_ends import both_ends, check_end, new_end, too_deep
from exporter.sync.reader import PageRead, Reader
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import TOLERANCE, contradicts, sort_times
from exporter.sync.unsorted import find_unsorted
from exporter.telnyx.schema import Page

CHUNK_PAGES = 40
"""Pages that are read before what they brought is committed."""


@dataclass(frozen=True, slots=True)
class DiscoveryResult:
    """What the head of a listing said.

    ``total`` is the listing's, None where the API does not say. ``shortfall`` is how many
    actions it promised that are not to be found: the audit has to tell.
    """

    total: int | None
    shortfall: int


class Discovery:
    """The search for what is new in one listing that is known, during one poll."""

    def __init__(
        self,
        reader: Reader,
        list_filter: ListFilter,
        cursor: ListCursor,
        *,
        before: int | None = None,
        floor: float | None = None,
    ) -> None:
        """Begin with what is known of the listing; ``reader`` takes in what is found.

        ``before`` is the total of the poll before: only a fall that is told twice is believed.
        ``floor`` is how far back actions were created that may have entered a status since.
        """
        self._before = before
        self._reader = reader
        self._list_filter = list_filter
        self._cursor = cursor
        self._total: int | None = None
        self._shrunk = False
        open_rows = reader.open_rows(list_filter.action_type) if list_filter.status else ()
        self._floor = oldest_new(
            cursor, list_filter, (floor, *(row.created_at for row in open_rows))
        )

    async def run(self) -> DiscoveryResult:
        """Find what is new, and leave the listing in the unit of work as accounted for."""
        page, number = await new_end(self._reader, self._list_filter, self._cursor)
        if contradicts(self._cursor.order, page.actions) and (
            self._cursor.order is not SortOrder.NONE or (page.total or 0) > self._cursor.seen_count
        ):
            page, number = await self._learn_anew()
        before = self._cursor
        if not self._counts_by_position:
            self._cursor = confirmed_shrink(before, last=self._before, total=page.total)
            self._shrunk = self._cursor != before
        await self._find(page, number)
        if self._missing() > 0 and pages_of(self._total or 0, self._reader.size) > 1:
            # Not where it should be: the order is not what it was, or pages that were read side
            # by side moved meanwhile. So once more, one page after the other.
            width, self._reader.concurrency = self._reader.concurrency, 1
            try:
                page, number = await self._learn_anew()
                await self._find(page, number)
            finally:
                self._reader.concurrency = width
        return self._finish(before)

    @property
    def _counts_by_position(self) -> bool:
        """Tell whether what is accounted for is counted on the pages, and not told by totals."""
        return self._cursor.order is SortOrder.OLDEST and self._list_filter.status is None

    async def _learn_anew(self) -> tuple[Page, int]:
        """Find out the order again, from both ends of the listing."""
        ends = await both_ends(self._reader, self._list_filter, self._cursor.order)
        self._cursor = replace(self._cursor, order=ends.order)
        return ends.new_end

    async def _find(self, page: Page, number: int) -> None:
        self._total = page.total
        if self._cursor.order is SortOrder.NONE and (self._missing() > 0 or self._shrunk):
            # Anywhere: all of it has to be read, this page included.
            found = await find_unsorted(
                self._reader,
                self._list_filter,
                self._cursor,
                max(0, self._missing()),
                page.total or 0,
            )
            self._account(found)
        elif self._cursor.order is SortOrder.OLDEST:
            await self._read_up(await self._take(page, number))
        else:
            await self._read_from_top(page)

    async def _read_from_top(self, page: Page) -> None:
        """Newest (or latest changed) first: read down from the first page to what is known."""
        if self._missing() > CHUNK_PAGES * self._reader.size:
            page = await self._catch_up(page)
        self._total = page.total
        page_read = await self._take(page, 1)
        if self._cursor.order is not SortOrder.NONE:
            goal = self._cursor.seen_count + max(0, self._missing())
            if not self._at_bottom(page_read, goal, edge=True):
                await self._read_down(2, goal, edge=True)
        if times := sort_times(self._cursor.order, page.actions):
            self._found_up_to(max(times))

    async def _catch_up(self, page: Page) -> Page:
        """Read and commit what is missing, chunk by chunk from its old end, but for the last."""
        total = page.total or 0
        size = self._reader.size
        edge = True
        while (missing := total - self._cursor.seen_count) > CHUNK_PAGES * size:
            before = self._cursor.seen_count
            start = pages_of(missing, size) - CHUNK_PAGES + 1
            # So many are accounted for once all from this page on downwards are found.
            goal = total - (start - 1) * size
            total = await self._read_down(start, goal, edge=edge) or total
            await self._commit()
            edge = False
            if self._cursor.seen_count == before:
                break
        # What came meanwhile moved the first page: it is read again then.
        return page if total == page.total else await self._reader.fetch(self._list_filter, 1)

    async def _read_down(self, number: int, goal: int, *, edge: bool) -> int | None:
        """Read from a page on, towards older, until ``goal`` actions are accounted for.

        ``edge`` asks for a known action below the last unknown one as well. Returns the total
        that the last page told.
        """
        above: PageRead | None = None
        while True:
            wanted = pages_of(max(0, goal - self._cursor.seen_count), self._reader.size)
            pages_read = await self._read(number, max(1, wanted))
            number += len(pages_read)
            again = above is not None and pages_read[-1].page.actions[:1] == above.page.actions[:1]
            if again or self._at_bottom(pages_read[-1], goal, edge=edge):
                return pages_read[-1].page.total
            above = pages_read[-1]

    async def _read_up(self, page_read: PageRead) -> None:
        """Oldest first: read up from the page where the known ones end, to the end."""
        top, uncommitted = page_read, 1
        while page_read.number > 1 and 0 < len(page_read.page.actions) == page_read.seen.new:
            # The listing shrank at its old end: what is new begins further down.
            (page_read,) = await self._read(page_read.number - 1, 1)
        while True:
            self._total = total = top.page.total
            if self._is_last(top) or (top.seen.ends_known and total == self._cursor.seen_count):
                break
            last = pages_of(total or 0, self._reader.size)
            pages_read = await self._read(top.number + 1, max(1, last - top.number))
            again = pages_read[0].page.actions[:1] == top.page.actions[:1]
            if again and self._reader.is_full(top.page):
                raise too_deep(pages_read[0].number)  # it gives its last page again and again
            uncommitted += len(pages_read)
            # Behind the last page there may be empty ones, where the total is too large.
            top = next((each for each in reversed(pages_read) if each.page.actions), top)
            if top is not pages_read[-1]:
                check_end(self._reader, self._list_filter, top.page, top.number)
                break
            if uncommitted >= CHUNK_PAGES:
                await self._commit()
                uncommitted = 0
        if self._list_filter.status is not None:
            await self._read_back(page_read)
        if self._counts_by_position and top.page.actions:
            end = (top.number - 1) * self._reader.size + len(top.page.actions) + top.page.malformed
            self._cursor = read_to_end(self._cursor, end)
        if times := sort_times(SortOrder.OLDEST, top.page.actions):
            self._found_up_to(max(times))

    async def _read_back(self, page_read: PageRead) -> None:
        """Read down from a page, as far back as actions may have entered the status since."""
        while page_read.number > 1 and self._missing() > 0:
            (page_read,) = await self._read(page_read.number - 1, 1)
            times = sort_times(SortOrder.OLDEST, page_read.page.actions)
            if times and max(times) < self._floor - TOLERANCE:
                break

    def _found_up_to(self, time: float) -> None:
        # One that is dated ahead of its time tells nothing of those that come until then.
        high_watermark = min(time, self._reader.time_there())
        self._cursor = replace(self._cursor, high_watermark=high_watermark)

    async def _commit(self) -> None:
        self._reader.unit.cursors[self._list_filter] = self._cursor
        await self._reader.commit()

    async def _read(self, number: int, wanted: int) -> Sequence[PageRead]:
        """Read pages side by side, at most ``wanted``, and account for what they bring."""
        pages = range(number, number + min(self._reader.concurrency, wanted))
        pages_read = await self._reader.read(
            self._list_filter, pages, self._cursor, spare=self._missing()
        )
        for page_read in pages_read:
            self._account(self._news(page_read))
        return pages_read

    async def _take(self, page: Page, number: int) -> PageRead:
        page_read = await self._reader.take(
            page,
            number,
            self._cursor,
            placed=self._list_filter.status is None,
            spare=self._missing(),
        )
        self._account(self._news(page_read))
        return page_read

    def _news(self, page_read: PageRead) -> int:
        """Count what is new to this listing: under a status filter, a change makes it so."""
        entered = page_read.seen.changed if self._list_filter.status is not None else 0
        return page_read.seen.new + entered

    def _account(self, found: int) -> None:
        self._cursor = replace(self._cursor, seen_count=self._cursor.seen_count + found)

    def _missing(self) -> int:
        return 0 if self._total is None else self._total - self._cursor.seen_count

    def _at_bottom(self, page_read: PageRead, goal: int, *, edge: bool) -> bool:
        """Tell whether nothing new is to be expected below a page."""
        if self._is_last(page_read):
            return True
        times = sort_times(self._cursor.order, page_read.page.actions)
        floor = self._floor - TOLERANCE
        if self._cursor.seen_count >= goal:
            news = page_read.seen.new + page_read.seen.changed
            if self._cursor.order is SortOrder.UPDATED:
                # What changed stands here as well, and need not be asked for one by one.
                return not news or min(times, default=inf) < floor
            # A page of nothing but news may be of such a list, though nothing shows it yet.
            if not edge or (page_read.seen.ends_known and news < len(page_read.page.actions)):
                return True
        return not page_read.seen.new + page_read.seen.changed and max(times, default=inf) < floor

    def _is_last(self, page_read: PageRead) -> bool:
        """Tell whether a page is the last of its listing: a total alone does not say so."""
        page = page_read.page
        promised = page.total is not None and page_read.number < pages_of(
            page.total, self._reader.size
        )
        return not self._reader.is_full(page) and not (page.actions and promised)

    def _finish(self, before: ListCursor) -> DiscoveryResult:
        """Agree with the total, and leave the listing in the unit of work if it changed."""
        shortfall = max(0, self._missing())
        if not self._counts_by_position:
            self._cursor = reconciled(
                self._cursor, before=before.seen_count, last=self._before, total=self._total
            )
        if self._cursor != before or self._list_filter in self._reader.unit.cursors:
            self._reader.unit.cursors[self._list_filter] = self._cursor
        return DiscoveryResult(self._total, shortfall)
