"""Requests of one poll: pages, totals and single actions, fetched and not yet recorded.

It learns from the answers how large pages are and how deep the server lets anyone read. It must
not decide what to ask for, nor know the ledger.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard, TypeVar

from exporter.domain import Action
from exporter.errors import (
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    UnavailableError,
)
from exporter.ledger.records import ListFilter
from exporter.sync.request_plan import pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.query import Query
from exporter.telnyx.schema import Page, SimCardPage

T = TypeVar("T")

EMPTY_PAGE = Page((), None, None, 0)
"""A page without actions that says nothing of its list."""

_ALL = Query()


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a list; ``decode`` raises InvalidResponseError.

    ``digest`` tells its text from that of any other page.
    """

    digest: bytes
    decode: Callable[[], Page]


FetchResult = Action | InvalidResponseError | UnavailableError
"""What asking for one action brings."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What the server has shown of its limits.

    ``page_size`` is how many items a page holds at most, None until an answer shows it.
    ``last_pages`` is the last page that may be read, by list, where a deeper one was refused.
    """

    page_size: int | None = None
    last_pages: Mapping[ListFilter, int] = field(default_factory=dict)

    def after(self, page: Page | SimCardPage, number: int, *, asked: int) -> "ServerLimits":
        """Return the limits as page ``number`` shows them, for which size ``asked`` was asked."""
        served = page.length
        size = asked if self.page_size is None else self.page_size
        if page.page_size is not None and 0 < page.page_size < asked:
            size = max(served, page.page_size)
        elif page.page_size is None and number == 1 and 0 < served < (page.total or 0):
            size = min(served, asked)
        if served > size:
            size = min(served, asked)
        # Where the API does not say, only the first page shows how large pages are.
        shown = self.page_size is not None or page.page_size is not None or number == 1
        return replace(self, page_size=size if shown else None)

    def refused(self, list_filter: ListFilter, number: int) -> "ServerLimits":
        """Return the limits after page ``number`` of a list was refused."""
        last = min(number - 1, self.last_pages.get(list_filter, number))
        return replace(self, last_pages={**self.last_pages, list_filter: last})

    def without_refusals(self) -> "ServerLimits":
        """Return the limits as if no page had been refused: each list may be tried again."""
        return replace(self, last_pages={})


class Fetcher:
    """Fetches from the API; ``limits`` is what the server has shown up to now."""

    def __init__(
        self, client: Client, *, page_size: int, limits: ServerLimits, narrowed: Query = _ALL
    ) -> None:
        """Keep the parts; ``page_size`` is what is asked for, ``limits`` what is known already.

        ``narrowed`` has the filters of all lists, by SIM card and bulk action.
        """
        if limits.page_size is not None:
            limits = replace(limits, page_size=min(limits.page_size, page_size))
        self.limits = limits
        self._client = client
        self._asked = page_size
        self._narrowed = narrowed
        self._failed_in_a_row = 0

    @property
    def page_size(self) -> int:
        """How many actions a page holds: what is asked for, unless the server serves fewer."""
        return self._asked if self.limits.page_size is None else self.limits.page_size

    @property
    def clock_offset(self) -> float | None:
        """By how many seconds the API's clock is ahead of ours; None where it does not say."""
        return self._client.clock_offset

    def refuses(self, list_filter: ListFilter, number: int) -> bool:
        """Tell whether the server is known to refuse a page as too deep in its list."""
        return number > self.limits.last_pages.get(list_filter, number)

    def is_full(self, page: Page) -> bool:
        """Tell whether a page holds as many actions as a page can: there may be another then."""
        return page.length >= self.page_size

    def has_more(self, page: Page, number: int) -> bool:
        """Tell whether there is more behind a page, by the total that it reports."""
        return page.total is not None and number < pages_of(page.total, self.page_size)

    def is_last(self, page: Page, number: int) -> bool:
        """Tell whether a page is the last of its list: a total alone does not say so."""
        return not self.is_full(page) and not (page.actions and self.has_more(page, number))

    def forget_refusals(self) -> None:
        """Let pages that were refused be asked for again."""
        self.limits = self.limits.without_refusals()

    async def page(self, list_filter: ListFilter, number: int) -> Page:
        """Fetch one page.

        It is empty past the end of the list, and where it is refused as too deep: `refuses` says
        which.
        """
        if self.refuses(list_filter, number):
            return EMPTY_PAGE
        query = self._query(list_filter, number, self._asked)
        try:
            page = await self._client.list(query)
        except (BadRequestError, NotFoundError):
            if number == 1:
                raise
            again = await self._second_try(list_filter, query)
            if again is None:
                return EMPTY_PAGE
            page = again
        return self._checked(list_filter, page, number)

    async def first_page(self, list_filter: ListFilter) -> FirstPage:
        """Fetch the first page, which is only decoded when it is needed."""
        fetched = await self._client.fetch(self._query(list_filter, 1, self._asked))
        return FirstPage(fetched.digest(), lambda: self._checked(list_filter, fetched.decode(), 1))

    def _checked(self, list_filter: ListFilter, page: Page, number: int) -> Page:
        """Learn from a page what the server's limits are; raises InvalidResponseError."""
        if page.malformed > 1 and not page.actions and list_filter.status is None:
            raise InvalidResponseError(
                f"none of the {page.malformed} actions on a page can be decoded"
            )
        self.limits = self.limits.after(page, number, asked=self._asked)
        return page

    async def pages(self, list_filter: ListFilter, numbers: Sequence[int]) -> list[Page]:
        """Fetch pages of one list concurrently; returns them in the order of ``numbers``."""
        return await gather([self.page(list_filter, number) for number in numbers])

    async def total(self, list_filter: ListFilter) -> int | None:
        """Ask how many actions a list holds; None where the API does not say."""
        return (await self._client.list(self._query(list_filter, 1, 1))).total

    async def actions(self, ids: Sequence[str]) -> list[FetchResult]:
        """Ask for single actions concurrently; returns an answer for each, in the same order.

        An answer that cannot be used concerns its action only. Where none can be used, and that
        was so with the action before, too, the first error is raised.
        """
        answers = await gather([self._action(action_id) for action_id in ids])
        failed = [answer for answer in answers if _is_failure(answer)]
        all_failed = len(failed) == len(answers)
        self._failed_in_a_row = self._failed_in_a_row + len(failed) if all_failed else 0
        if self._failed_in_a_row > 1:
            raise failed[0]
        return answers

    def _query(self, list_filter: ListFilter, number: int, size: int) -> Query:
        return replace(
            self._narrowed,
            page=number,
            size=size,
            status=list_filter.status,
            action_type=list_filter.action_type,
        )

    async def _second_try(self, list_filter: ListFilter, query: Query) -> Page | None:
        """Ask once more for a page that was refused though it should be there."""
        first = await self._client.list(replace(query, page=1))
        if first.total is None or query.page > pages_of(first.total, self.page_size):
            return None  # past the end, however the API answers that
        try:
            return await self._client.list(query)
        except (BadRequestError, NotFoundError):
            self.limits = self.limits.refused(list_filter, query.page)
            return None

    async def _action(self, action_id: str) -> FetchResult:
        try:
            action = await self._client.get(action_id)
        except (InvalidResponseError, UnavailableError) as exc:
            return exc
        if action.id != action_id:
            return InvalidResponseError(
                "the response contains another action than the requested one"
            )
        return action


def _is_failure(answer: FetchResult) -> TypeGuard[PollError]:
    """Tell whether an answer says nothing of its action, not even that it does not exist."""
    return isinstance(answer, PollError) and not isinstance(answer, NotFoundError)


async def gather(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run calls concurrently; the first error cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as exc:
        raise exc.exceptions[0] from exc
    return [task.result() for task in tasks]
