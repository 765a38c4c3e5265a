"""How many connections may be open, and which is closed when there are too many.

It must not speak HTTP or TLS.
"""

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from exporter.web.client_network import client_network

MAX_CONNECTIONS = 256
"""Past it, an idle connection is closed; if all are busy, requests are answered with 503."""

MIN_CONNECTIONS = 16
"""Connections that are held however few files the process may open."""

RESERVED_FILES = 96
"""Files for the state, the log, a reload, and connections that are let in or go at the moment."""

REPORT_SECONDS = 60.0
"""Time between two reports that connections were closed."""


def connection_limit(files: int) -> int:
    """Return how many connections may be open; ``files`` is what polls may open besides."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, limit - RESERVED_FILES - files))


class LimitedConnection(Protocol):
    """What the limiter has to know of a connection, and do to it."""

    @property
    def client(self) -> str:
        """Return the client's IP address, empty if it has none."""

    @property
    def ready(self) -> bool:
        """Tell whether it can carry requests: no handshake is to be done, and it does not end."""

    @property
    def busy(self) -> bool:
        """Tell whether a request is being answered."""

    @property
    def stalled(self) -> bool:
        """Tell whether the client does not take its answer, or has hung up."""

    def abort(self) -> None:
        """Close it at once."""


class ConnectionLimiter:
    """The open connections, of which some are closed when there are too many.

    Of the client that holds most, the one that has been idle the longest is closed, then one whose
    client does not take its answer: scrapers connect again by themselves, and whoever only holds
    connections cannot keep others out.
    """

    def __init__(
        self,
        limit: Callable[[], int],
        report: Callable[[int], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Let ``limit()`` connections in.

        ``report`` is told the limit when one had to be closed, at most once a minute.
        """
        self._limit = limit
        self._report = report
        self._monotonic = monotonic
        self._reported: float | None = None
        self._clients: dict[LimitedConnection, str] = {}
        """The longest idle first."""
        self.dropped = 0
        """Connections that were closed for others."""

    def add(self, connection: LimitedConnection) -> None:
        """Count a new connection in, and close others if there are too many."""
        limit = self._limit()
        if len(self._clients) >= limit:
            self._tell(limit)
        client = client_network(connection.client)
        while len(self._clients) >= limit and self._drop(client):
            pass
        self._clients[connection] = client

    def is_full(self, requests: int) -> bool:
        """Tell whether more connections are open, or ``requests`` running, than may be.

        That is only where no connection can be closed.
        """
        return max(requests, sum(each.ready for each in self._clients)) > self._limit()

    def touch(self, connection: LimitedConnection) -> None:
        """Note that a connection was idle until now, or is from now on."""
        if connection in self._clients:
            self._clients[connection] = self._clients.pop(connection)

    def remove(self, connection: LimitedConnection) -> None:
        """Forget a connection that ended, if it is known."""
        self._clients.pop(connection, None)

    def _drop(self, newcomer: str) -> bool:
        candidates: Iterable[LimitedConnection] = [
            each for each in self._clients if not each.busy
        ] or [each for each in self._clients if each.stalled]
        if not candidates:
            return False
        # Whoever opens one after the other closes its own: not the scraper that comes by at times.
        held = Counter([newcomer, *self._clients.values()])
        connection = max(candidates, key=lambda each: held[self._clients[each]])
        self.remove(connection)
        connection.abort()
        self.dropped += 1
        return True

    def _tell(self, limit: int) -> None:
        now = self._monotonic()
        if self._reported is None or now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(limit)
