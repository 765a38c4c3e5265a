"""What becomes of an action: decided by its number alone, whatever else happens.

Pure: values in, values out. All durations are seconds.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from exporter.domain import Status
from exporter.simulator.chance import Chance, choose
from exporter.simulator.reasons import reason_of
from exporter.simulator.settings import WorldSettings

_BULK_TYPES = (("set_public_ip", 3.0), ("enable_voice", 1.0), ("disable_voice", 1.0))


@dataclass(frozen=True, slots=True)
class Turn:
    """The next change of status of an action, ``after`` seconds."""

    after: float
    status: Status
    reason: str | None


class Fate:
    """Rolls the fates of one account."""

    def __init__(self, settings: WorldSettings) -> None:
        """Take the shares and durations from ``settings``."""
        self._settings = settings
        self._weights = settings.weights
        self._first = Chance(settings.seed, "fate")
        self._again = Chance(settings.seed, "fate again")
        self._arrivals = Chance(settings.seed, "arrivals")
        self._sims = Chance(settings.seed, "sims")
        self._bulks = Chance(settings.seed, "bulks")

    def gap(self, arrival: int) -> float:
        """Return the seconds before this ``arrival`` (exponential: arrivals are independent)."""
        return -math.log(self._arrivals.roll(arrival)) / self._settings.rate

    def arrival_type(self, arrival: int) -> str:
        """Return the action type of this ``arrival``."""
        return choose(self._arrivals.rolls(arrival)[1], self._weights)

    def bulk_type(self, bulk: int) -> str:
        """Return the action type of the bulk with this number."""
        return choose(self._bulks.roll(bulk), _BULK_TYPES)

    def sim(self, number: int) -> int:
        """Return the number of the SIM card of an action."""
        return int(self._sims.roll(number) * self._settings.sim_cards)

    def first_turn(self, number: int) -> Turn | None:
        """Return how a new action leaves in-progress; None if it is stuck for ever."""
        outcome, lasts, why, *_ = self._first.rolls(number)
        if outcome < self._settings.stuck:
            return None
        outcome -= self._settings.stuck
        if outcome < self._settings.failed:
            status = Status.FAILED
        elif outcome < self._settings.failed + self._settings.interrupted:
            status = Status.INTERRUPTED
        else:
            status = Status.COMPLETED
        return Turn(self._duration(lasts), status, reason_of(status, why))

    def resumption(self, number: int) -> Turn | None:
        """Return how an interrupted action goes on; None if it stays as it is."""
        goes_on, waits, *_ = self._again.rolls(number)
        if goes_on >= self._settings.resumed:
            return None
        after = self._settings.resume_after + self._duration(waits)
        return Turn(after, Status.IN_PROGRESS, None)

    def last_turn(self, number: int) -> Turn:
        """Return how an action that went on ends; it is not interrupted again."""
        *_, outcome, lasts, why = self._again.rolls(number)
        status = Status.FAILED if outcome < self._settings.failed else Status.COMPLETED
        return Turn(self._duration(lasts), status, reason_of(status, why))

    def _duration(self, roll: float) -> float:
        if not self._settings.duration_sigma:
            return self._settings.duration
        spread = NormalDist(0.0, self._settings.duration_sigma).inv_cdf(roll)
        return self._settings.duration * math.exp(spread)
