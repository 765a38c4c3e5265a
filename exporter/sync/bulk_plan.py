"""Which requests to send for bulk actions, and what totals say. Pure: values in, values out.

The list is read first, at the end where new ones appear. What it does not tell of those in progress
is asked for within a bound, what was not asked for longest first.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from math import ceil, inf

from exporter.domain import BulkCounts
from exporter.sync.request_plan import pages_of

PAGE_SIZE = 250
"""Bulk actions per page: Telnyx's maximum."""

FALLBACK_REQUESTS = 20
"""Maximum requests of a poll where the list has no summaries."""

COUNT_REQUESTS = 4
"""Requests to count the members of a bulk action: all, and those in three statuses."""

PAUSE = 60.0
"""Seconds without a request after two polls in a row in which one failed; doubled for each more.

A request may take as long as a timeout; a single one that fails is no reason to wait.
"""

LONGEST_PAUSE = 600.0
"""Maximum of that."""


@dataclass(frozen=True, slots=True)
class WantedBulk:
    """A bulk action whose counts are not known yet in this poll.

    ``asked_at`` is when they were read last, ``position`` its place in the list counted from the
    old end, None where that is not known. ``listed`` says that the list shows it without counts,
    ``bare`` that its object has none either.
    """

    id: str
    asked_at: float
    position: int | None = None
    listed: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """Pages of the list to read, ids to ask for, and ids whose members to count.

    ``searched`` is the new one of the list where the page is to find those without a position.
    """

    pages: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    searched: int | None = None

    @property
    def cost(self) -> int:
        """How many requests it takes."""
        return len(self.pages) + len(self.ids) + COUNT_REQUESTS * len(self.counted)


@dataclass(frozen=True, slots=True)
class BulkList:
    """What is known of the list: how many it holds, how many a page does, and its order.

    ``total`` is None where the API does not say. ``searched`` is how many pages from the head on
    were read to find those without a position.
    """

    total: int | None = None
    page_size: int = PAGE_SIZE
    oldest_first: bool = False
    pages_read: frozenset[int] = field(default_factory=frozenset)
    searched: int = 1

    @property
    def head(self) -> int:
        """The page where new ones appear."""
        return max(1, pages_of(self.total or 0, self.page_size)) if self.oldest_first else 1

    def to_search(self) -> tuple[int, int] | None:
        """Return the next page of the search, and ``searched`` after it; None where it ends."""
        for before in range(self.searched, pages_of(self.total or 0, self.page_size)):
            page = self.head - before if self.oldest_first else 1 + before
            if page not in self.pages_read:
                return page, before + 1
        return None

    def page_at(self, position: int | None) -> int | None:
        """Return the page of a position that was not read; None where there is none."""
        if position is None or self.total is None or not 0 < position <= self.total:
            return None
        index = position - 1 if self.oldest_first else self.total - position
        page = index // self.page_size + 1
        return None if page in self.pages_read else page

    def position(self, page: int, index: int) -> int | None:
        """Return the position of the item at ``index`` of a page, counted from the old end."""
        before = (page - 1) * self.page_size + index
        if self.oldest_first:
            return before + 1
        return None if self.total is None else self.total - before


class Patience:
    """When to ask again for what failed: at once after one failure, later after each more."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def failed(self, bulk_id: str, now: float, *, longest: float | None = None) -> int:
        """Note a failure; returns how many there were in a row.

        From the second on it waits for ``longest`` seconds; None: for the usual ones.
        """
        failures = self._failures[bulk_id] = self._failures.get(bulk_id, 0) + 1
        if failures > 1:
            self._until[bulk_id] = now + (pause_after(failures) if longest is None else longest)
        return failures

    def succeeded(self, bulk_id: str) -> None:
        """Forget the failures of one."""
        self._failures.pop(bulk_id, None)
        self._until.pop(bulk_id, None)

    def waits(self, bulk_id: str, now: float) -> bool:
        """Tell whether one is not to be asked for yet."""
        return now < self._until.get(bulk_id, -inf)

    def keep(self, wanted: Collection[str]) -> None:
        """Forget all others."""
        for each in self._failures.keys() - wanted:
            self.succeeded(each)


def pause_after(failures: int) -> float:
    """Return the seconds without a request after so many failures in a row."""
    return min(PAUSE * 2.0 ** (failures - 2), LONGEST_PAUSE) if failures > 1 else 0.0


def budget(in_progress: int, *, summaries: bool) -> int:
    """Return how many requests may follow the first; ``summaries``: the list has them."""
    usual = ceil(in_progress / PAGE_SIZE)
    return usual if summaries else max(usual, FALLBACK_REQUESTS - 1)


def plan_bulks(
    wanted: Collection[WantedBulk], listing: BulkList, left: int, *, objects_have_summary: bool
) -> BulkPlan:
    """Plan at most ``left`` requests, for those not asked for longest first.

    A page that shows two or more of them is read instead of asking for each. Where more have no
    known position than could be asked for, as after a restart, the next page is read to find them.
    """
    lost = sum(not each.listed and each.position is None for each in wanted)
    if 0 < left < lost and (search := listing.to_search()) is not None:
        return BulkPlan(pages=search[:1], searched=search[1])
    by_page: dict[int, list[WantedBulk]] = defaultdict(list)
    for each in wanted:
        page = None if each.listed else listing.page_at(each.position)
        if page is not None:
            by_page[page].append(each)
    page_of = {
        each.id: page for page, members in by_page.items() for each in members if len(members) > 1
    }
    pages: dict[int, None] = {}
    ids: list[str] = []
    counted: list[str] = []
    for each in sorted(wanted, key=lambda one: (one.asked_at, one.id)):
        page = page_of.get(each.id)
        if page in pages:
            continue
        by_id = objects_have_summary and not each.bare
        cost = 1 if page is not None or by_id else COUNT_REQUESTS
        if cost > left:
            break
        left -= cost
        if page is not None:
            pages[page] = None
        elif by_id:
            ids.append(each.id)
        else:
            counted.append(each.id)
    return BulkPlan(tuple(pages), tuple(ids), tuple(counted))


def counts_of(everything: int, in_progress: int, completed: int, failed: int) -> BulkCounts | None:
    """Return the counts of members that totals tell, asked for in this order; None for no counts.

    A member that moves on meanwhile is in two of them: it counts as in progress no more. Where one
    status has all members and others have some, too, its filter is ignored.
    """
    parts = in_progress, completed, failed
    twice = max(0, sum(parts) - everything)
    if everything <= 0 or twice > in_progress or (twice and max(parts) >= everything):
        return None
    interrupted = max(0, everything - sum(parts))
    return BulkCounts(in_progress - twice, completed, failed, interrupted)
