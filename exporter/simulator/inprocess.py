"""An httpx transport to a simulator in the same process: without network and without waiting.

Faults become the errors that httpx raises on a real connection. Timeouts are immediate: a
response that would be too slow, or would never come, raises without time passing.
"""

import asyncio

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.app import create_app
from exporter.simulator.connection import CONNECTION_KEY
from exporter.simulator.simulator import Simulator


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
    """Sends the requests of an httpx client to a simulator in the same process."""

    def __init__(self, simulator: Simulator) -> None:
        """Send requests to ``simulator``, whatever their host."""
        self._app: ASGIApp = create_app(simulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; raises httpx.TransportError where a fault breaks the connection."""
        connection = _InProcessConnection(request.extensions.get("timeout", {}).get("read"))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, "state": {CONNECTION_KEY: connection}}, receive, send)

        return await httpx.ASGITransport(app=app).handle_async_request(request)
