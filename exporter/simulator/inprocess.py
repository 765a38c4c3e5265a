"""An httpx transport straight into the simulator: no network, and no waiting either.

Faults become the errors that httpx raises on a real connection. Time-outs come at once: an
answer that would be too slow, or that would never come, raises without time passing.
"""

import asyncio

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.simulator.app import create_app
from exporter.simulator.line import LINE
from exporter.simulator.simulator import Simulator


class _HttpxLine:
    """The line of a request whose client waits ``patience`` seconds, None for ever."""

    def __init__(self, patience: float | None) -> None:
        self._patience = patience

    async def reset(self) -> None:
        raise httpx.ReadError("the simulator broke the connection")

    async def silence(self) -> None:
        if self._patience is None:
            await asyncio.Event().wait()
        raise httpx.ReadTimeout("the simulator does not answer")

    async def delay(self, seconds: float) -> None:
        if self._patience is not None and seconds >= self._patience:
            raise httpx.ReadTimeout("the simulator answers too late")


class InProcessTransport(httpx.AsyncBaseTransport):
    """Carries the requests of an httpx client to a simulator in the same process."""

    def __init__(self, simulator: Simulator) -> None:
        """Carry requests to ``simulator``, whatever their host."""
        self._app: ASGIApp = create_app(simulator)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer ``request``; raises httpx.TransportError where a fault breaks the connection."""
        line = _HttpxLine(request.extensions.get("timeout", {}).get("read"))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._app({**scope, "state": {LINE: line}}, receive, send)

        return await httpx.ASGITransport(app=app).handle_async_request(request)
