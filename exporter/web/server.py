"""Serve an ASGI app over TCP inside an event loop that already runs.

It must not install signal handlers or set up logging: both belong to the program. A client
that is silent, slow or stays connected can hold up neither the others nor the stop.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp

from exporter.address import ListenAddress
from exporter.listen import bound_address, listen
from exporter.web.connections import Connection, Entrance
from exporter.web.guard import Guard
from exporter.web.passwords import Passwords
from exporter.web.room import Room, room_for_connections
from exporter.web.watch import Security

MAX_HEADER_BYTES = 16 * 1024
"""Size of a request's head that is still read."""

KEEP_ALIVE_SECONDS = 75
"""Longer than the usual scrape interval, so that a scraper need not connect each time."""

HEADER_SECONDS = 10.0
"""Time for a client to send a request."""

ANSWER_SECONDS = 30.0
"""Time in which a client has to take something of an answer that waits for it."""

ACCEPTED_AT_ONCE = 8
"""Connections that are let in before those that have to give way are closed.

asyncio takes as many as may wait, and logs a line for each that there is no file for.
"""

WAITING = 2048
"""Connections that the system keeps until they are let in."""


class Server:
    """An HTTP server for one app, to be started and stopped once."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        security: Security | None = None,
        files: Callable[[], int] = lambda: 0,
        on_full: Callable[[int], None] = lambda _: None,
        header_timeout: float = HEADER_SECONDS,
        answer_timeout: float = ANSWER_SECONDS,
    ) -> None:
        """Serve ``app``, over TLS and to whom it may as ``security`` says; without it, to all.

        ``files`` returns how many files the rest of the program may need; ``on_full`` is told,
        at most once a minute, how many connections may be open when more want in.
        A handshake and a request have ``header_timeout`` seconds each to arrive; a client has to
        take something of its answer within ``answer_timeout``.
        """

        def room() -> int:
            return room_for_connections(files())

        config = uvicorn.Config(
            app if security is None else Guard(app, security, passwords=Passwords(room=room)),
            http=Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # Below it uvicorn warns of each malformed request: a stranger could fill the log.
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            workers=1,  # or else WEB_CONCURRENCY would be read
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        self._room = Room(room, on_full)
        entrance = Entrance(
            security, self._room, header_timeout=header_timeout, answer_timeout=answer_timeout
        )
        self._uvicorn = _Uvicorn(config, entrance)
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """Return how many idle connections had to give way to others."""
        return self._room.dropped

    async def start(self, *addresses: ListenAddress) -> tuple[ListenAddress, ...]:
        """Listen on ``addresses`` and return them with the ports that were really bound.

        Raises `UsageError` if one of them cannot be had; none is served then.
        """
        sockets = list(await listen(addresses))
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=sockets), name="web server")
        await self._uvicorn.settled.wait()
        if not self._uvicorn.started:
            await self._task
        return tuple(map(bound_address, addresses, sockets))

    async def stop(self, grace: float) -> None:
        """Stop listening, let requests end for ``grace`` seconds, then break them off.

        Does nothing if the server was never started. Takes half a second besides at most.
        """
        if self._task is None:
            return
        self._uvicorn.should_exit = True
        _, running = await asyncio.wait({self._task}, timeout=grace)
        if running:
            self._uvicorn.break_off()
        await self._task


class _Uvicorn(uvicorn.Server):
    """uvicorn without signal handlers, which says when it serves."""

    def __init__(self, config: uvicorn.Config, entrance: Entrance) -> None:
        super().__init__(config)
        self._entrance = entrance
        self.settled = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # In place of the base's, which would speak one TLS for ever.
        def protocol() -> asyncio.BaseProtocol:
            return self._entrance.protocol(self.config, self.server_state)

        loop = asyncio.get_running_loop()
        try:
            self.servers = []
            for each in sockets or ():
                self.servers.append(
                    await loop.create_server(protocol, sock=each, backlog=ACCEPTED_AT_ONCE)
                )
                each.listen(WAITING)
            self.started = True
        finally:
            self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._entrance.room.end_handshakes()
        await super().shutdown(sockets)

    def break_off(self) -> None:
        """Close what is still connected and cancel what still runs."""
        self.force_exit = True
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        for task in tuple(self.server_state.tasks):
            task.cancel()
