"""A client of a played server, in time that passes at once.

Tests run on an event loop whose clock jumps to the next timer as soon as nothing else is left
to do: waits, rates and time-outs are as long as they should be, and cost nothing.
"""

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import Route, open_http

EPOCH = 1_700_000_000.0
KEY = "KEY0123-secret"
EMPTY = b'{"data":[]}'

Handler = Callable[[httpx.Request], Any]


class _Jumping(selectors.DefaultSelector):
    """Passes time instead of waiting for it; a nanosecond passes in any case, as in life."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # nothing would ever happen, but for another thread
            return super().select(timeout)
        events = super().select(0)
        self.now += 1e-9 if events else max(timeout, 1e-9)
        return events


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Let time jump, except where a test uses the network."""
    if not {"listening", "proxying", "breaking"}.isdisjoint(getattr(item, "fixturenames", ())):
        return {"real": asyncio.SelectorEventLoop}
    return {"jumping": _JumpingLoop}


class LoopClock:
    """The time of the running loop; ``waits`` holds each wait that was asked for, in seconds.

    On a loop whose time does not jump, waits are noted and left out.
    """

    def __init__(self) -> None:
        """Begin with no waits."""
        self.waits: list[float] = []
        self._left_out = 0.0

    def now(self) -> float:
        """Return the wall clock's time."""
        return EPOCH + self.monotonic()

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time() + self._left_out

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        self.waits.append(seconds)
        jumps = isinstance(asyncio.get_running_loop(), _JumpingLoop)
        self._left_out += 0.0 if jumps else seconds
        await asyncio.sleep(seconds if jumps else 0.0)


@dataclass
class Notes:
    """All that the observer is told, in order."""

    done: list[tuple[str, str, float]] = field(default_factory=list)
    retries: list[str] = field(default_factory=list)
    limits: list[tuple[float | None, float | None]] = field(default_factory=list)
    malformed: list[int] = field(default_factory=list)

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:
        """Note it, to the microsecond."""
        self.done.append((endpoint, code, round(seconds, 6)))

    def retrying(self, cause: str) -> None:
        """Note it."""
        self.retries.append(cause)

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Note it."""
        self.limits.append((limit, remaining))

    def malformed_seen(self, count: int) -> None:
        """Note it."""
        self.malformed.append(count)


class Body(httpx.AsyncByteStream):
    """A body that comes in parts; an exception among them breaks the connection there."""

    def __init__(self, *parts: bytes | Exception) -> None:
        """Keep the parts."""
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts."""
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            yield part


def _answer(
    status: int = 200,
    content: bytes | httpx.AsyncByteStream = EMPTY,
    /,
    **headers: str,
) -> httpx.Response:
    """Make one answer; ``retry_after`` becomes the header `retry-after`, and so on."""
    stream = Body(content) if isinstance(content, bytes) else content
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=stream)


@dataclass
class Desk:
    """A client, and all that it touches."""

    client: Client
    notes: Notes
    clock: LoopClock
    requests: list[httpx.Request]
    times: list[float]
    """When each request came, in seconds since the start, to the microsecond."""


def _played(script: Sequence[object]) -> Handler:
    """Give the answers of ``script`` one by one; an exception among them is raised."""
    left = iter(script)

    def play(_: httpx.Request) -> object:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return play


@pytest.fixture
def answer() -> Callable[..., httpx.Response]:
    """Return the maker of answers: ``answer(status, body, header=...)``."""
    return _answer


@pytest.fixture
def body() -> type[Body]:
    """Return the class of bodies that come in parts: ``body(part, ...)``."""
    return Body


@pytest.fixture
async def desk() -> AsyncIterator[Callable[..., Desk]]:
    """Return a function that opens a client of a server, which is a script or a function."""
    pools: list[httpx.AsyncClient] = []

    def open_one(
        server: Sequence[object] | Handler | httpx.AsyncBaseTransport = (),
        *,
        base_url: str = "https://api.telnyx.test/v2",
        key: str | Callable[[], str] = KEY,
        timeout: float = 10.0,
        rate: float = 1e6,
        concurrency: int = 4,
        route: Route | None = None,
    ) -> Desk:
        requests: list[httpx.Request] = []
        times: list[float] = []
        clock, notes = LoopClock(), Notes()
        transport = (
            server
            if isinstance(server, httpx.AsyncBaseTransport)
            else _Played(
                _played(server) if isinstance(server, Sequence) else server, requests, times
            )
        )
        http = open_http(
            timeout=timeout,
            concurrency=concurrency,
            route=route,
            transport=None if route else transport,
        )
        pools.append(http)
        client = Client(
            base_url=base_url,
            key=(lambda: key) if isinstance(key, str) else key,
            http=http,
            limits=ClientLimits(timeout=timeout, rate=rate, concurrency=concurrency),
            observer=notes,
            clock=clock,
            route=route,
        )
        return Desk(client, notes, clock, requests, times)

    yield open_one
    for pool in pools:
        await pool.aclose()


class _Played(httpx.AsyncBaseTransport):
    """Hands requests to a function that plays the server, and remembers them."""

    def __init__(self, handler: Handler, requests: list[httpx.Request], times: list[float]) -> None:
        self._handler = handler
        self._requests = requests
        self._times = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._requests.append(request)
        self._times.append(round(asyncio.get_running_loop().time(), 6))
        answer = self._handler(request)
        answer = await answer if isinstance(answer, Awaitable) else answer
        assert isinstance(answer, httpx.Response)
        return answer
