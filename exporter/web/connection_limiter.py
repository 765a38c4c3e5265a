"""Limits the number of open connections, and decides which to close when there are too many.

It must not know HTTP or TLS.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from exporter.web.client_network import client_network

MAX_CONNECTIONS = 256
"""Above it, an idle connection is closed; if all are busy, requests are answered with 503."""

MIN_CONNECTIONS = 16
"""Connections that are always allowed, however low the limit on open files is."""

RESERVED_FILES = 96
"""Files for the state, the log, a reload, and connections being accepted or closed."""

REPORT_SECONDS = 60.0
"""Minimum time between two reports that connections were closed."""


def connection_limit(files: int) -> int:
    """Return how many connections may be open; ``files`` is how many files polls may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, limit - RESERVED_FILES - files))


class LimitedConnection(Protocol):
    """What the limiter needs from a connection."""

    @property
    def client(self) -> str:
        """Return the client's IP address, empty if it has none."""

    @property
    def ready(self) -> bool:
        """Tell whether it can serve requests: its handshake is done, and it is not closing."""

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""

    @property
    def stalled(self) -> bool:
        """Tell whether the client does not read its response, or has closed its side."""

    def abort(self) -> None:
        """Close it immediately."""


class ConnectionLimiter:
    """The open connections; closes some when there are too many.

    It closes the longest idle connection of the client that has the most, then one whose client
    does not read its response. Scrapers reconnect by themselves, and a client that only holds
    connections cannot lock out others.
    """

    def __init__(
        self,
        limit: Callable[[], int],
        report: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Allow ``limit()`` connections.

        ``report`` is called with the limit when it is reached, at most once a minute.
        """
        self._limit = limit
        self._report = report
        self._monotonic = monotonic
        self._reported: float | None = None
        self._clients: dict[LimitedConnection, str] = {}
        """The client of each, the longest idle first."""
        self.dropped = 0
        """Connections that were closed in favor of others."""

    def add(self, connection: LimitedConnection) -> None:
        """Add a new connection, and close others if there are too many."""
        limit = self._limit()
        if len(self._clients) >= limit:
            self._report_limit(limit)
        client = client_network(connection.client)
        while len(self._clients) >= limit and self._drop(client):
            pass
        self._clients[connection] = client

    def is_full(self, requests: int) -> bool:
        """Tell whether the open connections, or ``requests`` running, exceed the limit.

        That only happens if no connection can be closed.
        """
        return max(requests, sum(each.ready for each in self._clients)) > self._limit()

    def touch(self, connection: LimitedConnection) -> None:
        """Record that a connection became busy or idle."""
        if connection in self._clients:
            self._clients[connection] = self._clients.pop(connection)

    def remove(self, connection: LimitedConnection) -> None:
        """Remove a closed connection, if it is present."""
        self._clients.pop(connection, None)

    def _drop(self, newcomer: str) -> bool:
        candidates: Iterable[LimitedConnection] = [
            each for each in self._clients if not each.busy
        ] or [each for each in self._clients if each.stalled]
        if not candidates:
            return False
        # A client that opens many closes its own, not that of a scraper that connects rarely.
        held = Counter([newcomer, *self._clients.values()])
        connection = max(candidates, key=lambda each: held[self._clients[each]])
        self.remove(connection)
        connection.abort()
        self.dropped += 1
        return True

    def _report_limit(self, limit: int) -> None:
        now = self._monotonic()
        if self._reported is None or now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(limit)
