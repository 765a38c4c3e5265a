"""Take a mapping of the web configuration apart, noting every mistake and going on.

It must not know which settings there are. Values are never quoted: any may be a secret.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeVar, cast

from exporter.config.problems import Place, Problem, advice

Value = TypeVar("Value")

NOTHING: Mapping[Place, str] = MappingProxyType({})


class Section:
    """One mapping: hands out its values by key and remembers which keys it was asked for."""

    def __init__(
        self,
        data: object,
        place: Place,
        problems: list[Problem],
        written: Mapping[Place, str] = NOTHING,
    ) -> None:
        """Take ``data``, found at ``place``; mistakes are added to ``problems``.

        Null stands for an empty mapping. ``written`` is how numbers and the like are written.
        """
        self._place = place
        self._problems = problems
        self._written = written
        self._asked: list[str] = []
        self._data: Mapping[str, object] = {}
        if isinstance(data, Mapping):
            self._data = cast("Mapping[str, object]", data)  # as the parser makes them
        elif data is not None:
            problems.append(Problem(place, "must be a mapping; write its keys indented under it"))

    def __bool__(self) -> bool:
        """Tell whether anything stands in it, right or wrong."""
        return bool(self._data)

    def given(self, key: str) -> bool:
        """Tell whether ``key`` has a value, right or wrong; null and empty text are none."""
        value = self._data.get(key)
        return value is not None and value != ""

    def take(self, key: str, read: Callable[[object], Value], default: Value) -> Value:
        """Return the value of ``key`` as ``read`` makes it; ``default`` without, or with a bad one.

        ``read`` raises ValueError with what is wrong and how to mend it.
        """
        self._asked.append(key)
        if not self.given(key):
            return default
        try:
            return read(self._data[key])
        except ValueError as exc:
            self.wrong(key, str(exc))
            return default

    def take_text(self, key: str, read: Callable[[object], Value], default: Value) -> Value:
        """Return the value of ``key`` like `take`, but a number or the like is read as a text.

        So it is where Go decodes into a string. In a list it holds for each item.
        """
        place = (*self._place, key)

        def read_text(value: object) -> Value:
            if isinstance(value, list):
                items = enumerate(value)
                return read([self._written.get((*place, at), item) for at, item in items])
            return read(self._written.get(place, value))

        return self.take(key, read_text, default)

    def section(self, key: str) -> "Section":
        """Return the mapping below ``key``; an empty one without."""
        self._asked.append(key)
        return Section(self._data.get(key), (*self._place, key), self._problems, self._written)

    def names(self) -> tuple[str, ...]:
        """Return the keys of a mapping that is open to any."""
        return tuple(self._data)

    def wrong(self, key: str, text: str) -> None:
        """Note a mistake at ``key``."""
        self._problems.append(Problem((*self._place, key), text))

    def end(self) -> None:
        """Note the keys that were not asked for."""
        for key in self._data:
            if key not in self._asked:
                self.wrong(key, f"unknown key; {advice(key, self._asked)}")


def text(value: object) -> str:
    """Return a text as it is."""
    if not isinstance(value, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004 # as any other mistake
    return value


def path(value: object) -> str:
    """Return the path of a file, which may be relative."""
    if not text(value).isprintable():
        raise ValueError("holds a control character; remove it")
    return text(value)


def boolean(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false; write it without quotes")  # noqa: TRY004 # likewise
    return value


def texts(value: object) -> Sequence[str]:
    """Return a list of texts."""
    if not isinstance(value, list):
        raise ValueError("must be a list; write each item as '- item'")  # noqa: TRY004 # likewise
    return tuple(text(item) for item in value)


def choice(options: Mapping[str, Value]) -> Callable[[object], Value]:
    """Return the reader of a word that stands for one of ``options``."""

    def read(value: object) -> Value:
        word = text(value)
        if word not in options:
            raise ValueError(f"unknown value; {advice(word, options)}")
        return options[word]

    return read


def never(why: str) -> Callable[[object], Literal[False]]:
    """Return the reader of a switch that can only be off; ``why`` says so."""

    def read(value: object) -> Literal[False]:
        if boolean(value):
            raise ValueError(why)
        return False

    return read
