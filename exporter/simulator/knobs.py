"""Declares a simulator's knobs: each field of a settings class with its bounds and meaning.

One declaration serves the check of values, the command line and the control endpoint.
It must not know any single knob.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Knob:
    """One knob: its name, default, meaning with unit, and the values it may have.

    ``low`` and ``high`` include themselves; None is no bound. ``choices`` empty: any text.
    """

    name: str
    default: bool | float | str
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]

    def check(self, value: object) -> None:
        """Refuse a ``value`` that this knob cannot have.

        Raises UsageError, which names the knob and says what it may be.
        """
        kind = type(self.default)
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{self.name}: {value!r} is not {_TYPES[kind]}")
        if isinstance(value, (int, float)) and not self._in_bounds(value):
            raise UsageError(f"{self.name}: {value!r} is out of bounds; give {self._bounds()}")
        if self.choices and value not in self.choices:
            raise UsageError(
                f"{self.name}: {value!r} is unknown; give one of {', '.join(self.choices)}"
            )

    def _in_bounds(self, value: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return math.isfinite(value) and low <= value <= high

    def _bounds(self) -> str:
        if self.high is None:
            return f"{self.low:g} or more" if self.low is not None else "a finite number"
        return f"{self.low:g} to {self.high:g}"


_TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def knob(
    default: bool | float | str,  # noqa: FBT001 - the default of a knob that is a switch
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Declare one field of a settings dataclass; a ``secret`` one stays out of its repr."""
    metadata = {
        "default": default,
        "help": meaning,
        "low": low,
        "high": high,
        "choices": choices,
    }
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def share(meaning: str, default: float = 0.0) -> Any:
    """Declare a knob that is a share: 0 for never, 1 for always."""
    return knob(default, f"share, 0 to 1, of {meaning}", low=0, high=1)


def knobs_of(settings: type) -> Iterator[Knob]:
    """Yield the knobs of a dataclass of settings, in their order."""
    for each in dataclasses.fields(settings):
        if each.metadata:
            yield Knob(name=each.name, **each.metadata)


def check(settings: object) -> None:
    """Refuse ``settings``, an instance, in which a knob has a value it cannot have.

    Raises UsageError for the first such knob.
    """
    for each in knobs_of(type(settings)):
        each.check(getattr(settings, each.name))
