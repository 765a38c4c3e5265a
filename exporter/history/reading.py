"""Reads the list of an account's actions, all of it or back to a time, into a work file.

Pages shift while they are read, as new actions come. In a list that is newest first, what is left
is therefore counted from the old end, where nothing moves; in any other, pages are counted, and
read once more where fewer actions were found than there are. Each page is committed with how far
the list was read, so a reading that was broken off goes on there. It must not know the ledger.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from exporter.clock import Clock
from exporter.domain import Action
from exporter.errors import RateLimitedError
from exporter.history.spool import HistorySource, ListState, Spool
from exporter.ledger.records import ListFilter, SortOrder
from exporter.sync.fetcher import Fetcher
from exporter.sync.request_plan import pages_of
from exporter.sync.sort_order import TOLERANCE, contradicts, created, direction
from exporter.telnyx.schema import Page

MOST_PASSES = 3
"""How often a list is read at most until as many actions were found as there are."""

MOST_STALLS = 3
"""How often in a row pages may bring nothing nearer before pages are counted instead."""


class Watcher(Protocol):
    """Is told how the reading of a list goes."""

    def progress(self, read: int, total: int | None) -> None:
        """Take in how many actions were read, of how many; None where the API does not say."""

    def waiting(self, seconds: float) -> None:
        """Take in that Telnyx requires to wait."""


class Reader:
    """Reads what a work file is to hold; ``concurrency`` requests at a time."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        spool: Spool,
        clock: Clock,
        concurrency: int,
        watcher: Watcher,
    ) -> None:
        """Keep the parts. The work file has a source."""
        self.fetcher = fetcher
        self.spool = spool
        self.concurrency = concurrency
        self._clock = clock
        self._watcher = watcher

    async def read(self, source: HistorySource) -> int:
        """Read what is not read yet; returns how many actions could not be found.

        Raises PollError; what was read until then need not be asked for again.
        """
        shortfall = 0
        for action_type in source.action_types or (None,):
            shortfall += await _ListReader(self, source, ListFilter(action_type, None)).read()
        if self.spool.finished_at is None:
            self.spool.finish(self._clock.now(), self.fetcher.clock_offset or 0.0)
        return shortfall

    async def pages(self, list_filter: ListFilter, numbers: Sequence[int]) -> list[Page]:
        """Fetch pages; each wait that the rate limit requires is waited for, however long."""
        while True:
            try:
                return await self.fetcher.pages(list_filter, numbers)
            except RateLimitedError as exc:
                self._watcher.waiting(exc.retry_after)
                await self._clock.sleep(exc.retry_after)

    def tell(self, state: ListState, share: float | None) -> None:
        """Say how far a list was read; ``share`` is how much of the time that is asked for."""
        if state.total is None:
            self._watcher.progress(self.spool.count(), None)
            return
        read = (state.next_page - 1) * self.fetcher.page_size
        if state.left is not None:
            read = state.total - state.left
        expected = state.total if share is None else min(state.total, round(read / share))
        self._watcher.progress(expected if state.done else min(read, expected), expected)


class _ListReader:
    """Reads one list; ``state`` is how far, and as the work file has it after each step."""

    def __init__(self, reader: Reader, source: HistorySource, list_filter: ListFilter) -> None:
        self._reader = reader
        self._fetcher = reader.fetcher
        self._spool = reader.spool
        self._since = source.since
        self._began = source.started_at
        self._oldest = source.started_at
        self._list_filter = list_filter
        self._previous: Sequence[Action] = ()

    async def read(self) -> int:
        state = self._spool.list_state(self._list_filter.action_type)
        state = await self._begin() if state is None else self._resume(state)
        # How far the list has grown since then is not known: one page will tell.
        concurrency, stalls = 1, 0
        while not state.done:
            left = state.left
            if left is None:
                state = await self._by_number(state, concurrency)
            else:
                state = await self._from_old_end(state, left, concurrency)
                stalls = stalls + 1 if state.left == left and concurrency > 1 else 0
                if stalls == MOST_STALLS:
                    state = replace(state, left=None, next_page=1)
            concurrency = self._reader.concurrency
            self._tell(state)
        return state.shortfall

    async def _begin(self) -> ListState:
        """Read the first page: how the list is sorted, and how long it is."""
        (page,) = await self._reader.pages(self._list_filter, [1])
        order = direction(created(page.actions)) or SortOrder.NEWEST
        state = ListState(
            order,
            page.total,
            page.total,
            left=None,
            next_page=2,
            malformed=page.malformed,
            page_size=self._fetcher.page_size,
        )
        if self._is_end(page, 1) or self._is_older(state, page):
            state = self._conclude(state, page.actions)
        elif order is SortOrder.NEWEST and page.total is not None and page.total > page.length:
            state = replace(state, left=page.total - page.length)
        elif order is SortOrder.OLDEST and self._since is not None:
            state = replace(state, next_page=await self._page_since(self._since, page))
        self._save(page.actions, state)
        self._tell(state)
        return state

    def _resume(self, state: ListState) -> ListState:
        """Return the state as it is with the pages of today, which may have another size."""
        if state.page_size < self._fetcher.page_size:
            self._fetcher.limits = replace(self._fetcher.limits, page_size=state.page_size)
        read = (state.next_page - 1) * state.page_size
        return replace(
            state,
            next_page=read // self._fetcher.page_size + 1,
            page_size=self._fetcher.page_size,
        )

    async def _from_old_end(self, state: ListState, left: int, concurrency: int) -> ListState:
        """Read the next pages of a list that is newest first."""
        size, total = self._fetcher.page_size, state.total or 0
        first = max(0, total - left) // size + 1
        numbers = range(first, first + max(1, min(concurrency, pages_of(left, size))))
        found: list[Action] = []
        for number, page in zip(
            numbers, await self._reader.pages(self._list_filter, numbers), strict=True
        ):
            found += page.actions
            state = replace(state, malformed=state.malformed + page.malformed)
            if not page.length:
                state = self._conclude(state, found)
                break
            if page.total is None or contradicts(SortOrder.NEWEST, page.actions):
                state = replace(state, order=SortOrder.NONE, left=None, next_page=1, malformed=0)
                break
            state = replace(state, total=page.total)
            top = page.total - (number - 1) * self._fetcher.page_size
            if top < left:
                break  # what lies between moved on, to a page that was served before it came
            left = min(left, max(0, top - page.length))
            state = replace(state, left=left)
            if self._is_end(page, number) or self._is_older(state, page):
                state = self._conclude(state, found)
                break
            if not left:  # the page is full, so the total may be too small
                state = replace(state, left=None, next_page=number + 1)
                break
        self._save(found, state)
        return state

    async def _by_number(self, state: ListState, concurrency: int) -> ListState:
        """Read the next pages, by their numbers."""
        last = state.next_page
        if state.total is not None:
            last = max(last, pages_of(state.total, self._fetcher.page_size))
        numbers = range(state.next_page, min(last, state.next_page + concurrency - 1) + 1)
        found: list[Action] = []
        for number, page in zip(
            numbers, await self._reader.pages(self._list_filter, numbers), strict=True
        ):
            # Some servers give their last page again for each number after it.
            again = bool(page.actions) and page.actions == self._previous
            self._previous = page.actions
            found += page.actions
            state = replace(
                state,
                total=state.total if page.total is None else page.total,
                next_page=number + 1,
                malformed=state.malformed + page.malformed,
            )
            if again or self._is_end(page, number) or self._is_older(state, page):
                state = self._conclude(state, found)
                break
        self._save(found, state)
        return state

    def _conclude(self, state: ListState, unsaved: Sequence[Action]) -> ListState:
        """Return the state after the last page: done, or read again where some are missing."""
        # What came to a list that is newest first stands before what was read: it is not asked for.
        goal = state.goal if state.order is SortOrder.NEWEST else state.total
        if self._since is not None or goal is None or state.total is None:
            return replace(state, done=True)
        self._save(unsaved, state)
        known = self._spool.count(self._list_filter.action_type) + state.malformed
        shortfall = max(0, goal - known)
        last = pages_of(state.total, self._fetcher.page_size)
        refused = self._fetcher.refuses(self._list_filter, last)
        if not shortfall or refused or state.passes >= MOST_PASSES:
            return replace(state, done=True, shortfall=shortfall)
        return replace(state, left=None, next_page=1, passes=state.passes + 1, malformed=0)

    async def _page_since(self, since: float, first: Page) -> int:
        """Return the first page that matters of a list that is oldest first."""
        low, high = 1, pages_of(first.total or 0, self._fetcher.page_size)
        while high - low > 1:
            middle = (low + high) // 2
            (page,) = await self._reader.pages(self._list_filter, [middle])
            if page.actions and max(created(page.actions), default=0.0) < since - TOLERANCE:
                low = middle
            else:
                high = middle
        return max(2, low)

    def _is_end(self, page: Page, number: int) -> bool:
        return not page.length or self._fetcher.is_last(page, number)

    def _is_older(self, state: ListState, page: Page) -> bool:
        """Tell whether all that follows a page was created before what is wanted."""
        times = created(page.actions)
        return (
            self._since is not None
            and state.order is SortOrder.NEWEST
            and max(times, default=self._since) < self._since - TOLERANCE
        )

    def _tell(self, state: ListState) -> None:
        share = None
        if self._since is not None and state.order is SortOrder.NEWEST:
            # Of a list that is not read to its end, the times say how far it is.
            asked = max(1.0, self._began - self._since)
            share = min(1.0, max(0.001, (self._began - self._oldest) / asked))
        self._reader.tell(state, share)

    def _save(self, actions: Sequence[Action], state: ListState) -> None:
        self._oldest = min((self._oldest, *created(actions)))
        self._spool.add(actions, self._list_filter.action_type, state)
