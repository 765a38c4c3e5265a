"""Reading pages into one unit of work: the seam between asking and knowing.

It keeps the draft of the poll, which actions were seen in it, the size of pages as the server
serves them, and how deep it lets anyone read. It must not decide what to read next.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, TypeVar

from exporter.clock import Clock
from exporter.errors import (
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    UnavailableError,
)
from exporter.ledger.ledger import Ledger, Seen, Sight
from exporter.ledger.model import PLACED, Listing, Order, Row, Scope
from exporter.polling.plan import first_position, pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.limits import ROUNDING
from exporter.telnyx.query import Query
from exporter.telnyx.wire import Action, Page

T = TypeVar("T")

CHECKPOINT = 40
"""Requests after which facts are committed in the middle of a poll."""

NOTHING = Page((), None, None, 0)
"""A page that nothing is said of."""


@dataclass(frozen=True, slots=True)
class Look:
    """A page that was read, its number, and what it brought."""

    number: int
    page: Page
    seen: Seen


class Reader:
    """Asks for pages and single actions, and takes what comes into the draft."""

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
        reach: Mapping[Scope, int] | None = None,
    ) -> None:
        """Begin a unit of work; ``size`` is the page size to ask for.

        ``served`` is how large pages were in the poll before, ``absent`` which actions the API
        did not know then; ``missing`` collects those that it does not know now. While ``whole``
        is set, nothing is committed but all of it. ``found`` are those asked for that are there.
        ``reach`` is the last page that the API lets anyone read, by list, where one was refused.
        ``sized`` tells whether it is known how large pages are.
        """
        self.size = size if served is None else min(served, size)
        self.sized = served is not None
        self.reach = dict(reach or {})
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
        self.draft = ledger.begin(clock.now())

    async def commit(self) -> None:
        """Commit what was read so far, and begin the next unit of work."""
        await self.ledger.commit(self.draft)
        self.restart()

    async def checkpoint(self, requests: int) -> None:
        """Commit from time to time what is true by itself, so that a long poll is not in vain."""
        self._uncommitted += requests
        if self._uncommitted >= CHECKPOINT and not self.whole:
            await self.commit()

    def restart(self) -> None:
        """Give up what was read since the last commit, and begin a new unit of work."""
        self._uncommitted = 0
        self.draft = self.ledger.begin(self._clock.now())

    def listing(self, scope: Scope) -> Listing | None:
        """Return what is known of a listing, this unit of work included."""
        return self.draft.listings.get(scope) or self.ledger.book.listings.get(scope)

    def open_rows(self, action_type: str | None) -> Iterator[Row]:
        """Yield the open actions (of one type), this unit of work included."""
        return self.ledger.book.open_after(self.draft, action_type)

    def refuses(self, scope: Scope, number: int) -> bool:
        """Tell whether the API is known to refuse a page for being too deep in its list."""
        return number > self.reach.get(scope, number)

    def is_full(self, page: Page) -> bool:
        """Tell whether a page holds as much as a page can: then there may be another."""
        return len(page.actions) + page.malformed >= self.size

    async def fetch(self, scope: Scope, number: int) -> Page:
        """Ask for one page, and take nothing of it in yet.

        A page past the end, and one that is refused for its depth, hold nothing: `refuses` tells
        which it is.
        """
        if self.refuses(scope, number):
            return NOTHING
        query = Query(number, self._asked, scope.status, scope.action_type)
        try:
            page = await self._client.list(query)
        except (BadRequestError, NotFoundError):
            if number == 1:
                raise
            again = await self._second_try(scope, query)
            if again is None:
                return NOTHING
            page = again
        served = len(page.actions) + page.malformed
        self.sized = self.sized or page.page_size is not None or number == 1
        if page.malformed == served > 1 and scope.status is None:
            raise InvalidResponseError(f"none of {served} actions on a page can be read")
        if page.page_size is not None and 0 < page.page_size < self._asked:
            self.size = max(served, page.page_size)
        elif page.page_size is None and number == 1 and 0 < served < (page.total or 0):
            self.size = min(served, self._asked)
        if served > self.size:
            self.size = min(served, self._asked)
        return page

    async def _second_try(self, scope: Scope, query: Query) -> Page | None:
        """Ask once more for a page that was refused though it should be there."""
        first = await self._client.list(replace(query, page=1))
        if first.total is None or query.page > pages_of(first.total, self.size):
            return None  # past the end, whatever that is answered with
        try:
            return await self._client.list(query)
        except (BadRequestError, NotFoundError):
            self.reach[scope] = min(query.page - 1, self.reach.get(scope, query.page))
            return None

    def account(self, scope: Scope, new: int) -> None:
        """Account for new actions that were not found at the head of their listing."""
        listing = self.listing(scope)
        if new and listing is not None:
            self.draft.listings[scope] = replace(listing, accounted=listing.accounted + new)

    def time_there(self) -> float:
        """Return when this unit of work began, on the clock of the API."""
        return self.draft.now + (self._client.lead or 0.0)

    def cutoff(self, new_end: Sequence[Action], order: Order) -> float | None:
        """Return a time surely before this unit of work, on the clock that stamps actions.

        That is what the new end of a list holds, or else what the API says of its time, less what
        is lost in rounding; None where neither tells.
        """
        times = (time for each in new_end for time in (each.created_at, each.updated_at))
        stamped = max((time for time in times if time is not None), default=None)
        there = self.time_there() - (0.0 if self._client.lead is None else ROUNDING)
        if order is Order.NONE and self._client.lead is not None:
            return there
        return None if stamped is None else min(stamped, there)

    def reorder(self, scope: Scope, order: Order) -> None:
        """Take a listing as sorted like this from now on; the next poll verifies it."""
        if (listing := self.listing(scope)) is not None:
            self.draft.listings[scope] = replace(listing, order=order)

    async def total(self, scope: Scope) -> int | None:
        """Ask how many actions a listing holds."""
        return (await self._client.list(Query(1, 1, scope.status, scope.action_type))).total

    async def take(
        self,
        page: Page,
        number: int,
        listing: Listing,
        *,
        placed: bool,
        history: bool = False,
        spare: int = 0,
    ) -> Look:
        """Take a page in.

        ``placed`` says that it is of the listing that positions refer to, ``history`` that all
        on it dates from before the baseline; ``spare`` is how many actions are yet missing.
        """
        sight = Sight(None if history else listing, spare=spare)
        if placed and page.total is not None and listing.order in PLACED:
            first, step = first_position(listing, page=number, size=self.size, total=page.total)
            sight = replace(sight, first=first, step=step)
        seen = await self.ledger.absorb(self.draft, page.actions, sight)
        self._saw(page.actions)
        return Look(number, page, seen)

    async def read(
        self, scope: Scope, numbers: Sequence[int], listing: Listing, *, spare: int = 0
    ) -> tuple[Look, ...]:
        """Ask for pages of one listing side by side, and take them in, in their order."""
        pages = await gather([self.fetch(scope, number) for number in numbers])
        looks = []
        for number, page in zip(numbers, pages, strict=True):
            look = await self.take(page, number, listing, placed=scope.status is None, spare=spare)
            spare -= look.seen.new
            looks.append(look)
        return tuple(looks)

    async def take_known(self, actions: Sequence[Action], listing: Listing) -> tuple[Action, ...]:
        """Take in those that are known already; returns the others."""
        strange = await self.ledger.strangers(self.draft, actions)
        ids = {action.id for action in strange}
        known = [action for action in actions if action.id not in ids]
        await self.ledger.absorb(self.draft, known, Sight(listing))
        self._saw(known)
        return strange

    async def take_new(self, actions: Sequence[Action], listing: Listing) -> Seen:
        """Take in actions that are new whenever they were created, unless they say otherwise."""
        self._saw(actions)
        return await self.ledger.absorb(self.draft, actions, Sight(replace(listing, horizon=None)))

    async def ask(self, rows: Sequence[Row], listing: Listing) -> None:
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
            await self.ledger.absorb(self.draft, found, Sight(listing))
            self.found.update(action.id for action in found)
            for row, answer in zip(part, answers, strict=True):
                self.seen.add(row.id)
                if isinstance(answer, NotFoundError):
                    self.missing.add(row.id)
                    if row.id in self._absent:
                        self.draft.vanish(row)
            await self.checkpoint(len(part))

    def _saw(self, actions: Iterable[Action]) -> None:
        """Note that actions were seen: by the ids that are held anyway, not by copies of them."""
        known, new = self.ledger.book.open, self.draft.rows
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
