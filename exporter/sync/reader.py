"""Reading pages into one unit of work: the seam between asking and knowing.

It keeps the unit of work of the poll, which actions were seen in it, the size of pages as the
server serves them, and how deep it lets anyone read. It must not decide what to read next.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, TypeVar

from exporter.clock import Clock
from exporter.domain import Action
from exporter.errors import (
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    UnavailableError,
)
from exporter.ledger.ledger import Ledger, PageContext, PageResult
from exporter.ledger.records import (
    POSITIONED_ORDERS,
    ListCursor,
    ListFilter,
    SortOrder,
    TrackedAction,
)
from exporter.sync.request_plan import first_position, pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.query import Query
from exporter.telnyx.rate_limit_headers import ROUNDING
from exporter.telnyx.schema import Page

T = TypeVar("T")

CHECKPOINT = 40
"""Requests after which facts are committed in the middle of a poll."""

EMPTY_PAGE = Page((), None, None, 0)
"""A page that nothing is said of."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page that was read, its number, and what it brought."""

    number: int
    page: Page
    seen: PageResult


class Reader:
    """Asks for pages and single actions, and takes what comes into the unit of work."""

    def __init__(
        self,
        *,
        client: Client,
        ledger: Ledger,
        clock: Clock,
        size: int,
        concurrency: int,
        served: int | None = None,
        absent: Collection[str] = (),
        page_limits: Mapping[ListFilter, int] | None = None,
    ) -> None:
        """Begin a unit of work; ``size`` is the page size to ask for.

        ``served`` is how large pages were in the poll before, ``absent`` which actions the API did
        not know then; ``missing`` collects those that it does not know now. While ``whole`` is set,
        nothing is committed but all of it. ``found`` are those asked for that are there.
        ``page_limits`` is the last page that the API lets anyone read, by list, where one was
        refused. ``sized`` tells whether it is known how large pages are.
        """
        self.size = size if served is None else min(served, size)
        self.sized = served is not None
        self.page_limits = dict(page_limits or {})
        self.whole = False
        self.missing: set[str] = set()
        self.found: set[str] = set()
        self._absent = absent
        self._uncommitted = 0
        self._failed_in_turn = 0
        self.concurrency = concurrency
        self.ledger = ledger
        self.seen: set[str] = set()
        self._asked = size
        self._client = client
        self._clock = clock
        self.unit = ledger.begin(clock.now())

    async def commit(self) -> None:
        """Commit what was read so far, and begin the next unit of work."""
        await self.ledger.commit(self.unit)
        self.restart()

    async def checkpoint(self, requests: int) -> None:
        """Commit from time to time what is true by itself, so that a long poll is not in vain."""
        self._uncommitted += requests
        if self._uncommitted >= CHECKPOINT and not self.whole:
            await self.commit()

    def restart(self) -> None:
        """Give up what was read since the last commit, and begin a new unit of work."""
        self._uncommitted = 0
        self.unit = self.ledger.begin(self._clock.now())

    def cursor(self, list_filter: ListFilter) -> ListCursor | None:
        """Return what is known of a listing, this unit of work included."""
        return self.unit.cursors.get(list_filter) or self.ledger.state.cursors.get(list_filter)

    def open_rows(self, action_type: str | None) -> Iterator[TrackedAction]:
        """Yield the open actions (of one type), this unit of work included."""
        return self.ledger.state.open_after(self.unit, action_type)

    def refuses(self, list_filter: ListFilter, number: int) -> bool:
        """Tell whether the API is known to refuse a page for being too deep in its list."""
        return number > self.page_limits.get(list_filter, number)

    def is_full(self, page: Page) -> bool:
        """Tell whether a page holds as much as a page can: then there may be another."""
        return len(page.actions) + page.malformed >= self.size

    async def fetch(self, list_filter: ListFilter, number: int) -> Page:
        """Ask for one page, and take nothing of it in yet.

        A page past the end, and one that is refused for its depth, hold nothing: `refuses` tells
        which it is.
        """
        if self.refuses(list_filter, number):
            return EMPTY_PAGE
        query = Query(number, self._asked, list_filter.status, list_filter.action_type)
        try:
            page = await self._client.list(query)
        except (BadRequestError, NotFoundError):
            if number == 1:
                raise
            again = await self._second_try(list_filter, query)
            if again is None:
                return EMPTY_PAGE
            page = again
        served = len(page.actions) + page.malformed
        self.sized = self.sized or page.page_size is not None or number == 1
        if page.malformed == served > 1 and list_filter.status is None:
            raise InvalidResponseError(f"none of {served} actions on a page can be read")
        if page.page_size is not None and 0 < page.page_size < self._asked:
            self.size = max(served, page.page_size)
        elif page.page_size is None and number == 1 and 0 < served < (page.total or 0):
            self.size = min(served, self._asked)
        if served > self.size:
            self.size = min(served, self._asked)
        return page

    async def _second_try(self, list_filter: ListFilter, query: Query) -> Page | None:
        """Ask once more for a page that was refused though it should be there."""
        first = await self._client.list(replace(query, page=1))
        if first.total is None or query.page > pages_of(first.total, self.size):
            return None  # past the end, whatever that is answered with
        try:
            return await self._client.list(query)
        except (BadRequestError, NotFoundError):
            self.page_limits[list_filter] = min(
                query.page - 1, self.page_limits.get(list_filter, query.page)
            )
            return None

    def account(self, list_filter: ListFilter, new: int) -> None:
        """Account for new actions that were not found at the head of their listing."""
        cursor = self.cursor(list_filter)
        if new and cursor is not None:
            self.unit.cursors[list_filter] = replace(cursor, seen_count=cursor.seen_count + new)

    def time_there(self) -> float:
        """Return when this unit of work began, on the clock of the API."""
        return self.unit.now + (self._client.clock_offset or 0.0)

    def baseline_time(self, new_end: Sequence[Action], order: SortOrder) -> float | None:
        """Return a time surely before this unit of work, on the clock that stamps actions.

        That is what the new end of a list holds, or else what the API says of its time, less what
        is lost in rounding; None where neither tells.
        """
        times = (time for each in new_end for time in (each.created_at, each.updated_at))
        stamped = max((time for time in times if time is not None), default=None)
        there = self.time_there() - (0.0 if self._client.clock_offset is None else ROUNDING)
        if order is SortOrder.NONE and self._client.clock_offset is not None:
            return there
        return None if stamped is None else min(stamped, there)

    def reorder(self, list_filter: ListFilter, order: SortOrder) -> None:
        """Take a listing as sorted like this from now on; the next poll verifies it."""
        if (cursor := self.cursor(list_filter)) is not None:
            self.unit.cursors[list_filter] = replace(cursor, order=order)

    async def total(self, list_filter: ListFilter) -> int | None:
        """Ask how many actions a listing holds."""
        return (
            await self._client.list(Query(1, 1, list_filter.status, list_filter.action_type))
        ).total

    async def take(
        self,
        page: Page,
        number: int,
        cursor: ListCursor,
        *,
        placed: bool,
        history: bool = False,
        spare: int = 0,
    ) -> PageRead:
        """Take a page in.

        ``placed`` says that it is of the listing that positions refer to, ``history`` that all
        on it dates from before the baseline; ``spare`` is how many actions are yet missing.
        """
        context = PageContext(None if history else cursor, spare=spare)
        if placed and page.total is not None and cursor.order in POSITIONED_ORDERS:
            first, step = first_position(cursor, page=number, size=self.size, total=page.total)
            context = replace(context, first=first, step=step)
        seen = await self.ledger.record(self.unit, page.actions, context)
        self._saw(page.actions)
        return PageRead(number, page, seen)

    async def read(
        self, list_filter: ListFilter, numbers: Sequence[int], cursor: ListCursor, *, spare: int = 0
    ) -> tuple[PageRead, ...]:
        """Ask for pages of one listing side by side, and take them in, in their order."""
        pages = await gather([self.fetch(list_filter, number) for number in numbers])
        pages_read = []
        for number, page in zip(numbers, pages, strict=True):
            page_read = await self.take(
                page, number, cursor, placed=list_filter.status is None, spare=spare
            )
            spare -= page_read.seen.new
            pages_read.append(page_read)
        return tuple(pages_read)

    async def take_known(self, actions: Sequence[Action], cursor: ListCursor) -> tuple[Action, ...]:
        """Take in those that are known already; returns the others."""
        strange = await self.ledger.unknown(self.unit, actions)
        ids = {action.id for action in strange}
        known = [action for action in actions if action.id not in ids]
        await self.ledger.record(self.unit, known, PageContext(cursor))
        self._saw(known)
        return strange

    async def take_new(self, actions: Sequence[Action], cursor: ListCursor) -> PageResult:
        """Take in actions that are new whenever they were created, unless they say otherwise."""
        self._saw(actions)
        return await self.ledger.record(
            self.unit, actions, PageContext(replace(cursor, baseline_cutoff=None))
        )

    async def ask(self, rows: Sequence[TrackedAction], cursor: ListCursor) -> None:
        """Ask for single actions by their ids; one that is twice not there has vanished.

        One that cannot be told stays as it is; where none can, its error is raised.
        """
        for start in range(0, len(rows), self.concurrency):
            part = rows[start : start + self.concurrency]
            answers = await gather([self._one(row.id) for row in part])
            failed = [answer for answer in answers if _is_failure(answer)]
            self._failed_in_turn = (
                self._failed_in_turn + len(part) if len(failed) == len(part) else 0
            )
            if self._failed_in_turn > 1:
                raise failed[0]
            found = [answer for answer in answers if isinstance(answer, Action)]
            await self.ledger.record(self.unit, found, PageContext(cursor))
            self.found.update(action.id for action in found)
            for row, answer in zip(part, answers, strict=True):
                self.seen.add(row.id)
                if isinstance(answer, NotFoundError):
                    self.missing.add(row.id)
                    if row.id in self._absent:
                        self.unit.mark_gone(row)
            await self.checkpoint(len(part))

    def _saw(self, actions: Iterable[Action]) -> None:
        """Note that actions were seen: by the ids that are held anyway, not by copies of them."""
        known, new = self.ledger.state.open, self.unit.rows
        self.seen.update(
            (known.get(action.id) or new.get(action.id) or action).id for action in actions
        )

    async def _one(self, action_id: str) -> Action | InvalidResponseError | UnavailableError:
        """Ask for one action; an answer that cannot be used concerns this one only."""
        try:
            action = await self._client.get(action_id)
        except (InvalidResponseError, UnavailableError) as exc:
            return exc
        if action.id != action_id:
            return InvalidResponseError("asked for one action, got another")
        return action


def _is_failure(answer: Action | PollError) -> TypeGuard[PollError]:
    """Tell whether an answer for one action says nothing of it, not even that it is not there."""
    return isinstance(answer, PollError) and not isinstance(answer, NotFoundError)


async def gather(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run calls side by side; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as exc:
        raise exc.exceptions[0] from exc
    return [task.result() for task in tasks]
