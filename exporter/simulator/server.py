"""Serves a simulator over real HTTP, alone or inside another program's event loop.

Starts, reports the address and stops; it must not know what is served. No signal handler is
installed but by ``serve``, which is the whole program then.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.address import ListenAddress
from exporter.listen import bound_address, listen
from exporter.simulator.app import create_app
from exporter.simulator.line import ABORT
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator

_GRACE = 1.0
_KEEP_ALIVE = 75


class _Protocol(H11Protocol):
    """HTTP whose requests can cut their connection, for the fault ``reset``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        self.app_state = {**self.app_state, ABORT: transport.abort}


class _Server(uvicorn.Server):
    """A server that says when it listens and leaves signals to others."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def hang_up(self) -> None:
        """Cut every connection: a request that met silence would wait for ever."""
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


@contextlib.asynccontextmanager
async def serving(simulator: Simulator, *addresses: ListenAddress) -> AsyncIterator[str]:
    """Serve ``simulator`` while the context lasts; yields the base URL, ending in ``/v2``.

    Without an address, it is a free port of loopback; with several, the URL is of the first.
    Raises UsageError if it cannot listen there.
    """
    places = addresses or (ListenAddress("127.0.0.1", 0),)
    config = uvicorn.Config(
        create_app(simulator),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        workers=1,  # or else WEB_CONCURRENCY would be read
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = _Server(config)
    with contextlib.ExitStack() as listeners:
        sockets = [listeners.enter_context(each) for each in await listen(places)]
        running = asyncio.create_task(server.serve(sockets))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            yield f"{bound_address(places[0], sockets[0]).url}/v2"
        finally:
            listening.cancel()
            server.should_exit = True
            await asyncio.wait({running}, timeout=_GRACE)
            server.hang_up()
            await running


async def serve(
    settings: SimulatorSettings,
    addresses: Sequence[ListenAddress],
    on_started: Callable[[str], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Run a simulator until SIGINT or SIGTERM; ``on_started`` is told the base URL.

    Raises UsageError if it cannot listen on one of ``addresses``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with serving(Simulator(settings, clock), *addresses) as base_url:
        before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
        for each in before:
            loop.add_signal_handler(each, stop.set)
        try:
            on_started(base_url)
            await stop.wait()
        finally:
            for each, handler in before.items():
                loop.remove_signal_handler(each)
                signal.signal(each, handler)
