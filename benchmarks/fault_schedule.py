"""Which faults a soak run switches on next: reproducible draws, every fault in turn.

It only decides; it must not call the simulator.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from random import Random
from typing import Any

from exporter.simulator.faults import DeepPageResponse, Fault, FaultSettings
from exporter.simulator.settings import ListOrder

ITEM_FAULTS = ("odd_status", "malformed")
"""Faults of single actions in a list; the simulator draws them apart from those of requests."""

WRONG_TOTALS = ("totals_lag", "totals_short", "totals_cap", "totals_jump", "totals_zero")
"""Faults of the totals of lists; those that are not fractions apply to every answer."""

DEEP_PAGES = "page_depth"
"""The fault that refuses deep pages, which hold old actions."""

REFUSALS = (DeepPageResponse.UNPROCESSABLE, DeepPageResponse.BAD_REQUEST)
NEW_FIRST = frozenset({ListOrder.NEWEST, ListOrder.UPDATED})
"""Orders in which new actions are on pages that are not refused."""

NO_FAULT_FRACTION = 0.35
"""Fraction of draws without a fault: the exporter sees nothing until an outage is over."""

ONE_FAULT_FRACTION = 0.25
"""Fraction of the other draws in which one fault meets every request."""

DURATIONS = (1.0, 4.0)
"""Minimum and maximum seconds for which a draw applies."""

OFF = FaultSettings(slow_seconds=0.4)
"""No fault; a slow answer takes well under the timeout of a request, unlike silence."""


class FaultSchedule:
    """Draws fault settings; ``switched`` counts how often each fault was switched on."""

    def __init__(self, random: Random, order: ListOrder, history: int) -> None:
        """Draw with ``random``, for an account that lists ``history`` old actions and more."""
        self.switched: Counter[str] = Counter()
        self._random = random
        self._history = history
        self._faults = [*(fault.value for fault in Fault), *ITEM_FAULTS, *WRONG_TOTALS]
        if order in NEW_FIRST:
            self._faults.append(DEEP_PAGES)
        self._remaining: list[str] = []

    def next_faults(self) -> tuple[FaultSettings, float]:
        """Return the next faults, and the seconds for which they apply."""
        seconds = self._random.uniform(*DURATIONS)
        if self._random.random() < NO_FAULT_FRACTION:
            return OFF, seconds
        if self._random.random() < ONE_FAULT_FRACTION:
            values = {self._take(): 1.0}
        else:
            names = {self._take() for _ in range(self._random.randint(1, 3))}
            # The fractions of the faults of requests must not sum to more than 1.
            values = {name: self._random.uniform(0.05, 0.9) / len(names) for name in sorted(names)}
        self.switched.update(values.keys())
        return OFF.changed(**values | self._parameters(values)), seconds

    def _parameters(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the options among ``names`` that are not fractions, and the options that they use.

        A cap above the history would cap nothing.
        """
        random = self._random
        parameters = {
            "totals_lag": random.uniform(1.0, 30.0),
            "totals_short": random.randint(1, 1000),
            "totals_cap": random.randint(self._history // 10, self._history),
            DEEP_PAGES: random.randint(2000, 10_000),
        }
        return {name: parameters[name] for name in names if name in parameters} | {
            "totals_jump_by": random.choice((1, 10, 1000)),
            "deep_page": random.choice(REFUSALS).value,
            "empty_unauthorized": random.random() < 1 / 2,
        }

    def _take(self) -> str:
        """Take a fault that remains: each comes once before any comes again."""
        if not self._remaining:
            self._remaining = list(self._faults)
            self._random.shuffle(self._remaining)
        return self._remaining.pop()


def body(faults: FaultSettings) -> dict[str, object]:
    """Return ``faults`` as the body of a request to the control endpoint."""
    return asdict(faults)
