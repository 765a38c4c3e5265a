"""Serve an ASGI app over TCP inside an event loop that already runs.

It must not install signal handlers or set up logging: both belong to the program. A client
that is silent, slow or stays connected can hold up neither the others nor the stop.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporter.address import ListenAddress
from exporter.listen import bound_address, listen
from exporter.metrics.self_metrics import HandshakeCause
from exporter.web.auth import AuthMiddleware
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.connection import LINGER_SECONDS, Connection, ConnectionOptions
from exporter.web.connection_limiter import ConnectionLimiter, connection_limit
from exporter.web.password_check import PasswordChecker
from exporter.web.request_tracker import CONNECTION, RequestTracker
from exporter.web.tls_session import HandshakeError

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
    """An HTTP server for one app, to be started and stopped once.

    Of uvicorn it takes the protocol, which it drives by the interface of asyncio's protocols alone:
    uvicorn's own server takes over signals and knows one TLS configuration for ever.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        web_config: WebConfigReloader | None = None,
        files: Callable[[], int] = lambda: 0,
        on_full: Callable[[int], None] = lambda _: None,
        on_handshake_error: Callable[[str, HandshakeCause, str], None] = lambda *_: None,
        header_timeout: float = HEADER_SECONDS,
        answer_timeout: float = ANSWER_SECONDS,
    ) -> None:
        """Serve ``app``, over TLS and to whom it may as ``web_config`` says; without it, to all.

        ``files`` returns how many files the rest of the program may need; ``on_full`` is told,
        at most once a minute, how many connections may be open when more want in.
        ``on_handshake_error`` is told the client's address, the cause and a sentence.
        A handshake and a request have ``header_timeout`` seconds each to arrive; a client has to
        take something of its answer within ``answer_timeout``.
        """

        def limit() -> int:
            return connection_limit(files())

        if web_config is not None:
            app = AuthMiddleware(app, web_config, passwords=PasswordChecker(connection_limit=limit))
        self._limiter = ConnectionLimiter(limit, on_full)
        self._requests = RequestTracker(app, self._limiter)
        self._config = uvicorn.Config(
            self._requests,
            ws="none",
            interface="asgi3",
            log_config=None,
            # Below it uvicorn warns of each malformed request: a stranger could fill the log.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            workers=1,  # or else WEB_CONCURRENCY would be read
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
        self._state = ServerState()
        self._options = ConnectionOptions(
            http=self._http,
            limiter=self._limiter,
            tls=lambda: None if web_config is None else web_config.current().tls,
            on_handshake_error=self._note_handshake_error,
            header_timeout=header_timeout,
            answer_timeout=answer_timeout,
        )
        self._on_handshake_error = on_handshake_error
        self._handshake_errors: Counter[str] = Counter()
        self._open: set[Connection] = set()
        self._listening: list[asyncio.Server] = []

    @property
    def connections_dropped(self) -> int:
        """Return how many idle connections were closed for others."""
        return self._limiter.dropped

    @property
    def handshake_errors(self) -> Mapping[str, int]:
        """Return how many TLS handshakes failed, by cause."""
        return dict(self._handshake_errors)

    async def start(self, *addresses: ListenAddress) -> tuple[ListenAddress, ...]:
        """Listen on ``addresses`` and return them with the ports that were really bound.

        Raises `UsageError` if one of them cannot be had; none is served then.
        """
        sockets = await listen(addresses)
        loop = asyncio.get_running_loop()
        for each in sockets:
            self._listening.append(
                await loop.create_server(self._connection, sock=each, backlog=ACCEPTED_AT_ONCE)
            )
            each.listen(WAITING)
        return tuple(map(bound_address, addresses, sockets))

    async def stop(self, grace: float) -> None:
        """Stop listening, let requests end for ``grace`` seconds, then break them off.

        Does nothing if the server was never started. Clients that are idle have half a second to
        close their side, or ``grace`` if that is less. Takes half a second besides at most.
        """
        for server in self._listening:
            server.close()
        await asyncio.sleep(0)  # requests that came just now begin
        for connection in tuple(self._open):
            connection.finish()
        await self._ended(grace)
        for connection in tuple(self._open):
            connection.abort()
        self._requests.cancel()
        await self._ended(LINGER_SECONDS)  # a request may wait for a thread, which cannot be ended

    async def _ended(self, seconds: float) -> None:
        """Wait until no connection is open and no request runs, but no longer."""
        left = {*(each.closed for each in self._open), *self._requests.tasks}
        if left:
            await asyncio.wait(left, timeout=seconds)

    def _connection(self) -> Connection:
        connection = Connection(self._options)
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _http(self, connection: Connection) -> asyncio.Protocol:
        return H11Protocol(self._config, self._state, {CONNECTION: connection})

    def _note_handshake_error(self, client: str, error: HandshakeError) -> None:
        self._handshake_errors[error.cause.value] += 1
        self._on_handshake_error(client, error.cause, str(error))
