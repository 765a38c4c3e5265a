"""Serves a simulator over real HTTP, alone or inside another program's event loop.

It must not know what is served. Only ``serve``, which is a program of its own, installs signal
handlers.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.address import ListenAddress
from exporter.listen import bound_address, listen
from exporter.simulator.app import create_app
from exporter.simulator.connection import ABORT_KEY
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator

_SHUTDOWN_TIMEOUT = 1.0
_KEEP_ALIVE_SECONDS = 75


class _Connection(asyncio.Protocol):
    """Hands a connection to uvicorn's protocol; requests can cut it, for the fault ``reset``."""

    def __init__(self, opened: set[asyncio.Transport], **options: Any) -> None:
        self._opened = opened
        self._state: dict[str, Any] = {}
        self._http: asyncio.Protocol = H11Protocol(**{**options, "app_state": self._state})
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # as servers have it
        self._transport = transport
        self._opened.add(transport)
        self._state[ABORT_KEY] = transport.abort
        self._http.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._http.data_received(data)

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._opened.discard(self._transport)
        self._http.connection_lost(exc)


class _Server(uvicorn.Server):
    """A server that tells when it listens and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._opened: set[asyncio.Transport] = set()
        config.http = partial(_Connection, self._opened)  # type: ignore[assignment] # it is called

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def abort_connections(self) -> None:
        """Cut every connection: a request that met silence would wait for ever."""
        for transport in tuple(self._opened):
            transport.abort()


@contextlib.asynccontextmanager
async def serving(simulator: Simulator, *addresses: ListenAddress) -> AsyncIterator[str]:
    """Serve ``simulator`` while the context lasts; yields the base URL, ending in ``/v2``.

    Without an address it listens on a free port of 127.0.0.1; the URL is that of the first.
    Raises UsageError if it cannot listen there.
    """
    listen_on = addresses or (ListenAddress("127.0.0.1", 0),)
    config = uvicorn.Config(
        create_app(simulator),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        workers=1,  # or else WEB_CONCURRENCY would be read
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    server = _Server(config)
    with contextlib.ExitStack() as listeners:
        sockets = [listeners.enter_context(each) for each in await listen(listen_on)]
        running = asyncio.create_task(server.serve(sockets))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            yield f"{bound_address(listen_on[0], sockets[0]).url}/v2"
        finally:
            listening.cancel()
            server.should_exit = True
            await asyncio.wait({running}, timeout=_SHUTDOWN_TIMEOUT)
            server.abort_connections()
            await running


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
