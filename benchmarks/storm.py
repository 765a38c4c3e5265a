"""Which faults a soak run switches on next: repeatable draws, every fault in turn.

Decides only; it must not talk to the simulator.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from random import Random
from typing import Any

from exporter.simulator.faults import DeepPageResponse, Fault, FaultSettings
from exporter.simulator.settings import ListOrder

ODDITIES = ("odd_status", "malformed")
"""Faults of single actions in a listing; they are drawn apart from those of requests."""

WRONG_TOTALS = ("totals_lag", "totals_short", "totals_cap", "totals_jump", "totals_zero")
"""Faults of the totals of listings; those that are no shares hold for every answer."""

DEEP_PAGES = "page_depth"
"""The fault that refuses pages of old actions."""

REFUSED = (DeepPageResponse.UNPROCESSABLE, DeepPageResponse.BAD_REQUEST)
NEW_FIRST = frozenset({ListOrder.NEWEST, ListOrder.UPDATED})
"""Orders in which what is new stands on pages that are not refused."""

CALM = 0.35
"""Share of draws that switch everything off: an outage has to pass for anything to be seen."""

STORM = 0.25
"""Share of the other draws in which one fault meets every request."""

HELD = (1.0, 4.0)
"""Seconds for which a draw holds, at least and at most."""

OFF = FaultSettings(slow_seconds=0.4)
"""No fault; a slow answer takes well under the time-out of a request, or it were silence."""


class Storm:
    """Draws the knobs of faults; ``switched`` counts how often each fault was switched on."""

    def __init__(self, random: Random, order: ListOrder, history: int) -> None:
        """Draw with ``random``, for an account that lists ``history`` old actions and more."""
        self.switched: Counter[str] = Counter()
        self._random = random
        self._history = history
        self._faults = [*(fault.value for fault in Fault), *ODDITIES, *WRONG_TOTALS]
        if order in NEW_FIRST:
            self._faults.append(DEEP_PAGES)
        self._deck: list[str] = []

    def draw(self) -> tuple[FaultSettings, float]:
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
        return OFF.changed(**shares | self._amounts(shares)), held

    def _amounts(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the values of those knobs of ``names`` that are no shares, and of what they need.

        A cap above the history would cap nothing.
        """
        draw = self._random
        amounts = {
            "totals_lag": draw.uniform(1.0, 30.0),
            "totals_short": draw.randint(1, 1000),
            "totals_cap": draw.randint(self._history // 10, self._history),
            DEEP_PAGES: draw.randint(2000, 10_000),
        }
        return {name: amounts[name] for name in names if name in amounts} | {
            "totals_jump_by": draw.choice((1, 10, 1000)),
            "deep_page": draw.choice(REFUSED).value,
            "empty_unauthorized": draw.random() < 1 / 2,
        }

    def _take(self) -> str:
        """Take a fault off the deck: each comes once before any comes again."""
        if not self._deck:
            self._deck = list(self._faults)
            self._random.shuffle(self._deck)
        return self._deck.pop()


def body(faults: FaultSettings) -> dict[str, object]:
    """Return ``faults`` as the body of a request to the simulator."""
    return asdict(faults)
