"""Which actions arrive, and how each goes on: drawn by its number alone, whatever else happens.

Pure: values in, values out. All durations are seconds.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

from exporter.domain import Status
from exporter.simulator.random_source import RandomSource, stride_through, weighted_choice
from exporter.simulator.reasons import choose_reason
from exporter.simulator.settings import WorldSettings

_BULK_TYPES = (("set_public_ip", 3.0), ("enable_voice", 1.0), ("disable_voice", 1.0))


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The next change of an action's status, due ``after`` so many seconds."""

    after: float
    status: Status
    reason: str | None


class Lifecycle:
    """Draws arrivals, types and outcomes for one account."""

    def __init__(self, settings: WorldSettings) -> None:
        """Take fractions and durations from ``settings``."""
        self._settings = settings
        self._weights = settings.weights
        self._outcomes = RandomSource(settings.seed, "fate")
        self._resumptions = RandomSource(settings.seed, "fate again")
        self._arrivals = RandomSource(settings.seed, "arrivals")
        self._sim_cards = RandomSource(settings.seed, "sims")
        self._bulks = RandomSource(settings.seed, "bulks")
        self._retries = RandomSource(settings.seed, "retries")
        self._stride = stride_through(settings.sim_cards)

    def seconds_before(self, arrival: int) -> float:
        """Return the seconds before this ``arrival`` (exponential: arrivals are independent)."""
        return -math.log(self._arrivals.uniform(arrival)) / self._settings.rate

    def arrival_type(self, arrival: int) -> str:
        """Return the action type of this ``arrival``."""
        return weighted_choice(self._arrivals.uniforms(arrival)[1], self._weights)

    def bulk_type(self, bulk_number: int) -> str:
        """Return the action type of the bulk action with this number."""
        return weighted_choice(self._bulks.uniform(bulk_number), _BULK_TYPES)

    def sim_card_number(self, number: int) -> int:
        """Return the number of the SIM card of action ``number``."""
        return int(self._sim_cards.uniform(number) * self._settings.sim_cards)

    def bulk_sim_card_number(self, first: int, index: int) -> int:
        """Return the number of the SIM card of action ``index`` of a bulk that begins at ``first``.

        None comes again before each had its turn, as actions of one SIM card that are created at
        the same time have no order.
        """
        sim_cards = self._settings.sim_cards
        return (self.sim_card_number(first) + index * self._stride) % sim_cards

    def first_change(self, number: int) -> StatusChange | None:
        """Return how a new action leaves in-progress; None if it is stuck for ever."""
        outcome, duration, reason, *_ = self._outcomes.uniforms(number)
        if outcome < self._settings.stuck:
            return None
        outcome -= self._settings.stuck
        if outcome < self._settings.failed:
            status = Status.FAILED
        elif outcome < self._settings.failed + self._settings.interrupted:
            status = Status.INTERRUPTED
        else:
            status = Status.COMPLETED
        return StatusChange(self._duration(duration), status, choose_reason(status, reason))

    def resumption(self, number: int) -> StatusChange | None:
        """Return when an interrupted action resumes; None if it stays interrupted."""
        outcome, duration, *_ = self._resumptions.uniforms(number)
        if outcome >= self._settings.resumed:
            return None
        after = self._settings.resume_after + self._duration(duration)
        return StatusChange(after, Status.IN_PROGRESS, None)

    def final_change(self, number: int) -> StatusChange:
        """Return how a resumed action ends; it is not interrupted again."""
        *_, outcome, duration, reason = self._resumptions.uniforms(number)
        status = Status.FAILED if outcome < self._settings.failed else Status.COMPLETED
        return StatusChange(self._duration(duration), status, choose_reason(status, reason))

    def seconds_before_retry(self, number: int) -> float | None:
        """Return the seconds until a failed action is retried; None if it is not."""
        retried, duration, *_ = self._retries.uniforms(number)
        if retried >= self._settings.retried:
            return None
        return self._settings.retried_after + self._duration(duration)

    def lasting_failure(self, number: int) -> StatusChange:
        """Return how a new action fails for certain."""
        _, duration, reason, *_ = self._outcomes.uniforms(number)
        return StatusChange(
            self._duration(duration), Status.FAILED, choose_reason(Status.FAILED, reason)
        )

    def _duration(self, uniform: float) -> float:
        if not self._settings.duration_sigma:
            return self._settings.duration
        spread = NormalDist(0.0, self._settings.duration_sigma).inv_cdf(uniform)
        return self._settings.duration * math.exp(spread)
