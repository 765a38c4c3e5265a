"""Finding the actions that nobody has seen yet, at the end of the listing where they appear.

The listing's total says how many are missing; pages are read until they are found. What is new
is decided by identity, never by the totals: those only say how far to look. A long catch-up is
read from its old end, so that what is missing stays in one piece, at the new end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from exporter.ledger.model import Listing, Order, Scope
from exporter.polling.ends import both_ends, check_end, new_end, too_deep
from exporter.polling.order import TOLERANCE, contradicts, stamps
from exporter.polling.plan import pages_of
from exporter.polling.reader import Look, Reader
from exporter.polling.settling import fallen, lowest, read_to, settled
from exporter.polling.unsorted import find_unsorted
from exporter.telnyx.wire import Page

CHUNK = 40
"""Pages that are read before what they brought is committed."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a listing said.

    ``total`` is the listing's, None where the API does not say. ``shortfall`` is how many
    actions it promised that are not to be found: the audit has to tell.
    """

    total: int | None
    shortfall: int


class HeadSearch:
    """The search for what is new in one listing that is known, during one poll."""

    def __init__(
        self,
        reader: Reader,
        scope: Scope,
        listing: Listing,
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
        self._scope = scope
        self._listing = listing
        self._total: int | None = None
        self._fell = False
        open_rows = reader.open_rows(scope.action_type) if scope.status else ()
        self._floor = lowest(listing, scope, (floor, *(row.created_at for row in open_rows)))

    async def run(self) -> Head:
        """Find what is new, and leave the listing in the draft as accounted for."""
        page, number = await new_end(self._reader, self._scope, self._listing)
        if contradicts(self._listing.order, page.actions) and (
            self._listing.order is not Order.NONE or (page.total or 0) > self._listing.accounted
        ):
            page, number = await self._learn_anew()
        before = self._listing
        if not self._read_to_its_end:
            self._listing = fallen(before, last=self._before, total=page.total)
            self._fell = self._listing != before
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
        return self._settle(before)

    @property
    def _read_to_its_end(self) -> bool:
        """Tell whether what is accounted for is counted on the pages, and not told by totals."""
        return self._listing.order is Order.OLDEST and self._scope.status is None

    async def _learn_anew(self) -> tuple[Page, int]:
        """Find out the order again, from both ends of the listing."""
        ends = await both_ends(self._reader, self._scope, self._listing.order)
        self._listing = replace(self._listing, order=ends.order)
        return ends.new_end

    async def _find(self, page: Page, number: int) -> None:
        self._total = page.total
        if self._listing.order is Order.NONE and (self._missing() > 0 or self._fell):
            # Anywhere: all of it has to be read, this page included.
            found = await find_unsorted(
                self._reader, self._scope, self._listing, max(0, self._missing()), page.total or 0
            )
            self._account(found)
        elif self._listing.order is Order.OLDEST:
            await self._read_up(await self._take(page, number))
        else:
            await self._read_from_top(page)

    async def _read_from_top(self, page: Page) -> None:
        """Newest (or latest changed) first: read down from the first page to what is known."""
        if self._missing() > CHUNK * self._reader.size:
            page = await self._catch_up(page)
        self._total = page.total
        look = await self._take(page, 1)
        if self._listing.order is not Order.NONE:
            goal = self._listing.accounted + max(0, self._missing())
            if not self._at_bottom(look, goal, edge=True):
                await self._read_down(2, goal, edge=True)
        if times := stamps(self._listing.order, page.actions):
            self._found_up_to(max(times))

    async def _catch_up(self, page: Page) -> Page:
        """Read and commit what is missing, chunk by chunk from its old end, but for the last."""
        total = page.total or 0
        size = self._reader.size
        edge = True
        while (missing := total - self._listing.accounted) > CHUNK * size:
            before = self._listing.accounted
            start = pages_of(missing, size) - CHUNK + 1
            # So many are accounted for once all from this page on downwards are found.
            goal = total - (start - 1) * size
            total = await self._read_down(start, goal, edge=edge) or total
            await self._commit()
            edge = False
            if self._listing.accounted == before:
                break
        # What came meanwhile moved the first page: it is read again then.
        return page if total == page.total else await self._reader.fetch(self._scope, 1)

    async def _read_down(self, number: int, goal: int, *, edge: bool) -> int | None:
        """Read from a page on, towards older, until ``goal`` actions are accounted for.

        ``edge`` asks for a known action below the last unknown one as well. Returns the total
        that the last page told.
        """
        above: Look | None = None
        while True:
            wanted = pages_of(max(0, goal - self._listing.accounted), self._reader.size)
            looks = await self._read(number, max(1, wanted))
            number += len(looks)
            again = above is not None and looks[-1].page.actions[:1] == above.page.actions[:1]
            if again or self._at_bottom(looks[-1], goal, edge=edge):
                return looks[-1].page.total
            above = looks[-1]

    async def _read_up(self, look: Look) -> None:
        """Oldest first: read up from the page where the known ones end, to the end."""
        top, uncommitted = look, 1
        while look.number > 1 and 0 < len(look.page.actions) == look.seen.new:
            # The listing shrank at its old end: what is new begins further down.
            (look,) = await self._read(look.number - 1, 1)
        while True:
            self._total = total = top.page.total
            if self._is_last(top) or (top.seen.ends_known and total == self._listing.accounted):
                break
            last = pages_of(total or 0, self._reader.size)
            looks = await self._read(top.number + 1, max(1, last - top.number))
            again = looks[0].page.actions[:1] == top.page.actions[:1]
            if again and self._reader.is_full(top.page):
                raise too_deep(looks[0].number)  # it gives its last page again and again
            uncommitted += len(looks)
            # Behind the last page there may be empty ones, where the total is too large.
            top = next((each for each in reversed(looks) if each.page.actions), top)
            if top is not looks[-1]:
                check_end(self._reader, self._scope, top.page, top.number)
                break
            if uncommitted >= CHUNK:
                await self._commit()
                uncommitted = 0
        if self._scope.status is not None:
            await self._read_back(look)
        if self._read_to_its_end and top.page.actions:
            end = (top.number - 1) * self._reader.size + len(top.page.actions) + top.page.malformed
            self._listing = read_to(self._listing, end)
        if times := stamps(Order.OLDEST, top.page.actions):
            self._found_up_to(max(times))

    async def _read_back(self, look: Look) -> None:
        """Read down from a page, as far back as actions may have entered the status since."""
        while look.number > 1 and self._missing() > 0:
            (look,) = await self._read(look.number - 1, 1)
            times = stamps(Order.OLDEST, look.page.actions)
            if times and max(times) < self._floor - TOLERANCE:
                break

    def _found_up_to(self, time: float) -> None:
        # One that is dated ahead of its time tells nothing of those that come until then.
        frontier = min(time, self._reader.time_there())
        self._listing = replace(self._listing, frontier=frontier)

    async def _commit(self) -> None:
        self._reader.draft.listings[self._scope] = self._listing
        await self._reader.commit()

    async def _read(self, number: int, wanted: int) -> Sequence[Look]:
        """Read pages side by side, at most ``wanted``, and account for what they bring."""
        pages = range(number, number + min(self._reader.concurrency, wanted))
        looks = await self._reader.read(self._scope, pages, self._listing, spare=self._missing())
        for look in looks:
            self._account(self._news(look))
        return looks

    async def _take(self, page: Page, number: int) -> Look:
        look = await self._reader.take(
            page,
            number,
            self._listing,
            placed=self._scope.status is None,
            spare=self._missing(),
        )
        self._account(self._news(look))
        return look

    def _news(self, look: Look) -> int:
        """Count what is new to this listing: under a status filter, a change makes it so."""
        entered = look.seen.changed if self._scope.status is not None else 0
        return look.seen.new + entered

    def _account(self, found: int) -> None:
        self._listing = replace(self._listing, accounted=self._listing.accounted + found)

    def _missing(self) -> int:
        return 0 if self._total is None else self._total - self._listing.accounted

    def _at_bottom(self, look: Look, goal: int, *, edge: bool) -> bool:
        """Tell whether nothing new is to be expected below a page."""
        if self._is_last(look):
            return True
        times = stamps(self._listing.order, look.page.actions)
        floor = self._floor - TOLERANCE
        if self._listing.accounted >= goal:
            news = look.seen.new + look.seen.changed
            if self._listing.order is Order.UPDATED:
                # What changed stands here as well, and need not be asked for one by one.
                return not news or min(times, default=inf) < floor
            # A page of nothing but news may be of such a list, though nothing shows it yet.
            if not edge or (look.seen.ends_known and news < len(look.page.actions)):
                return True
        return not look.seen.new + look.seen.changed and max(times, default=inf) < floor

    def _is_last(self, look: Look) -> bool:
        """Tell whether a page is the last of its listing: a total alone does not say so."""
        page = look.page
        promised = page.total is not None and look.number < pages_of(page.total, self._reader.size)
        return not self._reader.is_full(page) and not (page.actions and promised)

    def _settle(self, before: Listing) -> Head:
        """Agree with the total, and leave the listing in the draft if it changed."""
        shortfall = max(0, self._missing())
        if not self._read_to_its_end:
            self._listing = settled(
                self._listing, before=before.accounted, last=self._before, total=self._total
            )
        if self._listing != before or self._scope in self._reader.draft.listings:
            self._reader.draft.listings[self._scope] = self._listing
        return Head(self._total, shortfall)
