"""Declares options of the simulator: each field of a settings class, with bounds and help text.

One declaration serves the validation, the command line and the control endpoint. It must not
know any particular option.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its name, default, help text with unit, and the values that it accepts.

    ``low`` and ``high`` are inclusive; None is no bound. Without ``choices``, any text is valid.
    """

    name: str
    default: bool | float | str
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]

    def check(self, value: object) -> None:
        """Refuse a ``value`` that this option does not accept.

        Raises UsageError, which names the option and says what it accepts.
        """
        value_type = type(self.default)
        fits = isinstance(value, (int, float) if value_type is float else value_type)
        if not fits or (isinstance(value, bool) and value_type is not bool):
            raise UsageError(f"{self.name}: {value!r} is not {_TYPE_NAMES[value_type]}")
        if isinstance(value, (int, float)) and not self._in_bounds(value):
            raise UsageError(f"{self.name}: {value!r} is out of range; use {self._bounds()}")
        if self.choices and value not in self.choices:
            raise UsageError(
                f"{self.name}: {value!r} is unknown; use one of {', '.join(self.choices)}"
            )

    def _in_bounds(self, value: float) -> bool:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return math.isfinite(value) and low <= value <= high

    def _bounds(self) -> str:
        if self.high is None:
            return f"{self.low:g} or more" if self.low is not None else "a finite number"
        return f"{self.low:g} to {self.high:g}"


_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def option(
    default: bool | float | str,  # noqa: FBT001 - the default of an option that is a switch
    help_text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """Declare one field of a settings dataclass; a ``secret`` one stays out of its repr."""
    metadata = {
        "default": default,
        "help": help_text,
        "low": low,
        "high": high,
        "choices": choices,
    }
    return dataclasses.field(default=default, metadata=metadata, repr=not secret)


def fraction(help_text: str, default: float = 0.0) -> Any:
    """Declare an option that is a fraction: 0 for never, 1 for always."""
    return option(default, f"fraction, 0 to 1, of {help_text}", low=0, high=1)


def options_of(settings: type) -> Iterator[Option]:
    """Yield the options of a settings dataclass, in the order of its fields."""
    for each in dataclasses.fields(settings):
        if each.metadata:
            yield Option(name=each.name, **each.metadata)


def check(settings: object) -> None:
    """Validate every option of ``settings``, an instance of a settings dataclass.

    Raises UsageError for the first value that its option does not accept.
    """
    for each in options_of(type(settings)):
        each.check(getattr(settings, each.name))
