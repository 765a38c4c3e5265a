"""One simulated account with its API key, clock, rate limit and faults.

Holds the parts together and counts the requests; it speaks no HTTP.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from exporter.simulator.faults import FaultInjector
from exporter.simulator.rate_limiter import RateLimiter
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.world import World

_MAX_REQUESTS_KEPT = 100_000


class ReceivedRequest(NamedTuple):
    """One request: its path, and its query parameters in sorted order."""

    path: str
    query: tuple[tuple[str, str], ...]


class Simulator:
    """A simulated account; ``key`` and ``faults.settings`` may be changed at any time.

    ``requests`` holds the latest 100,000 requests to the API, in order, including those that
    met a fault or had a wrong key; it may be cleared. ``served`` counts them all.
    """

    def __init__(self, settings: SimulatorSettings, clock: Callable[[], float]) -> None:
        """Start the account now, by ``clock`` (seconds since the epoch)."""
        self._clock = clock
        self.key = settings.key
        self.world = World(settings.world, clock())
        self.faults = FaultInjector(settings.faults, settings.world.seed)
        self.rate_limiter = RateLimiter(settings)
        self.requests: deque[ReceivedRequest] = deque(maxlen=_MAX_REQUESTS_KEPT)
        self.served = 0

    def tick(self) -> float:
        """Advance the account to the present, and return the time."""
        now = self._clock()
        self.world.advance(now)
        return now

    def record_request(self, path: str, query: Iterable[tuple[str, str]]) -> None:
        """Keep one request, and count it."""
        self.requests.append(ReceivedRequest(path, tuple(sorted(query))))
        self.served += 1
