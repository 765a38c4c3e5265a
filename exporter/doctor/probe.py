"""Asks one account what the checks need: a bounded number of GET requests, one after another.

It must not judge what comes back (`account_checks`, `list_checks`), nor change anything.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from exporter.account_client import open_client
from exporter.clock import Clock
from exporter.config import Account, Settings
from exporter.doctor import seen as questions
from exporter.doctor.seen import (
    FILTERED,
    INTERRUPTED,
    NO_LIST,
    Answer,
    Reach,
    Seen,
)
from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.errors import (
    BadRequestError,
    DeliveryError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.sinks.alertmanager.names import system_addresses
from exporter.telnyx.client import Client, Received
from exporter.telnyx.http import Route
from exporter.telnyx.lenient_json import decode_anything, mapping
from exporter.telnyx.query import Query
from exporter.telnyx.reach import Reached, reach
from exporter.telnyx.schema import decode_page, is_id

MOST_REQUESTS = 25
"""Requests that an account is asked at most, retries included."""

ATTEMPTS = 2
"""How often a request is sent at most."""

PATIENCE = 5.0
"""Seconds that a request waits for the rate limit at most."""

TIMEOUT = 5.0
"""Seconds that a response may take at most."""

DEADLINE = 20.0
"""Seconds for the whole account, beside those that ``poll.rate_limit`` makes the requests take."""

LOOKUP_TIMEOUT = 5.0
"""Seconds that resolving a name may take."""

MOST_ADDRESSES = 8

_SIM_CARDS = "sim_cards"
_KEPT_OF_SIM_CARD = ("id", "iccid", "sim_card_group_id", "sim_card_group")
"""What the API sends besides is personal, and comes unasked."""

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class _Requests:
    """The observer of a client: counts what it sends."""

    sent: int = 0

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:  # noqa: ARG002
        self.sent += 1

    def retrying(self, cause: str) -> None:
        """Nothing is recorded of it: the request that is sent again is counted."""

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Nothing is recorded of it: the headers are seen as they are."""

    def malformed_seen(self, count: int) -> None:
        """Nothing is recorded of it: the bodies are seen as they are."""


class _StopError(Exception):
    """Nothing more is asked; the text says why."""


class Probe:
    """Asks one account; ``seen`` is what came back, also while it is being asked."""

    def __init__(
        self,
        settings: Settings,
        account: Account,
        key: Callable[[], str],
        route: Route,
        clock: Clock,
    ) -> None:
        """Store the parts; nothing is sent yet."""
        self.seen = Seen(settings.poll.page_size)
        self._settings = settings
        self._account = account
        self._key = key
        self._route = route
        self._clock = clock
        self._requests = _Requests()
        self._last: Received | None = None
        self._unanswered = 0

    async def run(self) -> None:
        """Ask, until all is asked, the account stops to answer, or the deadline is over."""
        poll = self._settings.poll
        deadline = DEADLINE + MOST_REQUESTS / poll.rate_limit
        limits = {"request_timeout": min(poll.request_timeout, TIMEOUT), "concurrency": 1}
        client, close = open_client(
            self._account,
            poll.model_copy(update=limits),
            key=self._key,
            route=self._route,
            observer=self._requests,
            clock=self._clock,
        )
        client.on_received = self._receive
        try:
            async with asyncio.timeout(deadline):
                self.seen.reach = await self._reach()
                if any(each.reached is Reached.CONNECTED for each in self.seen.reach.addresses):
                    await self._ask_all(client)
                else:
                    self.seen.stopped = "no connection"
        except asyncio.CancelledError:
            self.seen.stopped = INTERRUPTED
            raise
        except TimeoutError:
            self.seen.stopped = f"the time was up after {deadline:.0f} s"
        except _StopError as exc:
            self.seen.stopped = str(exc)
        finally:
            self.seen.requests = self._requests.sent
            await close()

    async def _reach(self) -> Reach:
        proxy = self._route.proxy
        parts = urlsplit(self._account.base_url if proxy is None else proxy.url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        variable = "" if proxy is None else proxy.variable
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                found = await system_addresses(host, port)
        except TimeoutError:
            return Reach(host, variable, error=f"no answer within {LOOKUP_TIMEOUT:g} s")
        except (OSError, UnicodeError, DeliveryError) as exc:
            return Reach(host, variable, error=str(exc))
        return Reach(host, variable, await reach(found[:MOST_ADDRESSES], port))

    async def _ask_all(self, client: Client) -> None:
        asked, small = self.seen.page_size, self.seen.small_page
        first = await self._ask(client, questions.LIST, Query(1, asked))
        if isinstance(first.error, BadRequestError) and small < asked:
            first = await self._ask(client, questions.LIST_SMALL, Query(1, small))
        if first.page is None:
            raise _StopError(NO_LIST)
        size = min(first.page.page_size or first.page.length, asked)
        if size and first.page.total and first.page.total > size:
            last = -(-first.page.total // size)
            await self._ask(client, questions.LIST_END, Query(last, size))
        for status in FILTERED:
            # Many reasons of failures are wanted; of the others enough to see the filter obeyed.
            wanted = size if status is Status.FAILED else small
            question = questions.status_question(status)
            await self._ask(client, question, Query(1, max(1, wanted), status))
        await self._ask(client, questions.TOTAL_BETWEEN, Query(1, 1))
        for action_type in KNOWN_ACTION_TYPES:
            question = questions.type_question(action_type)
            await self._ask(client, question, Query(1, 1, action_type=action_type))
        await self._ask(client, questions.TOTAL_AFTER, Query(1, 1))
        if first.page.actions:
            path = ("sim_card_actions", first.page.actions[0].id)
            await self._ask(client, questions.ACTION, None, *path)
        if self._settings.sim_cards.lookup:
            await self._ask_sim_card(client)
        await self._ask_bulk(client)

    async def _ask_sim_card(self, client: Client) -> None:
        ids = (each.sim_card_id for each in self.seen.actions().values())
        sim_card_id = next(filter(is_id, ids), None)
        if sim_card_id is None:
            sim_card_id = await self._ask_list(client, questions.SIM_CARD_LIST, _SIM_CARDS, 1)
        if sim_card_id is not None:
            await self._ask(
                client,
                questions.SIM_CARD,
                {"include_sim_card_group": "true"},
                _SIM_CARDS,
                sim_card_id,
            )

    async def _ask_bulk(self, client: Client) -> None:
        name = "bulk_sim_card_actions"
        bulk_id = await self._ask_list(client, questions.BULK_LIST, name, self.seen.small_page)
        if bulk_id is not None:
            await self._ask(client, questions.BULK, None, name, bulk_id)

    async def _ask_list(self, client: Client, question: str, name: str, size: int) -> str | None:
        """Ask for the beginning of a list; returns the first ID in it."""
        answer = await self._ask(client, question, Query(1, size).params(), name)
        items = mapping(answer.document).get("data")
        ids = (mapping(each).get("id") for each in (items if isinstance(items, list) else ()))
        return next((each for each in ids if isinstance(each, str) and is_id(each)), None)

    async def _ask(
        self, client: Client, question: str, query: Query | dict[str, str] | None, *path: str
    ) -> Answer:
        """Ask once more if it fails and may be retried; raises _StopError if nothing is left."""
        left = MOST_REQUESTS - self._requests.sent
        if not left:
            raise _StopError(f"{MOST_REQUESTS} requests were sent, because some had to be repeated")
        listed = isinstance(query, Query)
        params = query.params() if isinstance(query, Query) else query or {}
        self._last = None
        try:
            body = await client.examine(
                *(path or ("sim_card_actions",)),
                params=params,
                attempts=min(ATTEMPTS, left),
                patience=PATIENCE,
            )
            document, page = decode_anything(body), decode_page(body) if listed else None
            if path[:1] == (_SIM_CARDS,):
                document = _without_personal_data(document)
            answer = Answer(self._forget_body(), None, document, page)
        except PollError as exc:
            answer = Answer(self._last, exc)
        self.seen.answers[question] = answer
        failed = isinstance(answer.error, UnavailableError | RateLimitedError)
        self._unanswered = self._unanswered + 1 if failed else 0
        if self._unanswered > 1:
            raise _StopError("two questions in a row were not answered")
        return answer

    def _receive(self, received: Received) -> None:
        self._last = received
        self.seen.received.append(received)

    def _forget_body(self) -> Received | None:
        """Let go of the body of the last response, which was read; returns what is left of it."""
        if self._last is not None:
            self._last = replace(self._last, answer=replace(self._last.answer, body=b""))
            self.seen.received[-1] = self._last
        return self._last


def _without_personal_data(document: object) -> dict[str, object]:
    """Return a SIM card, or a page of them, with nothing but what is checked."""
    data = mapping(document).get("data")
    items = [mapping(each) for each in (data if isinstance(data, list) else [data])]
    kept = [{name: each.get(name) for name in _KEPT_OF_SIM_CARD} for each in items]
    return {"data": kept if isinstance(data, list) else kept[0]}
