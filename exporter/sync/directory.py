"""The directory of SIM cards: which of them the API knows by which ICCID, group and tags.

It looks up what it is given by id or by pages of the list of all SIM cards, whichever takes fewer
requests, and keeps nothing of any other SIM card. It must not know the ledger, nor decide which
SIM cards are worth a lookup, and no error of the API leaves it as an exception.
"""

import asyncio
import random
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from exporter.clock import Clock
from exporter.domain import SimCard
from exporter.errors import InvalidResponseError, NotFoundError, PollError, UnavailableError
from exporter.sync.fetcher import ServerLimits, gather
from exporter.sync.request_plan import RequestPlan, pages_of
from exporter.telnyx.client import Client
from exporter.telnyx.schema import SimCardPage, is_id

T = TypeVar("T")

PAGE_SIZE = 250
"""SIM cards per page: Telnyx's maximum."""

MAX_TOTAL = 1_000_000_000
"""Maximum SIM cards of an account; a larger total is an error of the API, and counts as unknown."""

NO_SIM_CARDS = "the API has no /sim_cards; check base_url, or set sim_cards.lookup: false"


@dataclass(frozen=True, slots=True)
class LookUpResult:
    """What one lookup brought.

    ``cards`` has only SIM cards that were asked for, deleted ones included. ``total`` is how many
    the account has, as last seen, None where that is not known. ``unlisted`` are ids that the
    pages which were read did not show, so that only asking by id helps: pass them to the next
    lookup. ``error`` is the first error that concerns all SIM cards; what was read before and
    beside it is in ``cards``. ``failed`` are the ids for which the answer was an error.
    """

    cards: tuple[SimCard, ...] = ()
    total: int | None = None
    requests: int = 0
    error: PollError | None = None
    unlisted: frozenset[str] = frozenset()
    failed: Mapping[str, PollError] = field(default_factory=dict)


async def look_up(  # noqa: PLR0913 - what is known and what bounds it, each by its name
    client: Client,
    ids: Sequence[str],
    *,
    total: int | None,
    budget: int,
    concurrency: int,
    clock: Clock,
    seconds: float,
    unlisted: Collection[str] = (),
    any_known: bool = False,
) -> LookUpResult:
    """Look up SIM cards with at most min(ids, pages of the list, ``budget``) requests.

    The first ones are asked for first. A list has one page at least. ``total`` and ``unlisted`` are
    those of the result before, None and empty at first. At most ``concurrency`` requests are sent
    at a time. After ``seconds`` it ends with an error. What was not read is for another call.

    ``any_known``: some SIM card was read before. As long as none was, nor a page of the list, a 404
    without Telnyx's documented body says that the API has no SIM cards, not that one is deleted.
    """
    lookup = _Lookup(client, ids, total, clock, seconds, unlisted, any_known=any_known)
    while plan := lookup.next_requests(budget, concurrency):
        await lookup.send(plan)
    return lookup.result()


@dataclass(frozen=True, slots=True)
class LookUpProgress:
    """How far a lookup is: what it decides the next requests by.

    ``left`` are the ids to look up, ``unlisted`` those of them for which pages are no use.
    ``page_size`` is how many SIM cards a page holds, ``pages_read`` the numbers of the pages that
    were read, and ``remaining`` how many requests may still be sent.
    """

    left: tuple[str, ...]
    unlisted: frozenset[str]
    total: int | None
    page_size: int
    pages_read: frozenset[int]
    remaining: int

    @property
    def pages(self) -> range:
        """The pages of the list, empty if it is not known how many it has."""
        last = 0 if self.total is None else list_pages(self.total, self.page_size)
        return range(1, last + 1)

    @property
    def unread(self) -> int:
        """How many pages of the list were not read, 0 if it is not known how many it has."""
        return len(self.pages) - sum(number in self.pages for number in self.pages_read)

    def sample_unread(self, count: int, seed: float) -> tuple[int, ...]:
        """Return ``count`` pages that were not read, in random order; all of them if fewer."""
        # There may be too many pages to list them: draw enough to leave out those that were read.
        size = min(len(self.pages), count + len(self.pages_read))
        drawn = random.Random(seed).sample(self.pages, size)  # noqa: S311 - not for security
        return tuple(number for number in drawn if number not in self.pages_read)[:count]


def list_pages(total: int, size: int = PAGE_SIZE) -> int:
    """Return how many pages a list has; an empty one has a page, too."""
    return max(1, pages_of(total, size))


def plan_lookup(progress: LookUpProgress, seed: float, *, by_id: bool = False) -> RequestPlan:
    """Plan all requests that may still be sent; nothing if there is nothing to look up.

    ``by_id``: the list cannot be used. ``seed`` selects the pages where there are too many, so
    that another lookup reads others.
    """
    remaining = max(0, progress.remaining)
    one_by_one = RequestPlan((), progress.left[:remaining])
    listed = sum(each not in progress.unlisted for each in progress.left)
    if by_id or listed < 2 or not remaining:  # noqa: PLR2004 - one costs one request by its id
        return one_by_one
    if progress.total is None:
        # The first page tells how many there are. If it did not, pages have no end.
        first = not progress.pages_read and remaining > 1
        return RequestPlan((1,), ()) if first else one_by_one
    unread = progress.unread
    if not unread or listed <= unread:
        return one_by_one
    if unread <= remaining:
        return RequestPlan(tuple(sorted(progress.sample_unread(unread, seed))), ())
    # More wanted than pages: a page shows more than one of them on average. One request goes to an
    # id, because these pages may show none; one that no page shows, if there is any.
    ids = sorted(progress.left, key=lambda each: each not in progress.unlisted)
    return RequestPlan(progress.sample_unread(remaining - 1, seed), tuple(ids[:1]))


def _plausible(total: int | None) -> int | None:
    return None if total is None or total > MAX_TOTAL else total


class _Lookup:
    """One lookup while it runs."""

    def __init__(
        self,
        client: Client,
        ids: Sequence[str],
        total: int | None,
        clock: Clock,
        seconds: float,
        unlisted: Collection[str],
        *,
        any_known: bool,
    ) -> None:
        self._client = client
        self._left = dict.fromkeys(each for each in ids if is_id(each))
        self._wanted = len(self._left)
        self._total = _plausible(total)
        self._clock = clock
        self._now = clock.now()
        self._seconds = seconds
        self._deadline = clock.monotonic() + seconds
        self._unlisted = frozenset(unlisted) & self._left.keys()
        self._exists = any_known or self._total is not None
        self._limits = ServerLimits()
        self._pages_read: frozenset[int] = frozenset()
        self._cards: dict[str, SimCard] = {}
        self._asked: set[str] = set()
        self._requests = self._failed_in_a_row = 0
        self._by_id = self._stopped = False
        self._error: PollError | None = None
        self._failed: dict[str, PollError] = {}

    def next_requests(self, budget: int, concurrency: int) -> RequestPlan | None:
        """Return the requests to send at once now; None if there are none."""
        if self._stopped:
            return None
        plan = plan_lookup(self._progress(budget), self._now, by_id=self._by_id)
        if plan.cost and self._clock.monotonic() >= self._deadline:
            self._stop(self._too_slow())
            return None
        # Pages first: what they show need not be asked for.
        if plan.pages:
            return RequestPlan(plan.pages[:concurrency], ())
        return RequestPlan((), plan.ids[:concurrency]) if plan.ids else None

    async def send(self, plan: RequestPlan) -> None:
        """Send requests, and keep what they bring."""
        self._requests += plan.cost
        answers = await gather([self._page(number) for number in plan.pages])
        for number, page in zip(plan.pages, answers, strict=True):
            if page is not None:
                self._limits = self._limits.after(page, number, asked=PAGE_SIZE)
                self._total = self._total if page.total is None else _plausible(page.total)
                self._pages_read |= {number}
                self._exists = True
                for card in page.cards:
                    self._found(card)
        self._asked.update(plan.ids)
        answers_by_id = await gather([self._card(each) for each in plan.ids])
        for sim_card_id, answer in zip(plan.ids, answers_by_id, strict=True):
            if isinstance(answer, SimCard):
                self._failed_in_a_row = 0
                self._exists = True
                self._found(answer)
                continue
            self._failed[sim_card_id] = answer
            self._failed_in_a_row += 1
            # One such answer concerns one SIM card, two in a row all of them. Any other error would
            # meet the next request as well.
            one_card = isinstance(answer, InvalidResponseError | UnavailableError)
            if not one_card or self._failed_in_a_row > 1 or isinstance(answer, NotFoundError):
                self._stop(answer)

    def result(self) -> LookUpResult:
        """Return what was brought up to now."""
        # Where it read all there is, or what it read was no use, the next one would read it again.
        whole = self._total is not None and not self._progress().unread
        if self._pages_read and (whole or not self._cards):
            self._unlisted = frozenset(self._left)
        return LookUpResult(
            tuple(self._cards.values()),
            self._total,
            self._requests,
            self._error,
            self._unlisted & self._left.keys(),
            self._failed,
        )

    def _progress(self, budget: int = 0) -> LookUpProgress:
        bound = min(self._wanted, budget)
        if self._total is not None:
            bound = min(bound, list_pages(self._total))
        return LookUpProgress(
            left=tuple(each for each in self._left if each not in self._asked),
            unlisted=self._unlisted,
            total=self._total,
            page_size=self._limits.page_size or PAGE_SIZE,
            pages_read=self._pages_read,
            remaining=bound - self._requests,
        )

    async def _page(self, number: int) -> SimCardPage | None:
        try:
            return await self._in_time(self._client.sim_cards(number, PAGE_SIZE))
        except NotFoundError as exc:
            # An API without this list would call each SIM card unknown, too.
            self._stop(exc if self._exists else NotFoundError(NO_SIM_CARDS))
            return None
        except PollError as exc:
            self._error = self._error or exc
            self._by_id = True
            if not isinstance(exc, InvalidResponseError):
                self._stop(exc)
            return None

    async def _card(self, sim_card_id: str) -> SimCard | PollError:
        try:
            card = await self._in_time(self._client.sim_card(sim_card_id))
        except NotFoundError as exc:
            if exc.documented or self._exists:
                return SimCard(sim_card_id, deleted=True)
            return NotFoundError(NO_SIM_CARDS)
        except PollError as exc:
            return exc
        if card.id != sim_card_id:
            return InvalidResponseError("the response contains another SIM card")
        return card

    async def _in_time(self, answer: Awaitable[T]) -> T:
        """Wait for an answer until the deadline; the client's own timeout applies as well."""
        try:
            async with asyncio.timeout(self._deadline - self._clock.monotonic()):
                return await answer
        except TimeoutError as exc:
            error = self._too_slow()
            self._stop(error)
            raise error from exc

    def _too_slow(self) -> UnavailableError:
        return UnavailableError(
            f"looking up SIM cards took longer than {self._seconds:g} s; what is left is for later"
        )

    def _found(self, card: SimCard) -> None:
        if card.id in self._left:
            del self._left[card.id]
            self._cards[card.id] = msgspec.structs.replace(card, looked_up_at=self._now)

    def _stop(self, error: PollError) -> None:
        self._error = self._error or error
        self._stopped = True
