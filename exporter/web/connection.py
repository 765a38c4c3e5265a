"""One connection: its data, with or without TLS, and its timeouts.

uvicorn's protocol handles HTTP on it, through a transport created here; uvicorn itself has no
timeout for requests, or for clients that do not read the response. It must not know what is
requested, or how many connections are allowed.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from exporter.metrics.self_metrics import HandshakeCause
from exporter.web.connection_limiter import ConnectionLimiter
from exporter.web.http_transport import HttpTransport
from exporter.web.tls import Tls
from exporter.web.tls_session import HandshakeError, TlsSession

LINGER_SECONDS = 0.5
"""Time for a client to close its side. If it sent data after an immediate close, the connection
would be reset and the client would lose the last bytes sent to it."""

HttpProtocol = Callable[["Connection"], asyncio.Protocol]
"""Creates the HTTP protocol of a connection."""


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """Options shared by all connections of a server.

    A handshake and a request must each arrive within ``header_timeout`` seconds; a client must read
    some of its response within ``answer_timeout`` seconds.
    """

    http: HttpProtocol
    limiter: ConnectionLimiter
    tls: Callable[[], Tls | None]
    """Returns the current TLS configuration; None for plain HTTP."""
    on_handshake_error: Callable[[str, HandshakeError], None]
    """Called with the address and port of a client, and why its handshake failed."""
    header_timeout: float
    answer_timeout: float


class Connection(asyncio.Protocol):
    """A TCP connection, from accept to close.

    `RequestTracker` reports when a request begins, has arrived, and has been answered.
    """

    def __init__(self, options: ConnectionOptions) -> None:
        """Prepare for the TCP connection."""
        loop = asyncio.get_running_loop()
        self._options = options
        self._loop = loop
        self._tls = options.tls()
        self._session = None if self._tls is None else TlsSession(self._tls)
        self._http = options.http(self)
        self._tcp = asyncio.Transport()
        self._arrival: asyncio.Handle | None = None
        self._taking: asyncio.TimerHandle | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._opened = self._closing = self._last = self._hung_up = False
        self._answered = self._more = self._eof = self._paused = self._taken = False
        self.busy = False
        """Whether a request is being answered."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the connection has ended."""

    @property
    def client(self) -> str:
        """Return the client's IP address, empty if it has none."""
        peer = self._tcp.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    @property
    def ready(self) -> bool:
        """Tell whether it can serve requests: its handshake is done, and it is not closing."""
        return self._opened and not self._closing

    @property
    def stalled(self) -> bool:
        """Tell whether the client does not read its response, or has closed its side."""
        return self._paused or self._eof

    @property
    def last(self) -> bool:
        """Tell whether it will be closed after the current response."""
        return self._last

    # Called by asyncio for TCP.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 # from a stream server
        self._tcp = transport
        self._options.limiter.add(self)
        if self._session is None:
            self._open()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        """Process received data: a handshake or requests."""
        if self._closing:
            return
        if self._session is None:
            self._received(data)
            return
        try:
            plain = self._session.receive(data)
        except HandshakeError as exc:
            self._report(exc)
            self.close()
            return
        except ssl.SSLError:
            self.close()
            return
        self._write(self._session.outgoing())
        if self._session.established and not self._opened:
            self._open()
        if plain:
            self._received(plain)
        if self._session.ended:
            self._ended()

    def eof_received(self) -> bool:
        """Close after pending requests have been answered."""
        self._hung_up = True
        if not self._opened:
            self._disconnected()
        self._ended()
        return not self._closing

    def pause_writing(self) -> None:
        """Stop writing; a timeout limits how long."""
        self._paused = True
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """Resume writing."""
        self._paused = False
        self._taken = True
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up."""
        if not self._opened:
            self._disconnected()
        self._closing = True
        for timer in (self._arrival, self._taking, self._lingering):
            if timer is not None:
                timer.cancel()
        self._options.limiter.remove(self)
        if self._opened:
            self._http.connection_lost(exc)
        self.closed.set_result(None)

    # Called by `RequestTracker`.

    def request_begun(self, *, whole: bool) -> None:
        """Record that the header of a request has arrived; ``whole`` if it has no body."""
        self.busy = True
        self._more = False
        self._options.limiter.touch(self)
        if whole:
            self.request_arrived()

    def request_arrived(self) -> None:
        """Record that a request has arrived completely."""
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def request_answered(self) -> None:
        """Record that a request has been answered."""
        self.busy = False
        self._answered = True
        self._options.limiter.touch(self)
        if self._last:
            self.close()
        elif self._eof:
            self._ended()
        elif self._more:  # part of the next request; a complete one begins immediately
            self._expect()

    # Called to close the connection.

    def finish(self) -> None:
        """Close as soon as the current request has been answered."""
        self._last = True
        if not self._opened:
            self.abort()
        elif not self.busy:
            self.close()

    def close(self) -> None:
        """Close gracefully: pending data is sent first."""
        if self._closing or self._tcp.is_closing():
            return
        if self._session is not None:
            if self._opened:
                self._session.close()
            self._write(self._session.outgoing())
        self._closing = True
        self.request_arrived()
        if self._hung_up:
            self._tcp.close()
            return
        try:
            self._tcp.write_eof()
        except OSError:  # the client has reset the connection, which asyncio notices later
            self.abort()
            return
        self._tcp.resume_reading()
        self._linger()

    def abort(self) -> None:
        """Close immediately."""
        self._closing = True
        self._tcp.abort()

    # Called by `HttpTransport`.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, encrypted if TLS is used."""
        if self._session is None:
            self._write(data)
        elif not self._closing:
            for part in self._session.send(data):
                self._write(part)

    def _open(self) -> None:
        self.request_arrived()
        self._opened = True
        context = None if self._tls is None else self._tls.context
        self._http.connection_made(HttpTransport(self, self._tcp, context))
        self._expect()

    def _ended(self) -> None:
        """Record that the client sends no more data."""
        self._eof = True
        # Requests that have already arrived begin first.
        self._loop.call_soon(self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not self.busy:
            self.close()

    def _received(self, data: bytes) -> None:
        if self._answered and not self.busy and self._options.tls() is not self._tls:
            self.close()
            return
        if self.busy:
            self._more = True
        else:
            self._expect()
        self._http.data_received(data)

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        if not data or self._closing or self._tcp.is_closing():
            return
        self._tcp.write(data)
        self._watch_taking()

    def _watch_taking(self) -> None:
        unsent = self._tcp.get_write_buffer_size()
        if self._taking is None and unsent:
            self._taken = False
            seconds = self._options.answer_timeout
            self._taking = self._loop.call_later(seconds, self._check_taking, unsent)

    def _check_taking(self, before: int) -> None:
        self._taking = None
        if self._taken or self._tcp.get_write_buffer_size() < before:
            self._watch_taking()
        else:
            self.abort()

    def _expect(self) -> None:
        """Start the timeout of a handshake or a request, if it is not running yet."""
        if self._arrival is None and not self._closing:
            seconds = self._options.header_timeout
            self._arrival = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        # A request whose last byte just arrived begins in the next iteration of the loop.
        self._arrival = self._loop.call_soon(self._too_late)

    def _too_late(self) -> None:
        if not self._opened:
            self._report(HandshakeError(HandshakeCause.TIMEOUT, "the handshake timed out"))
        self.abort()

    def _linger(self) -> None:
        """Give the client time to close its side, starting when it has received all data."""
        if self._lingering is None or self._tcp.get_write_buffer_size():
            self._lingering = self._loop.call_later(LINGER_SECONDS, self._linger)
        else:
            self.abort()

    def _disconnected(self) -> None:
        # A mere check whether the port is open is not an error.
        if self._session is not None and self._session.started and not self._closing:
            self._report(
                HandshakeError(HandshakeCause.DISCONNECTED, "the client closed the connection")
            )

    def _report(self, error: HandshakeError) -> None:
        host, port, *_ = self._tcp.get_extra_info("peername") or ("", 0)
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._options.on_handshake_error(place, error)
