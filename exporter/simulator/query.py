"""Reads the query parameters of one request, and finds out what is wrong with them.

Strict: what the API does not document is refused, so that a client's mistake shows.
It must not answer the request.
"""

from collections.abc import Iterable, Sequence

from exporter.simulator.answers import Problem
from exporter.simulator.ids import Ids, Kind, is_uuid

PAGE_SIZE = 20
PAGE_SIZE_MAX = 250
_NOTHING = -1


class Query:
    """The parameters of one request; each is read at most once, by its name."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take the ``pairs`` of the query string; of a repeated name the last one counts."""
        self._left = dict(pairs)
        self._problems: list[Problem] = []

    def page(self) -> tuple[int, int]:
        """Return the number, from 1, and the size of the page that is asked for."""
        return (
            self._integer("page[number]", 1, None),
            self._integer("page[size]", PAGE_SIZE, PAGE_SIZE_MAX),
        )

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return the value of ``name``, one of ``choices``, or None if it is not there."""
        value = self._left.pop(name, None)
        if value is not None and value not in choices:
            self._refuse(name, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def reference(self, name: str, ids: Ids, kind: Kind) -> int | None:
        """Return what the id in ``name`` stands for; None if it is not there, -1 if nothing."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not is_uuid(value):
            self._refuse(name, f"{value!r} is not a UUID")
        number = ids.read(kind, value)
        return _NOTHING if number is None else number

    def problems(self) -> list[Problem]:
        """Return what is wrong with the parameters, those that nobody read included."""
        unknown = [Problem(name, f"{name} is not a parameter here") for name in self._left]
        return self._problems + unknown

    def _integer(self, name: str, default: int, high: int | None) -> int:
        text = self._left.pop(name, None)
        if text is None:
            return default
        bounds = "1 or more" if high is None else f"1 to {high}"
        if not (text.isascii() and text.isdigit()) or len(text) > len(str(2**53)):
            self._refuse(name, f"{text!r} is not a whole number, {bounds}")
            return default
        if int(text) < 1 or (high is not None and int(text) > high):
            self._refuse(name, f"{text} is out of bounds; give {bounds}")
        return int(text)

    def _refuse(self, name: str, detail: str) -> None:
        self._problems.append(Problem(name, detail))
