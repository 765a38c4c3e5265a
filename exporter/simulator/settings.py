"""Every knob of the simulator with its default, unit and bounds; it only holds and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from exporter.domain import KNOWN_ACTION_TYPES
from exporter.errors import UsageError
from exporter.simulator.faults import Faults
from exporter.simulator.knobs import Knob, check, knob, knobs_of, share


class Order(StrEnum):
    """The orders in which the account may list its actions."""

    NEWEST = "newest"
    OLDEST = "oldest"
    UPDATED = "updated"
    NONE = "none"


class ResetStyle(StrEnum):
    """What ``x-ratelimit-reset`` says: seconds to wait, or when, in seconds since the epoch."""

    SECONDS = "seconds"
    EPOCH = "epoch"


_LONGEST = 3e10  # seconds; dates have to stay dates

DEFAULT_MIX = ",".join(
    f"{name}={weight}"
    for name, weight in zip(KNOWN_ACTION_TYPES, (30, 8, 22, 16, 10, 6, 5, 3), strict=True)
)


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """How the account lives. Memory grows with what arrives, not with ``history``."""

    seed: int = knob(1, "the same seed gives the same account")
    rate: float = knob(1.0, "actions that arrive one by one, a second", low=0, high=10_000)
    mix: str = knob(DEFAULT_MIX, "action types with their weights, as type=weight,...")
    bulk_every: float = knob(300.0, "seconds between two bulk actions; 0 for none", low=0)
    bulk_size: int = knob(50, "SIM cards in one bulk action", low=1, high=100_000)
    duration: float = knob(20.0, "seconds an action takes, median", low=0.001)
    duration_sigma: float = knob(
        0.6, "how widely durations spread (sigma of the log-normal)", low=0, high=5
    )
    failed: float = share("actions that end failed", 0.08)
    interrupted: float = share("actions that are interrupted", 0.04)
    stuck: float = share("actions that never end", 0.005)
    resumed: float = share("interrupted actions that go on later", 0.25)
    resume_after: float = knob(
        180.0, "seconds for which an action stays interrupted, at least", low=0
    )
    stuck_at_start: int = knob(4, "actions in progress from before the start that never end", low=0)
    stuck_age: float = knob(2400.0, "seconds between their creation and the start", low=0)
    history: int = knob(20_000, "actions that ended before the start", low=0, high=10**12)
    history_spacing: float = knob(
        30.0, "seconds between two actions of the history", low=0.001, high=86_400
    )
    sim_cards: int = knob(5000, "SIM cards of the account", low=1, high=10**9)
    order: str = knob("newest", "order of the list", choices=tuple(Order))

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        if (total := self.failed + self.interrupted + self.stuck) > 1 + 1e-9:
            raise UsageError(
                f"failed, interrupted, stuck: the shares add up to {total:g}; "
                "give at most 1 together"
            )
        if self.history * self.history_spacing > _LONGEST:
            raise UsageError(
                f"history, history_spacing: {self.history} actions {self.history_spacing:g} s "
                "apart go back more than 950 years; give a shorter spacing"
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
    """The whole simulator: the account's life, its faults, and how it lets clients in."""

    world: WorldSettings = field(default_factory=WorldSettings)
    faults: Faults = field(default_factory=Faults)
    key: str = knob("KEY-simulated", "the API key that is accepted", secret=True)
    rate_limit: int = knob(0, "requests let in per rate_window; 0 for no limit", low=0)
    rate_window: float = knob(1.0, "seconds for which rate_limit counts", low=0.001)
    rate_reset: str = knob("seconds", "what x-ratelimit-reset says", choices=tuple(ResetStyle))
    retry_after: bool = knob(default=False, meaning="send Retry-After with 429")

    def __post_init__(self) -> None:
        """Refuse values out of bounds, with UsageError."""
        check(self)
        if not self.key.isascii() or not self.key.strip():
            raise UsageError("key: give a key of ASCII characters, not an empty one")

    @classmethod
    def from_knobs(cls, values: Mapping[str, Any]) -> "SimulatorSettings":
        """Build the settings from flat ``values`` by knob name; what is left out is default.

        Raises UsageError for an unknown knob, by its name, and for a value out of bounds.
        """
        rest = dict(values)
        groups = [
            {each.name: rest.pop(each.name) for each in knobs_of(kind) if each.name in rest}
            for kind in (WorldSettings, Faults, cls)
        ]
        if rest:
            raise UsageError(f"{min(rest)}: there is no such knob")
        return cls(world=WorldSettings(**groups[0]), faults=Faults(**groups[1]), **groups[2])


def all_knobs() -> tuple[Knob, ...]:
    """Return every knob of the simulator, flat, in the order for a help text."""
    return tuple(
        each for kind in (WorldSettings, SimulatorSettings, Faults) for each in knobs_of(kind)
    )


QUIET = WorldSettings(rate=0.0, bulk_every=0.0, history=0, stuck_at_start=0)
"""An account in which nothing happens by itself, for tests that make it happen."""

DEMO = SimulatorSettings(
    world=WorldSettings(
        rate=2.0,
        bulk_every=20.0,
        bulk_size=30,
        duration=6.0,
        failed=0.12,
        interrupted=0.06,
        stuck=0.01,
        resumed=0.3,
        resume_after=60.0,
    )
)
"""An account that shows failures, interruptions and stuck actions within a minute."""
