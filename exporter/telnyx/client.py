"""The API client of one account: rate-limited requests with retries and decoded responses.

It must not decide what to request, or store anything about actions. The API key is read again for
each request and sent in one header, to the configured host only: redirects are not followed, and no
error, log line or repr contains it.
"""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Protocol
from urllib.parse import quote

import httpx
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from exporter.clock import Clock
from exporter.domain import Action, ListedBulk, SimCard
from exporter.errors import (
    AuthError,
    ConfigError,
    InvalidResponseError,
    NotFoundError,
    UnavailableError,
)
from exporter.telnyx.body import ACCEPT_ENCODING, DecompressionError, read_body
from exporter.telnyx.http import Route, issuer_of
from exporter.telnyx.interception import HttpAnswer
from exporter.telnyx.query import Query
from exporter.telnyx.rate_limit_gate import LONGEST_WAIT, RateLimitGate
from exporter.telnyx.rate_limit_headers import read_clock_offset, read_rate_limit
from exporter.telnyx.responses import (
    RetryableError,
    describe,
    error_for,
    interception_error,
    redact,
    redact_body,
)
from exporter.telnyx.schema import (
    BulkPage,
    Page,
    SimCardPage,
    decode_action,
    decode_bulk,
    decode_bulk_page,
    decode_errors,
    decode_page,
    decode_sim_card,
    decode_sim_card_page,
    is_documented_error,
)

ATTEMPTS = 4
"""Maximum attempts per request: Telnyx recommends 3 to 5."""

BACKOFF = 0.5
"""Seconds before the first retry; doubled for each further one, with jitter."""

DIGEST_SIZE = 16
"""Bytes of the digest of a page."""

LOOKUP_PATIENCE = 2.0
"""Maximum seconds that a lookup of SIM cards or bulk actions waits for the rate limit."""

_WITH_GROUP = {"include_sim_card_group": "true"}


class Observer(Protocol):
    """Is notified of each request."""

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:
        """Record a completed request: ``code`` is the HTTP status, or ``error``."""

    def retrying(self, cause: str) -> None:
        """Record that a request is retried."""

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Record the rate limit that the API reports."""

    def malformed_seen(self, count: int) -> None:
        """Record items that could not be decoded."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Limits of the requests of one account: ``rate`` per second, ``timeout`` in seconds."""

    timeout: float
    rate: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Received:
    """A response as it came, for those who examine the API itself; ``body`` is without the key.

    ``at`` is when it was read, in seconds since the epoch. ``issuer`` is the authority that signed
    the server's certificate, empty without TLS.
    """

    answer: HttpAnswer
    headers: Mapping[str, str]
    at: float
    issuer: str


@dataclass(frozen=True, slots=True)
class UndecodedPage:
    """A page of a list as it came."""

    body: bytes
    on_malformed: Callable[[int], None]

    def digest(self) -> bytes:
        """Return what tells its text from that of any other page."""
        return blake2b(self.body, digest_size=DIGEST_SIZE).digest()

    def decode(self) -> Page:
        """Decode it; raises InvalidResponseError."""
        page = decode_page(self.body)
        if page.malformed:
            self.on_malformed(page.malformed)
        return page


@dataclass(frozen=True, slots=True)
class _Effort:
    """What a request may cost: attempts, and seconds of waiting for the rate limit.

    An ``optional`` one must not delay others: a rate limit that it meets holds for its kind only,
    which it names.
    """

    attempts: int
    patience: float
    optional: str = ""


_POLL = _Effort(ATTEMPTS, LONGEST_WAIT)
# A poll goes on without names and bulk actions, and the next one asks for them again.
_LOOKUP = _Effort(1, LOOKUP_PATIENCE, "lookup")
_BULK = _Effort(1, LOOKUP_PATIENCE, "bulk")


class Client:
    """Sends the API requests of one account.

    ``key`` returns the API key for each request; ``http`` is closed by its creator, and ``route``
    is the route that it uses. ``clock_offset`` is by how many seconds the API's clock was ahead of
    ours in the last response that had a date; None before. ``on_received``, if it is set, is called
    with each response, whatever it says. Every method raises RefusedError, RateLimitedError,
    UnavailableError or InvalidResponseError.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: Callable[[], str],
        http: httpx.AsyncClient,
        limits: ClientLimits,
        observer: Observer,
        clock: Clock,
        gate: RateLimitGate | None = None,
        route: Route | None = None,
    ) -> None:
        """Store the parts; nothing is sent yet. ``gate`` may be shared, and closed already."""
        self._base_url = base_url.rstrip("/")
        self._actions_url = self._base_url + "/sim_card_actions"
        self._sim_cards_url = self._base_url + "/sim_cards"
        self._bulks_url = self._base_url + "/bulk_sim_card_actions"
        self._key = key
        self._http = http
        self._route = route or Route()
        self._timeout = limits.timeout
        self._slots = asyncio.Semaphore(limits.concurrency)
        # aiolimiter needs at least one request per period: lower rates get longer periods.
        self._limiter = (
            AsyncLimiter(limits.rate, 1.0) if limits.rate >= 1 else AsyncLimiter(1, 1 / limits.rate)
        )
        self._observer = observer
        self._clock = clock
        self._gate = gate or RateLimitGate(clock)
        self.on_received: Callable[[Received], None] | None = None
        self._optional_gates = {each.optional: RateLimitGate(clock) for each in (_LOOKUP, _BULK)}
        self.clock_offset: float | None = None

    async def list(self, query: Query) -> Page:
        """Return one page of the list that ``query`` describes."""
        return (await self.fetch(query)).decode()

    async def fetch(self, query: Query) -> UndecodedPage:
        """Return one page of the list that ``query`` describes, to be decoded if it is needed."""
        body = await self._fetch("list", self._actions_url, query.params())
        return UndecodedPage(body, self._observer.malformed_seen)

    async def get(self, action_id: str) -> Action:
        """Return one action; raises NotFoundError if it does not exist."""
        url = f"{self._actions_url}/{_segment(action_id)}"
        return decode_action(await self._fetch("get", url, {}))

    async def sim_card(self, sim_card_id: str) -> SimCard:
        """Return one SIM card; raises NotFoundError if it does not exist. Never retried."""
        url = f"{self._sim_cards_url}/{_segment(sim_card_id)}"
        return decode_sim_card(await self._fetch("sim_card", url, _WITH_GROUP, _LOOKUP))

    async def sim_cards(self, page: int = 1, size: int = 250) -> SimCardPage:
        """Return one page of the list of all SIM cards. Never retried."""
        params = Query(page, size).params() | _WITH_GROUP
        body = await self._fetch("sim_cards", self._sim_cards_url, params, _LOOKUP)
        return decode_sim_card_page(body)

    async def bulk_action(self, bulk_id: str) -> ListedBulk:
        """Return one bulk action; raises NotFoundError if it does not exist. Never retried."""
        url = f"{self._bulks_url}/{_segment(bulk_id)}"
        return decode_bulk(await self._fetch("bulk_action", url, {}, _BULK))

    async def bulk_actions(self, page: int = 1, size: int = 250) -> BulkPage:
        """Return one page of the list of bulk actions. Never retried."""
        params = Query(page, size).params()
        found = decode_bulk_page(await self._fetch("bulk_actions", self._bulks_url, params, _BULK))
        if found.malformed:
            self._observer.malformed_seen(found.malformed)
        return found

    async def bulk_members(self, query: Query) -> Page:
        """Return one page of the members of the bulk action of ``query``. Never retried."""
        params = query.params()
        return decode_page(await self._fetch("bulk_members", self._actions_url, params, _BULK))

    async def examine(
        self, *segments: str, params: Mapping[str, str], attempts: int, patience: float
    ) -> bytes:
        """Return the body of what is at a path below the base URL, as it was sent.

        ``attempts`` is the most that is sent; ``patience`` is as of the gate, in seconds.
        """
        url = "/".join((self._base_url, *map(_segment, segments)))
        effort = _Effort(attempts, patience)
        return await self._fetch(segments[0], url, dict(params), effort)

    async def _fetch(
        self, endpoint: str, url: str, params: dict[str, str], effort: _Effort = _POLL
    ) -> bytes:
        """Send one request, with retries; returns the body of a 200."""
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(effort.attempts),
            retry=retry_if_exception_type(RetryableError),
            wait=self._pause,
            before_sleep=self._note_retry,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._send(endpoint, url, params, effort)
        except RetryableError as exc:
            raise exc.error from exc
        raise AssertionError("tenacity ends with a result or an error")  # pragma: no cover

    def _pause(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt: backoff, or longer if the server asks."""
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, not for security
        backoff = BACKOFF * 2.0 ** (state.attempt_number - 1) * jitter
        retryable = state.outcome.exception() if state.outcome is not None else None
        # If the server's clock is behind ours, its wait alone could be zero.
        asked = retryable.wait if isinstance(retryable, RetryableError) else None
        return max(backoff, asked or 0.0)

    def _note_retry(self, state: RetryCallState) -> None:
        retryable = state.outcome.exception() if state.outcome is not None else None
        if isinstance(retryable, RetryableError):
            self._observer.retrying(retryable.cause)

    async def _send(
        self, endpoint: str, url: str, params: dict[str, str], effort: _Effort
    ) -> bytes:
        """Send one request once, as soon as the limits allow."""
        async with self._slots:
            await self._limiter.acquire()
            if effort.optional:
                await self._optional_gates[effort.optional].wait(patience=effort.patience)
            await self._gate.wait(patience=effort.patience)
            key = self._readable_key()
            started = self._clock.monotonic()
            code = "error"
            stage = ""

            async def note(event: str, _: object) -> None:
                nonlocal stage
                stage = event

            try:
                async with asyncio.timeout(self._timeout):
                    async with self._http.stream(
                        "GET",
                        _address(url, *params.items()),
                        headers={
                            "authorization": f"Bearer {key}",
                            "accept-encoding": ACCEPT_ENCODING,
                        },
                        follow_redirects=False,
                        # Each event costs: only what a proxy refuses is told by its stage.
                        extensions={"trace": note} if self._route.proxy else {},
                    ) as response:
                        body = await _body(response)
                        code = str(response.status_code)
            except (httpx.TimeoutException, TimeoutError) as exc:
                error = UnavailableError(
                    f"no response within {self._timeout:g} s{self._route.through}"
                )
                raise RetryableError(error, error.cause) from exc
            # The library does not wrap TLS errors after the handshake.
            except (httpx.HTTPError, ssl.SSLError) as exc:
                error = UnavailableError(redact(self._route.explain(exc, stage), key))
                raise RetryableError(error, error.cause) from _keyless(exc, key)
            except InvalidResponseError as exc:
                raise InvalidResponseError(redact(str(exc), key)) from _keyless(exc, key)
            # The library or the resolver rejects base_url: a retry would not help.
            except (httpx.InvalidURL, UnicodeError) as exc:
                raise UnavailableError("cannot connect to base_url; check its host") from exc
            finally:
                self._observer.request_done(endpoint, code, self._clock.monotonic() - started)
            gate = self._optional_gates.get(effort.optional, self._gate)
            return self._judge(response, body, key, gate)

    def _readable_key(self) -> str:
        try:
            key = self._key()
        except ConfigError as exc:
            raise AuthError(str(exc)) from exc
        # The HTTP library quotes a header that it rejects, so no such key may reach it.
        if not key or not all("!" <= letter <= "~" for letter in key):
            raise AuthError(
                "the API key is empty or contains invalid characters; check the configured key"
            )
        return key

    def _judge(self, response: httpx.Response, body: bytes, key: str, gate: RateLimitGate) -> bytes:
        """Return the body of a successful response; raise the error for any other.

        Closes ``gate`` if the rate limit is exhausted.
        """
        status, headers = response.status_code, response.headers
        answer = HttpAnswer(
            status,
            body,
            headers.get("content-type", ""),
            headers.get("location", ""),
            headers.get("www-authenticate", ""),
        )
        if self.on_received is not None:
            safe = replace(answer, body=redact_body(body, key))
            now = self._clock.now()
            self.on_received(Received(safe, headers, now, issuer_of(response)))
        intercepted = interception_error(answer, key)
        if intercepted is not None:  # its date and rate limit are not Telnyx's either
            raise intercepted
        clock_offset = read_clock_offset(headers, self._clock.now())
        self.clock_offset = self.clock_offset if clock_offset is None else clock_offset
        limit = read_rate_limit(headers, self._clock.now() + (self.clock_offset or 0.0))
        self._observer.rate_limit_seen(limit.limit, limit.remaining)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            if limit.wait is not None:
                gate.close_for(limit.wait)
        elif limit.remaining == 0 and limit.reset is not None:
            gate.exhaust_for(limit.reset)
        if status == httpx.codes.OK:
            return redact_body(body, key)
        codes = (each.code for each in decode_errors(body))
        error = error_for(status, describe(answer, key), limit, codes)
        if isinstance(error, NotFoundError):
            error.documented = is_documented_error(body)
        raise error


@lru_cache(maxsize=256)
def _address(url: str, *params: tuple[str, str]) -> httpx.URL:
    """Return an address with parameters; made once, as polls ask for the same again and again."""
    return httpx.URL(url, params=params or None)


def _segment(name: str) -> str:
    """Return an identifier as one segment of a path."""
    # Identifiers come from the API: quoting keeps an unusual one inside its path segment, and
    # dots are quoted because `..` would leave it.
    return quote(name, safe="", errors="replace").replace(".", "%2E")


def _keyless(error: Exception, key: str) -> Exception | None:
    """Return ``error`` for use as a cause, None if its text contains the key."""
    return error if redact(str(error), key) == str(error) else None


async def _body(response: httpx.Response) -> bytes:
    try:
        return await read_body(response)
    except DecompressionError:
        page = "html" in response.headers.get("content-type", "").lower()
        if response.status_code == httpx.codes.OK and not page:
            raise
        return b""  # the status is enough; the text of a proxy is not needed
