"""The context of one poll: what its steps share, and the one way in which pages are recorded.

It must not decide what to ask for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.ledger.ledger import Ledger, PageContext, PageResult
from exporter.ledger.records import POSITIONED_ORDERS, ListCursor, ListFilter
from exporter.sync.fetcher import Fetcher
from exporter.sync.filters import AccountFilters
from exporter.sync.progress import ProgressTracker
from exporter.sync.recorder import Recorder
from exporter.sync.request_plan import first_position
from exporter.telnyx.schema import Page


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page that was fetched and recorded, its number, and what it brought."""

    number: int
    page: Page
    result: PageResult


@dataclass(frozen=True, slots=True)
class PollContext:
    """What the steps of one poll share; ``concurrency`` is how many requests run at a time."""

    ledger: Ledger
    filters: AccountFilters
    fetcher: Fetcher
    recorder: Recorder
    progress: ProgressTracker
    concurrency: int

    @property
    def api_time(self) -> float:
        """When this unit of work began, on the API's clock."""
        return self.recorder.unit.now + (self.fetcher.clock_offset or 0.0)

    async def checkpoint(self, requests: int) -> None:
        """Count requests that looked at known actions again, as `Recorder.checkpoint` does."""
        self.progress.note_followed(self.recorder.followed)
        await self.recorder.checkpoint(requests)

    async def read(
        self, list_filter: ListFilter, numbers: Sequence[int], cursor: ListCursor, *, spare: int = 0
    ) -> tuple[PageRead, ...]:
        """Fetch pages of one list concurrently, and record them in the order of ``numbers``.

        ``spare`` is how many actions are missing yet, by the totals.
        """
        pages = await self.fetcher.pages(list_filter, numbers)
        seen = [
            (page.actions, self._where(list_filter, page, number, cursor, spare=spare))
            for number, page in zip(numbers, pages, strict=True)
        ]
        results = await self.recorder.record_pages(seen)
        return tuple(map(PageRead, numbers, pages, results))

    async def record_page(
        self,
        list_filter: ListFilter,
        page: Page,
        number: int,
        cursor: ListCursor,
        *,
        history: bool = False,
        spare: int = 0,
    ) -> PageRead:
        """Record a page; ``history`` says that all on it dates from before the baseline."""
        context = self._where(list_filter, page, number, cursor, spare=spare)
        if history:
            context = replace(context, cursor=None)
        return PageRead(number, page, await self.recorder.record(page.actions, context))

    def _where(
        self, list_filter: ListFilter, page: Page, number: int, cursor: ListCursor, *, spare: int
    ) -> PageContext:
        first, step = None, 0
        # Positions are those of the list of every status.
        if (
            list_filter.status is None
            and page.total is not None
            and cursor.order in POSITIONED_ORDERS
        ):
            size = self.fetcher.page_size
            first, step = first_position(cursor, page=number, size=size, total=page.total)
        return PageContext(cursor, first=first, step=step, spare=spare)
