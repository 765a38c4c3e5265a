"""A simulator in the same process, in which nothing happens by itself and time is a value.

For tests and benchmarks. It must not know the exporter.
"""

import asyncio

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.app import create_app
from exporter.simulator.connection import CONNECTION_KEY
from exporter.simulator.settings import WorldSettings
from exporter.simulator.simulator import Simulator

QUIET = WorldSettings(rate=0.0, bulk_every=0.0, history=0, stuck_at_start=0)
"""An account in which nothing happens by itself."""


class ManualClock:
    """A simulator's clock that stands still until it is advanced."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        """Stand at ``now``, in seconds since the epoch."""
        self.now = now

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance by ``seconds``."""
        self.now += seconds


class AdvancingClock:
    """A simulator's clock as that of an exporter that polls it: sleeping advances it at once."""

    def __init__(self, clock: ManualClock) -> None:
        """Follow ``clock``, and advance it."""
        self._clock = clock

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._clock()

    def monotonic(self) -> float:
        """Return the same time: it never goes back."""
        return self._clock()

    async def sleep(self, seconds: float) -> None:
        """Advance the clock by ``seconds``."""
        self._clock.advance(seconds)


class _InProcessConnection:
    """The connection of a request whose client waits ``timeout`` seconds; None for no limit."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    async def reset(self) -> None:
        raise httpx.ReadError("the simulator broke the connection")

    async def silence(self) -> None:
        if self._timeout is None:
            await asyncio.Event().wait()
        raise httpx.ReadTimeout("the simulator does not answer")

    async def delay(self, seconds: float) -> None:
        if self._timeout is not None and seconds >= self._timeout:
            raise httpx.ReadTimeout("the simulator answers too late")


class InProcessTransport(httpx.AsyncBaseTransport):
    """Sends the requests of an httpx client to a simulator, without network and without waiting.

    Faults become the errors that httpx raises on a real connection. Timeouts are immediate: a
    response that would be too slow, or would never come, raises without time passing.
    """

    def __init__(self, simulator: Simulator) -> None:
        """Send requests to ``simulator``, whatever their host."""
        self._app: ASGIApp = create_app(simulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; raises httpx.TransportError where a fault breaks the connection."""
        connection = _InProcessConnection(request.extensions.get("timeout", {}).get("read"))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, "state": {CONNECTION_KEY: connection}}, receive, send)

        return await httpx.ASGITransport(app=app).handle_async_request(request)
