"""The connections of the server: how each begins, how long it may idle, how many there may be.

It must not know what is asked for on them.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporter.web.tls import Tls
from exporter.web.watch import Security

SHUTDOWN_SECONDS = 0.5
"""Time for a client to agree to the end of TLS; RFC 8446 (6.1) does not make us wait for it."""


class Connection(H11Protocol):
    """A connection that is closed when the head of a request does not come in time.

    uvicorn itself waits for ever for it, so that a few hundred silent clients would use up
    all connections.
    """

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, entrance: "Entrance"
    ) -> None:
        """Wait for the transport; ``entrance`` is where it came in."""
        super().__init__(config, server_state, {})
        self._entrance = entrance
        self._patience: asyncio.TimerHandle | None = None
        self._refused = False
        self._answered = False
        self._tls: Tls | None = None
        self.made = False
        """Whether the handshake, if there is one, is over."""

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base
        """Begin; a client whose certificate has no allowed name is turned away."""
        super().connection_made(transport)
        self.made = True
        if self._tls is None:
            self._entrance.room.enter(transport, self)
        elif not self._tls.admits(transport.get_extra_info("peercert")):
            self._refuse()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes in, unless the connection stands under a TLS configuration of before."""
        if self._answered and not self.busy and self._entrance.tls() is not self._tls:
            self._refuse()
        if not self._refused:
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Note that the next request comes on a connection that was used."""
        self._answered = True
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget()
        self._entrance.room.leave(self.transport)
        super().connection_lost(exc)

    def secured(self, tls: Tls) -> asyncio.BaseProtocol:
        """Return the protocol that speaks ``tls`` for this one."""
        self._tls = tls
        return _Handshake(self, tls, self._entrance)

    def _refuse(self) -> None:
        # What was sent with the handshake may still come in.
        self._refused = True
        self.transport.abort()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._patience is None:
            seconds = self._entrance.header_timeout
            self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Room:
    """The open connections, which give way to new ones when there are too many.

    The one that is open the longest and has no request running goes: scrapers connect again by
    themselves, and whoever only holds connections cannot keep others out.
    """

    def __init__(self, size: int) -> None:
        """Let ``size`` connections in."""
        self._size = size
        self._in: dict[asyncio.BaseTransport, Connection] = {}

    def enter(self, transport: asyncio.Transport, connection: Connection) -> None:
        """Let a connection in; ``transport`` is the TCP one."""
        if len(self._in) >= self._size:
            idle = (each for each, its in self._in.items() if not its.busy)
            self._show_out(next(idle, None))
        self._in[transport] = connection

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that ended, if it is here."""
        self._in.pop(transport, None)

    def end_handshakes(self) -> None:
        """End the connections that uvicorn does not know of yet."""
        for transport in [each for each, its in self._in.items() if not its.made]:
            self._show_out(transport)

    def _show_out(self, transport: asyncio.BaseTransport | None) -> None:
        if isinstance(transport, asyncio.Transport):
            del self._in[transport]
            transport.abort()


class Entrance:
    """Makes the protocol for each connection that comes in."""

    def __init__(self, security: Security | None, room: Room, header_timeout: float) -> None:
        """Speak TLS if ``security`` says so; a handshake has ``header_timeout`` seconds."""
        self._security = security
        self.room = room
        self.header_timeout = header_timeout

    def tls(self) -> Tls | None:
        """Return how TLS is spoken now."""
        return None if self._security is None else self._security.current().tls

    def protocol(self, config: uvicorn.Config, state: ServerState) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection."""
        connection = Connection(config, state, self)
        tls = self.tls()
        return connection if tls is None else connection.secured(tls)


class _Handshake(SSLProtocol):
    """TLS over a connection that counts from its first moment on.

    asyncio's servers take one TLS context for ever and tell nobody of a connection before its
    handshake is over; both are why they are not asked to speak TLS.
    """

    max_size = 16 * 1024  # bytes for reading, of each connection; asyncio takes 256 KiB

    def __init__(self, connection: Connection, tls: Tls, entrance: Entrance) -> None:
        super().__init__(
            connection.loop,
            connection,
            tls.context,
            waiter=None,  # type: ignore[arg-type] # it is optional, in asyncio's own use too
            server_side=True,
            ssl_handshake_timeout=entrance.header_timeout,  # type: ignore[arg-type] # also a fraction
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
        self._connection = connection
        self._room = entrance.room
        self._tcp: asyncio.BaseTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._tcp = transport
        self._room.enter(transport, self._connection)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._tcp is not None:
            self._room.leave(self._tcp)
        super().connection_lost(exc)
