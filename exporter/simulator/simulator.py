"""One simulated account with all that stands around it: key, clock, rate limit, faults, totals.

Holds the parts together and keeps count of the requests; it speaks no HTTP.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from exporter.simulator.faults import FaultSource
from exporter.simulator.limiter import Limiter
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.totals import Totals
from exporter.simulator.world import World

_REMEMBERED = 100_000


class Request(NamedTuple):
    """One request: its path, and its query parameters in sorted order."""

    path: str
    query: tuple[tuple[str, str], ...]


class Simulator:
    """A simulated account; ``key`` and ``faults.knobs`` may be changed at any time.

    ``requests`` holds the latest 100,000 requests to the API, in order, those that met a
    fault or had a wrong key included; clear it at will. ``served`` counts them all.
    """

    def __init__(self, settings: SimulatorSettings, clock: Callable[[], float]) -> None:
        """Start the account now, by ``clock`` (seconds since the epoch)."""
        self.settings = settings
        self.clock = clock
        self.key = settings.key
        self.world = World(settings.world, clock())
        self.faults = FaultSource(settings.faults, settings.world.seed)
        self.totals = Totals(settings.world.seed)
        self.limiter = Limiter(settings)
        self.requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self.served = 0

    def tick(self) -> float:
        """Let the account live up to now, and return the time."""
        now = self.clock()
        self.world.advance(now)
        return now

    def note(self, path: str, query: Iterable[tuple[str, str]]) -> None:
        """Remember one request."""
        self.requests.append(Request(path, tuple(sorted(query))))
        self.served += 1
