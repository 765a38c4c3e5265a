"""Which faults a soak run switches on next: repeatable draws, every fault in turn.

Decides only; it must not talk to the simulator.
"""

from collections import Counter
from dataclasses import asdict
from random import Random

from exporter.simulator.faults import Fault, Faults

ODDITIES = ("odd_status", "malformed")
"""Faults of single actions in a listing; they are drawn apart from those of requests."""

CALM = 0.35
"""Share of draws that switch everything off: an outage has to pass for anything to be seen."""

STORM = 0.25
"""Share of the other draws in which one fault meets every request."""

HELD = (1.0, 4.0)
"""Seconds for which a draw holds, at least and at most."""

OFF = Faults(slow_seconds=0.4)
"""No fault; a slow answer takes well under the time-out of a request, or it were silence."""


class Storm:
    """Draws the knobs of faults; ``switched`` counts how often each fault was switched on."""

    def __init__(self, random: Random) -> None:
        """Draw with ``random``."""
        self.switched: Counter[str] = Counter()
        self._random = random
        self._deck: list[str] = []

    def draw(self) -> tuple[Faults, float]:
        """Return the next faults, and the seconds for which they hold."""
        held = self._random.uniform(*HELD)
        if self._random.random() < CALM:
            return OFF, held
        if self._random.random() < STORM:
            shares = {self._take(): 1.0}
        else:
            names = {self._take() for _ in range(self._random.randint(1, 3))}
            # The shares of faults of requests may not add up to more than 1.
            shares = {name: self._random.uniform(0.05, 0.9) / len(names) for name in sorted(names)}
        self.switched.update(shares.keys())
        return OFF.changed(**shares, empty_unauthorized=self._random.random() < 1 / 2), held

    def _take(self) -> str:
        """Take a fault off the deck: each comes once before any comes again."""
        if not self._deck:
            self._deck = [*(fault.value for fault in Fault), *ODDITIES]
            self._random.shuffle(self._deck)
        return self._deck.pop()


def body(faults: Faults) -> dict[str, object]:
    """Return ``faults`` as the body of a request to the simulator."""
    return asdict(faults)
