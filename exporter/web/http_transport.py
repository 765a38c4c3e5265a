"""The transport of the HTTP protocol: plain text, with or without TLS below it.

It must not know TLS, or decide when to close a connection.
"""

import asyncio
import ssl
from typing import Any, Protocol


class PlainConnection(Protocol):
    """The connection as HTTP needs it."""

    @property
    def ready(self) -> bool:
        """Tell whether it can serve requests."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain text."""

    def close(self) -> None:
        """Close gracefully."""

    def abort(self) -> None:
        """Close immediately."""


class HttpTransport(asyncio.Transport):
    """A connection with the interface of asyncio's transports."""

    def __init__(
        self, connection: PlainConnection, tcp: asyncio.Transport, context: ssl.SSLContext | None
    ) -> None:
        """Forward to ``connection``; ``context`` is set if it uses TLS over ``tcp``."""
        super().__init__()
        self._connection = connection
        self._tcp = tcp
        self._context = context

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return information about the connection, by asyncio's names."""
        if name == "sslcontext":
            return default if self._context is None else self._context
        return self._tcp.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Tell whether the connection is closing or closed."""
        return not self._connection.ready or self._tcp.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send plain text."""
        self._connection.write(data)

    def close(self) -> None:
        """Close gracefully."""
        self._connection.close()

    def abort(self) -> None:
        """Close immediately."""
        self._connection.abort()

    def pause_reading(self) -> None:
        """Stop reading from the client."""
        if not self.is_closing():
            self._tcp.pause_reading()

    def resume_reading(self) -> None:
        """Resume reading."""
        self._tcp.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are still to be sent."""
        return self._tcp.get_write_buffer_size()
