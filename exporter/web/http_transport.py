"""What the protocol of HTTP takes for its transport: plain text, whatever goes over TCP.

It must not know TLS, or when a connection is to be closed.
"""

import asyncio
import ssl
from typing import Any, Protocol


class PlainConnection(Protocol):
    """A connection as HTTP sees it."""

    @property
    def ready(self) -> bool:
        """Tell whether it can carry requests."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain text."""

    def close(self) -> None:
        """Close in order."""

    def abort(self) -> None:
        """Close at once."""


class HttpTransport(asyncio.Transport):
    """A connection in the shape of asyncio's transports."""

    def __init__(
        self, connection: PlainConnection, tcp: asyncio.Transport, context: ssl.SSLContext | None
    ) -> None:
        """Pass on to ``connection``; ``context`` is there if it speaks TLS over ``tcp``."""
        super().__init__()
        self._connection = connection
        self._tcp = tcp
        self._context = context

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection, under asyncio's names."""
        if name == "sslcontext":
            return default if self._context is None else self._context
        return self._tcp.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Tell whether nothing can be written any more."""
        return not self._connection.ready or self._tcp.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain text."""
        self._connection.write(data)

    def close(self) -> None:
        """Close in order."""
        self._connection.close()

    def abort(self) -> None:
        """Close at once."""
        self._connection.abort()

    def pause_reading(self) -> None:
        """Take nothing more from the client."""
        if not self.is_closing():
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._tcp.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._tcp.get_write_buffer_size()
