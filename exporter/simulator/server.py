"""Serves a simulator over real HTTP, alone or inside another program's event loop.

Starts, reports the address and stops; it must not know what is served. No signal handler is
installed but by ``serve``, which is the whole program then.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter.errors import UsageError
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
async def serving(
    simulator: Simulator, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve ``simulator`` while the context lasts; yields the base URL, ending in ``/v2``.

    Port 0 takes a free one. Raises UsageError if it cannot listen there.
    """
    config = uvicorn.Config(
        create_app(simulator),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    server = _Server(config)
    with _listen(host, port) as listener:
        running = asyncio.create_task(server.serve([listener]))
        listening = asyncio.create_task(server.listening.wait())
        try:
            await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{listener.getsockname()[1]}/v2"
        finally:
            listening.cancel()
            server.should_exit = True
            await asyncio.wait({running}, timeout=_GRACE)
            server.hang_up()
            await running


async def serve(
    settings: SimulatorSettings,
    host: str,
    port: int,
    on_started: Callable[[str], None],
    clock: Callable[[], float] = time.time,
) -> None:
    """Run a simulator until SIGINT or SIGTERM; ``on_started`` is told the base URL.

    Raises UsageError if it cannot listen on ``host`` and ``port``.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with serving(Simulator(settings, clock), host, port) as base_url:
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's delay off, 40 ms an answer, only where the protocol is spelt out.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as exc:
        listener.close()
        raise UsageError(f"cannot listen on {host}:{port}: {exc}") from exc
    return listener
