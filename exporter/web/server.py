"""Serves an ASGI app over TCP in a running event loop.

It must not install signal handlers or configure logging, which is up to the program. A silent, slow
or idle client must not delay other clients, or the shutdown.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp

from exporter.address import ListenAddress
from exporter.http_protocol import HttpProtocols
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
"""Maximum size of a request header."""

HEADER_SECONDS = 10.0
"""Time for a client to send a request."""

ANSWER_SECONDS = 30.0
"""Time for a client to read some of a pending response."""

ACCEPTED_AT_ONCE = 8
"""Connections that are accepted before others are closed for them.

asyncio accepts as many as the backlog, and logs a line for each for which there is no file.
"""

WAITING = 2048
"""The backlog: connections that the system keeps until they are accepted."""


class Server:
    """An HTTP server for one app, to be started and stopped once.

    It only uses uvicorn's protocol, through asyncio's protocol interface.
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
        """Serve ``app`` with the TLS and authentication in ``web_config``; without it, with none.

        ``files`` returns how many files the rest of the program may need; ``on_full`` is called
        with the limit when it is reached, at most once a minute. ``on_handshake_error`` is called
        with the client's address, the cause and a message.
        A handshake and a request must each arrive within ``header_timeout`` seconds; a client must
        read some of its response within ``answer_timeout`` seconds.
        """

        def limit() -> int:
            return connection_limit(files())

        if web_config is not None:
            app = AuthMiddleware(app, web_config, passwords=PasswordChecker(connection_limit=limit))
        self._limiter = ConnectionLimiter(limit, on_full)
        self._requests = RequestTracker(app, self._limiter)
        self._http = HttpProtocols(self._requests, max_header_bytes=MAX_HEADER_BYTES)
        self._options = ConnectionOptions(
            http=lambda connection: self._http({CONNECTION: connection}),
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
        """Return how many connections were closed in favor of others."""
        return self._limiter.dropped

    @property
    def handshake_errors(self) -> Mapping[str, int]:
        """Return how many TLS handshakes failed, by cause."""
        return dict(self._handshake_errors)

    async def start(self, *addresses: ListenAddress) -> tuple[ListenAddress, ...]:
        """Listen on ``addresses`` and return them with the actual ports.

        Raises `UsageError` if one of them is not available; then none is served.
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
        """Stop listening, give requests ``grace`` seconds to complete, then cancel them.

        Does nothing if the server was never started. Idle clients have half a second to close their
        side, or ``grace`` if that is less. Takes at most half a second more than ``grace``.
        """
        for server in self._listening:
            server.close()
        await asyncio.sleep(0)  # requests that just arrived begin
        for connection in tuple(self._open):
            connection.finish()
        await self._ended(grace)
        for connection in tuple(self._open):
            connection.abort()
        self._requests.cancel()
        await self._ended(
            LINGER_SECONDS
        )  # a request may wait for a thread, which cannot be cancelled

    async def _ended(self, seconds: float) -> None:
        """Wait until no connection is open and no request running, at most ``seconds``."""
        left = {*(each.closed for each in self._open), *self._requests.tasks}
        if left:
            await asyncio.wait(left, timeout=seconds)

    def _connection(self) -> Connection:
        connection = Connection(self._options)
        self._open.add(connection)
        connection.closed.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _note_handshake_error(self, client: str, error: HandshakeError) -> None:
        self._handshake_errors[error.cause.value] += 1
        self._on_handshake_error(client, error.cause, str(error))
