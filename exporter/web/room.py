"""How many connections may be open, and which gives way when there are too many.

It must not speak HTTP or TLS.
"""

import asyncio
import resource
import time
from collections.abc import Callable
from typing import Protocol

MAX_CONNECTIONS = 256
"""Past it, an idle connection gives way; if all are busy, requests are answered with 503."""

MIN_CONNECTIONS = 16
"""Connections that are held however few files the process may open."""

RESERVED_FILES = 96
"""Files for the state, the log, a reload, and connections that are let in or go at the moment."""

TELL_SECONDS = 60.0
"""Time between two reports that connections had to give way."""


def room_for_connections(files: int) -> int:
    """Return how many connections may be open; ``files`` is what polls may open besides."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, limit - RESERVED_FILES - files))


class Guest(Protocol):
    """What the room has to know of a connection."""

    @property
    def made(self) -> bool:
        """Tell whether the handshake, if there is one, is over."""

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""

    @property
    def stalled(self) -> bool:
        """Tell whether the client does not take its answer."""


class Room:
    """The open connections, which give way to new ones when there are too many.

    The one that has been idle the longest goes, then one whose client does not take its answer:
    scrapers connect again by themselves, and whoever only holds connections cannot keep others out.
    """

    def __init__(
        self,
        size: Callable[[], int],
        report: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Let ``size()`` connections in.

        ``report`` is told the size when one had to give way, at most once a minute.
        """
        self._size = size
        self._report = report
        self._monotonic = monotonic
        self._told: float | None = None
        self._in: dict[asyncio.BaseTransport, Guest] = {}
        self.dropped = 0
        """Connections that had to give way."""

    def enter(self, transport: asyncio.Transport, guest: Guest) -> int:
        """Let a connection in, and return how many may be; ``transport`` is the TCP one."""
        size = self._size()
        if len(self._in) >= size:
            self._tell(size)
        while len(self._in) >= size and self._drop():
            pass
        self._in[transport] = guest
        return size

    def used(self, transport: asyncio.BaseTransport) -> None:
        """Note that a connection was idle until now, or is from now on."""
        if transport in self._in:
            self._in[transport] = self._in.pop(transport)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that ended, if it is here."""
        self._in.pop(transport, None)

    def end_handshakes(self) -> None:
        """End the connections that uvicorn does not know of yet."""
        for transport in [each for each, its in self._in.items() if not its.made]:
            self._show_out(transport)

    def _drop(self) -> bool:
        idle = (each for each, its in self._in.items() if not its.busy)
        stalled = (each for each, its in self._in.items() if its.stalled)
        transport = next(idle, None) or next(stalled, None)
        if transport is None:
            return False
        self._show_out(transport)
        self.dropped += 1
        return True

    def _tell(self, size: int) -> None:
        now = self._monotonic()
        if self._told is None or now - self._told >= TELL_SECONDS:
            self._told = now
            self._report(size)

    def _show_out(self, transport: asyncio.BaseTransport) -> None:
        del self._in[transport]
        if isinstance(transport, asyncio.Transport):
            transport.abort()
