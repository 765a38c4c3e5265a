"""The API client of one account: asks politely, retries, and answers with values or own errors.

It must not decide what to ask, nor remember anything of an action. The key is asked for anew
at each request and goes into one header of that request, to the configured host only:
redirects are not followed, and no error, log line or repr holds it.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import httpx
from aiolimiter import AsyncLimiter
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from exporter.clock import Clock
from exporter.errors import (
    AuthError,
    BadRequestError,
    ConfigError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.limits import read_rate_limit
from exporter.telnyx.query import Query
from exporter.telnyx.wire import Action, Page, decode_action, decode_page, decode_problems

ATTEMPTS = 4
"""How often one request is sent at most: Telnyx advises 3 to 5."""

BACKOFF = 0.5
"""Seconds before the first retry; doubled each time, with jitter."""

LONGEST_WAIT = 30.0
"""Seconds that a request waits at most for a rate limit; past it the poll ends."""

LONGEST_PAUSE = 3600.0
"""Seconds that the next poll is put off at most, whatever a header asks for."""

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of an answer that are read at most: a page of 250 actions takes some 120 kB."""


class Observer(Protocol):
    """Who is told of each request."""

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:
        """Take note of an answer: ``code`` is the HTTP status, or ``error``."""

    def retrying(self, cause: str) -> None:
        """Take note that a request is sent again."""

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Take note of what the API said of its limit."""

    def malformed_seen(self, count: int) -> None:
        """Take note of items that could not be read."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How one account is asked: ``rate`` in requests a second, ``timeout`` in seconds."""

    timeout: float
    rate: float
    concurrency: int


class _Again(Exception):  # noqa: N818 - a signal to the retry loop, never seen outside
    """A request that may be sent again: ``error`` is raised when it may not any more."""

    def __init__(self, error: PollError, cause: str, wait: float | None = None) -> None:
        super().__init__(cause)
        self.error = error
        self.cause = cause
        self.wait = wait


class Client:
    """Asks the API for one account.

    ``key`` returns the API key at each request; ``http`` is closed by whoever made it.
    Every method raises AuthError, RateLimitedError, UnavailableError or InvalidResponseError.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: Callable[[], str],
        http: httpx.AsyncClient,
        manners: Manners,
        observer: Observer,
        clock: Clock,
    ) -> None:
        """Keep the parts; nothing is sent yet."""
        self._url = base_url.rstrip("/") + "/sim_card_actions"
        self._key = key
        self._http = http
        self._timeout = manners.timeout
        self._slots = asyncio.Semaphore(manners.concurrency)
        # aiolimiter cannot hold less than one request a period: slower rates get longer periods.
        self._limiter = (
            AsyncLimiter(manners.rate, 1.0)
            if manners.rate >= 1
            else AsyncLimiter(1, 1 / manners.rate)
        )
        self._observer = observer
        self._clock = clock
        self._closed_until = 0.0
        self._jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def list(self, query: Query) -> Page:
        """Return one page of the listing that ``query`` describes."""
        page = decode_page(await self._fetch("list", self._url, query.params()))
        if page.malformed:
            self._observer.malformed_seen(page.malformed)
        return page

    async def get(self, action_id: str) -> Action:
        """Return one action; raises NotFoundError where there is none."""
        # Identifiers come from the API: quoting keeps a strange one inside its path segment.
        return decode_action(
            await self._fetch("get", f"{self._url}/{quote(action_id, safe='')}", {})
        )

    async def _fetch(self, endpoint: str, url: str, params: dict[str, str]) -> bytes:
        """Send one request until it is answered; returns the body of a 200."""
        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(ATTEMPTS),
            retry=retry_if_exception_type(_Again),
            wait=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._send(endpoint, url, params)
        except _Again as exc:
            raise exc.error from exc
        raise AssertionError("tenacity ends with a result or an error")  # pragma: no cover

    def _pause(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt: the server's word, else backoff."""
        again = state.outcome.exception() if state.outcome is not None else None
        if isinstance(again, _Again) and again.wait is not None:
            return again.wait
        return BACKOFF * 2.0 ** (state.attempt_number - 1) * self._jitter.uniform(0.75, 1.25)

    def _tell(self, state: RetryCallState) -> None:
        again = state.outcome.exception() if state.outcome is not None else None
        if isinstance(again, _Again):
            self._observer.retrying(again.cause)

    async def _send(self, endpoint: str, url: str, params: dict[str, str]) -> bytes:
        """Send one request once, when the limits allow it."""
        headers = {"authorization": f"Bearer {self._readable_key()}"}
        async with self._slots:
            await self._limiter.acquire()
            await self._wait_for_window()
            started = self._clock.monotonic()
            code = "error"
            try:
                async with asyncio.timeout(self._timeout):
                    async with self._http.stream(
                        "GET", url, params=params or None, headers=headers, follow_redirects=False
                    ) as response:
                        code = str(response.status_code)
                        body = await _read(response)
            except (httpx.TimeoutException, TimeoutError) as exc:
                error = UnavailableError(f"no answer within {self._timeout:g} s")
                raise _Again(error, "unavailable") from exc
            except httpx.HTTPError as exc:
                error = UnavailableError(f"connection failed: {type(exc).__name__}: {exc}")
                raise _Again(error, "unavailable") from exc
            finally:
                self._observer.request_done(endpoint, code, self._clock.monotonic() - started)
        return self._judge(response, body)

    def _readable_key(self) -> str:
        try:
            key = self._key()
        except ConfigError as exc:
            raise AuthError(str(exc)) from exc
        if not key.isascii() or not key.isprintable():
            raise AuthError("the API key holds characters that no key has")
        return key

    async def _wait_for_window(self) -> None:
        """Wait while the window of the rate limit is known to be spent."""
        while (wait := self._closed_until - self._clock.monotonic()) > 0:
            if wait > LONGEST_WAIT:
                raise RateLimitedError(f"rate limit: told to wait {wait:.0f} s", retry_after=wait)
            await self._clock.sleep(wait)

    def _close_for(self, seconds: float) -> None:
        """Let no request out for ``seconds``; on a clock that does not jump."""
        until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        self._closed_until = max(self._closed_until, until)

    def _judge(self, response: httpx.Response, body: bytes) -> bytes:
        """Return the body of a good answer, raise the error of any other."""
        limit = read_rate_limit(response.headers, self._clock.now())
        self._observer.rate_limit_seen(limit.limit, limit.remaining)
        if limit.remaining == 0 and limit.reset is not None:
            self._close_for(limit.reset)
        status = response.status_code
        if status == httpx.codes.OK:
            return body
        text = _describe(status, body)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            wait = limit.wait
            if wait is None:
                raise _Again(RateLimitedError(text, retry_after=0.0), "rate_limited")
            self._close_for(wait)
            error = RateLimitedError(text, retry_after=min(wait, LONGEST_PAUSE))
            if wait > LONGEST_WAIT:
                raise error
            raise _Again(error, "rate_limited", wait)
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise AuthError(text)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
            raise _Again(UnavailableError(text), "unavailable", _short(limit.retry_after))
        if status == httpx.codes.NOT_FOUND:
            raise NotFoundError(text)
        if status in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            raise BadRequestError(text)
        raise InvalidResponseError(text)


async def _read(response: httpx.Response) -> bytes:
    """Read the body, but no more than LARGEST_BODY of it."""
    parts = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_BODY:
            raise InvalidResponseError(f"the answer is longer than {LARGEST_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


def _describe(status: int, body: bytes) -> str:
    """Return one line about a refusal: the status, and the first problem that the body names."""
    problems = decode_problems(body)
    return f"HTTP {status}: {problems[0]}"[:300] if problems else f"HTTP {status}"


def _short(wait: float | None) -> float | None:
    """Obey the wait of an outage only within the cap: then the poll tries on its own terms."""
    return None if wait is None else min(wait, LONGEST_WAIT)
