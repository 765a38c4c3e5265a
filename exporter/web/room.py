"""How many connections may be open, and which gives way when there are too many.

It must not speak HTTP or TLS.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from exporter.web.turns import origin

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


def _origin(transport: asyncio.BaseTransport) -> str:
    place = transport.get_extra_info("peername")
    return origin(place[0]) if place else ""


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

    Of the address that holds most, the one that has been idle the longest goes, then one whose
    client does not take its answer: scrapers connect again by themselves, and whoever only holds
    connections cannot keep others out.
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
        self._origins: dict[asyncio.BaseTransport, str] = {}
        self.dropped = 0
        """Connections that had to give way."""

    def enter(self, transport: asyncio.Transport, guest: Guest) -> None:
        """Let a connection in; ``transport`` is the TCP one."""
        size = self._size()
        if len(self._in) >= size:
            self._tell(size)
        place = _origin(transport)
        while len(self._in) >= size and self._drop(place):
            pass
        self._in[transport] = guest
        self._origins[transport] = place

    def is_full(self, running: int) -> bool:
        """Tell whether more connections are open, or requests running, than may be.

        That is only where no connection can give way.
        """
        return max(running, sum(each.made for each in self._in.values())) > self._size()

    def used(self, transport: asyncio.BaseTransport) -> None:
        """Note that a connection was idle until now, or is from now on."""
        if transport in self._in:
            self._in[transport] = self._in.pop(transport)

    def leave(self, transport: asyncio.BaseTransport) -> None:
        """Forget a connection that ended, if it is here."""
        self._in.pop(transport, None)
        self._origins.pop(transport, None)

    def end_handshakes(self) -> None:
        """End the connections that uvicorn does not know of yet."""
        for transport in [each for each, its in self._in.items() if not its.made]:
            self._show_out(transport)

    def _drop(self, newcomer: str) -> bool:
        idle = [each for each, its in self._in.items() if not its.busy]
        stalled = [each for each, its in self._in.items() if its.stalled]
        candidates = idle or stalled
        if not candidates:
            return False
        # Whoever opens one after the other closes its own: not the scraper that comes by at times.
        held = Counter([newcomer, *self._origins.values()])
        transport = max(candidates, key=lambda each: held[self._origins[each]])
        self._show_out(transport)
        self.dropped += 1
        return True

    def _tell(self, size: int) -> None:
        now = self._monotonic()
        if self._told is None or now - self._told >= TELL_SECONDS:
            self._told = now
            self._report(size)

    def _show_out(self, transport: asyncio.BaseTransport) -> None:
        self.leave(transport)
        if isinstance(transport, asyncio.Transport):
            transport.abort()
