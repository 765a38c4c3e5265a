"""Serves a simulator over real HTTP, alone or inside another program's event loop.

It must not know what is served. Only ``serve``, which is a program of its own, installs signal
handlers.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

from exporter.address import ListenAddress
from exporter.http_protocol import HttpProtocols
from exporter.listen import bound_address, listen
from exporter.simulator.app import create_app
from exporter.simulator.connection import ABORT_KEY
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator

_SHUTDOWN_TIMEOUT = 1.0
_BACKLOG = 2048


class _AbortableConnection(asyncio.Protocol):
    """Hands a connection to uvicorn's protocol; requests can cut it, for the fault ``reset``."""

    def __init__(self, http: HttpProtocols, opened: set["_AbortableConnection"]) -> None:
        self._opened = opened
        self._state: dict[str, Any] = {}
        self._http = http(self._state)
        self._transport = asyncio.Transport()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # as servers have it
        self._transport = transport
        self._opened.add(self)
        self._state[ABORT_KEY] = transport.abort
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._http.data_received(data)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)
        self._http.connection_lost(exc)
        self.closed.set_result(None)

    def finish(self) -> None:
        """Close it, as soon as the request that runs is answered."""
        self._http.shutdown()

    def abort(self) -> None:
        """Cut it."""
        self._transport.abort()


@contextlib.asynccontextmanager
async def serving(simulator: Simulator, *addresses: ListenAddress) -> AsyncIterator[str]:
    """Serve ``simulator`` while the context lasts; yields the base URL, ending in ``/v2``.

    Without an address it listens on a free port of 127.0.0.1; the URL is that of the first.
    Raises UsageError if it cannot listen there.
    """
    listen_on = addresses or (ListenAddress("127.0.0.1", 0),)
    http = HttpProtocols(create_app(simulator))
    opened: set[_AbortableConnection] = set()
    sockets = await listen(listen_on)
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(
            partial(_AbortableConnection, http, opened), sock=each, backlog=_BACKLOG
        )
        for each in sockets
    ]
    try:
        yield f"{bound_address(listen_on[0], sockets[0]).url}/v2"
    finally:
        for server in servers:
            server.close()
        for connection in tuple(opened):
            connection.finish()
        if opened:
            await asyncio.wait([each.closed for each in opened], timeout=_SHUTDOWN_TIMEOUT)
        # A request that met silence would wait for ever.
        for connection in tuple(opened):
            connection.abort()
        if http.tasks:
            await asyncio.wait(http.tasks)


async def serve(
    settings: SimulatorSettings,
    addresses: Sequence[ListenAddress],
    on_started: Callable[[str], None],
) -> None:
    """Run a simulator until SIGINT or SIGTERM; ``on_started`` gets the base URL.

    Raises UsageError if it cannot listen on one of ``addresses``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with serving(Simulator(settings, time.time), *addresses) as base_url:
        handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        for each in handlers:
            loop.add_signal_handler(each, stop.set)
        try:
            on_started(base_url)
            await stop.wait()
        finally:
            for each, handler in handlers.items():
                loop.remove_signal_handler(each)
                signal.signal(each, handler)
