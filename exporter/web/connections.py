"""The connections of the server: how each begins, and how long it may keep the server waiting.

It must not know what is asked for on them, or how many there may be.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from exporter.web.room import Room
from exporter.web.tls import Tls
from exporter.web.watch import Security

SHUTDOWN_SECONDS = 0.5
"""Time for a client to agree to the end of TLS; RFC 8446 (6.1) does not make us wait for it."""


class Connection(H11Protocol):
    """A connection that is closed when a request does not come in time, or an answer is not taken.

    uvicorn itself waits for ever for both, so that a few hundred silent clients would use up
    all connections.
    """

    def __init__(
        self, config: uvicorn.Config, server_state: ServerState, entrance: "Entrance"
    ) -> None:
        """Wait for the transport; ``entrance`` is where it came in."""
        super().__init__(config, server_state, {})
        self._entrance = entrance
        self._patience: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._taken = False
        self._refused = False
        self._answered = False
        self._tls: Tls | None = None
        self.made = False
        """Whether the handshake, if there is one, is over."""
        self.tcp: asyncio.Transport | None = None
        """The transport below TLS, or the only one."""

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self.conn.our_state in {h11.SEND_RESPONSE, h11.SEND_BODY}

    @property
    def stalled(self) -> bool:
        """Tell whether the client does not take its answer."""
        return self.made and self.flow.write_paused

    def let_in(self, transport: asyncio.Transport) -> None:
        """Take a place among the open connections; ``transport`` is the TCP one."""
        self.tcp = transport
        self._entrance.room.enter(transport, self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base
        """Begin; a client whose certificate has no allowed name is turned away."""
        super().connection_made(transport)
        self.made = True
        if self._tls is None:
            self.let_in(transport)
        elif not self._tls.admits(transport.get_extra_info("peercert")):
            self._refuse()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take bytes in, unless the connection stands under a TLS configuration of before."""
        if self._answered and not self.busy and self._entrance.tls() is not self._tls:
            self._refuse()
        if not self._refused:
            # uvicorn would count what gave way or ended and is gone with the loop's next turn.
            running = sum(not each.done() for each in self.tasks)
            self.limit_concurrency = 0 if self._entrance.room.is_full(running) else None
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """Note that the next request comes on a connection that was used."""
        self._answered = True
        if self.tcp is not None:
            self._entrance.room.used(self.tcp)
        self._watch_sending()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Stop writing, but not for as long as the client likes."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._taken = True
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._forget()
        if self._sending is not None:
            self._sending.cancel()
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
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._forget()
        elif self._patience is None:
            seconds = self._entrance.header_timeout
            self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _unsent(self) -> int:
        if self.transport.is_closing():  # asyncio's for TLS can no longer be asked
            return 0
        # TLS has a buffer of its own above that of TCP.
        return sum(each.get_write_buffer_size() for each in {self.transport, self.tcp} if each)

    def _watch_sending(self) -> None:
        if self._sending is None and self._unsent():
            self._taken = False
            seconds = self._entrance.answer_timeout
            self._sending = self.loop.call_later(seconds, self._judge_sending, self._unsent())

    def _judge_sending(self, before: int) -> None:
        self._sending = None
        if self._taken or self._unsent() < before:
            self._watch_sending()
        else:
            self.transport.abort()

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Entrance:
    """Makes the protocol for each connection that comes in."""

    def __init__(
        self,
        security: Security | None,
        room: Room,
        *,
        header_timeout: float,
        answer_timeout: float,
    ) -> None:
        """Speak TLS if ``security`` says so.

        A handshake and a request have ``header_timeout`` seconds each; a client that takes nothing
        of its answer has ``answer_timeout``.
        """
        self._security = security
        self.room = room
        self.header_timeout = header_timeout
        self.answer_timeout = answer_timeout

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
        self._connection.let_in(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._tcp is not None:
            self._room.leave(self._tcp)
        super().connection_lost(exc)
