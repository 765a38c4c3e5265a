"""The simulator's options with defaults, units and bounds; it only holds and validates them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from exporter.domain import KNOWN_ACTION_TYPES
from exporter.errors import UsageError
from exporter.simulator.faults import FaultSettings
from exporter.simulator.options import Option, check, fraction, option, options_of


class ListOrder(StrEnum):
    """The order in which the account lists its actions."""

    NEWEST = "newest"
    OLDEST = "oldest"
    UPDATED = "updated"
    NONE = "none"


class ResetStyle(StrEnum):
    """What ``x-ratelimit-reset`` says: seconds to wait, or when, in seconds since the epoch."""

    SECONDS = "seconds"
    EPOCH = "epoch"


_MAX_HISTORY_SECONDS = 3e10  # longer, and dates would go out of range

DEFAULT_MIX = ",".join(
    f"{name}={weight}"
    for name, weight in zip(KNOWN_ACTION_TYPES, (30, 8, 22, 16, 10, 6, 5, 3), strict=True)
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What happens in the account. Memory grows with what arrives, not with ``history``."""

    seed: int = option(1, "the same seed gives the same account")
    rate: float = option(1.0, "single actions created per second", low=0, high=10_000)
    mix: str = option(DEFAULT_MIX, "action types and their weights: type=weight,...")
    bulk_every: float = option(300.0, "seconds between bulk actions; 0 for none", low=0)
    bulk_size: int = option(50, "SIM cards per bulk action", low=1, high=100_000)
    duration: float = option(20.0, "median duration of an action in seconds", low=0.001)
    duration_sigma: float = option(
        0.6, "sigma of the log-normal distribution of durations", low=0, high=5
    )
    failed: float = fraction("actions that fail", 0.08)
    interrupted: float = fraction("actions that are interrupted", 0.04)
    stuck: float = fraction("actions that never end", 0.005)
    resumed: float = fraction("interrupted actions that are resumed", 0.25)
    resume_after: float = option(
        180.0, "minimum seconds until an interrupted action is resumed", low=0
    )
    retried: float = fraction("failed actions that are retried by another action")
    retried_after: float = option(60.0, "minimum seconds until a failed action is retried", low=0)
    bulk_failures: int = option(
        0, "SIM cards of the first bulk action that fail and are not retried", low=0, high=100_000
    )
    stuck_at_start: int = option(4, "actions in progress at the start that never end", low=0)
    stuck_age: float = option(
        2400.0, "age of the stuck_at_start actions at the start, in seconds", low=0
    )
    history: int = option(20_000, "actions that ended before the start", low=0, high=10**12)
    history_spacing: float = option(
        30.0, "seconds between the actions of the history", low=0.001, high=86_400
    )
    sim_cards: int = option(5000, "SIM cards of the account", low=1, high=10**9)
    order: str = option("newest", "order of the list", choices=tuple(ListOrder))

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        if (total := self.failed + self.interrupted + self.stuck) > 1 + 1e-9:
            raise UsageError(
                f"failed, interrupted, stuck: the fractions sum to {total:g}; "
                "the sum must be at most 1"
            )
        if self.history * self.history_spacing > _MAX_HISTORY_SECONDS:
            raise UsageError(
                f"history, history_spacing: {self.history} actions {self.history_spacing:g} s "
                "apart span more than 950 years; use a shorter spacing"
            )
        _ = self.weights

    @property
    def weights(self) -> tuple[tuple[str, float], ...]:
        """The action types of ``mix`` with their weights."""
        try:
            pairs = [part.split("=") for part in self.mix.split(",")]
            weights = tuple((name.strip(), float(weight)) for name, weight in pairs)
        except ValueError as exc:
            raise UsageError(f"mix: {self.mix!r} is not of the form type=weight,...") from exc
        if any(not name or not 0 <= weight < float("inf") for name, weight in weights):
            raise UsageError(f"mix: {self.mix!r}: give each type a name and a weight of 0 or more")
        if sum(weight for _, weight in weights) <= 0:
            raise UsageError(f"mix: {self.mix!r}: give at least one type a weight above 0")
        return weights


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """The whole simulator: its account, its faults, the API key and the rate limit."""

    world: WorldSettings = field(default_factory=WorldSettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    key: str = option("KEY-simulated", "the API key that is accepted", secret=True)
    rate_limit: int = option(0, "requests allowed per rate_window; 0 for no limit", low=0)
    rate_window: float = option(1.0, "window of rate_limit in seconds", low=0.001)
    rate_reset: str = option("seconds", "format of x-ratelimit-reset", choices=tuple(ResetStyle))
    retry_after: bool = option(default=False, help_text="send Retry-After with 429")

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        if not self.key.isascii() or not self.key.strip():
            raise UsageError("key: must be ASCII and not empty")

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> "SimulatorSettings":
        """Build the settings from flat ``values`` by option name; missing ones get their defaults.

        Raises UsageError for an unknown option, by its name, and for a value out of bounds.
        """
        rest = dict(values)
        groups = [
            {each.name: rest.pop(each.name) for each in options_of(group) if each.name in rest}
            for group in (WorldSettings, FaultSettings, cls)
        ]
        if rest:
            raise UsageError(f"{min(rest)}: unknown option")
        return cls(world=WorldSettings(**groups[0]), faults=FaultSettings(**groups[1]), **groups[2])


def all_options() -> tuple[Option, ...]:
    """Return every option of the simulator, flat, in the order of the help text."""
    return tuple(
        each
        for group in (WorldSettings, SimulatorSettings, FaultSettings)
        for each in options_of(group)
    )


DEMO = SimulatorSettings(
    world=WorldSettings(
        seed=150,  # an enable fails in the first seconds, so it is among the oldest problems
        rate=2.0,
        bulk_every=20.0,
        bulk_size=30,
        duration=6.0,
        failed=0.12,
        interrupted=0.03,
        stuck=0.01,
        resumed=0.3,
        resume_after=20.0,
        retried=0.8,
        retried_after=5.0,
        bulk_failures=5,
        stuck_at_start=2,
    )
)
"""An account that shows failures, interruptions and stuck actions within a minute.

Most failures are mended by a retry, those of five SIM cards of the first bulk action are not."""
