"""Mistakes in the configuration: where they are and how they are worded.

Values are never quoted: any of them may be a secret, if only because ``${VAR}`` put it there.
Names of keys and variables are, as they stand for themselves. It must not decide what a
mistake is.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

Place = tuple[str | int, ...]
"""The way to a value: keys of mappings and, from 0, indexes of lists."""

_LONGEST_NAME = 40
"""In characters; longer than the names of settings and action types, shorter than a key."""

_TEXTS = {
    "missing": "is missing; add it",
    "model_type": "must be a mapping; write its keys indented under it",
    "tuple_type": "must be a list; write each item as '- item', or [] for none",
}
"""By the type of pydantic's own errors, as far as the settings can raise them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake; ``text`` says what is wrong and how to mend it, without the place."""

    place: Place
    text: str


def name_text(name: str) -> str:
    """Return ``name`` as it is quoted; a long one may be an API key in the wrong place."""
    return name if len(name) <= _LONGEST_NAME else "..."


def mistake(text: str, *, at: str | int = "") -> PydanticCustomError:
    """Return the error for a validator to raise; ``at`` is a key or index in the value."""
    return PydanticCustomError("mistake", "{text}", {"text": text, "at": at})


def advice(word: str, options: Iterable[str]) -> str:
    """Return how to mend ``word``: the nearest of ``options`` if one is near, else all."""
    valid = list(options)
    near = difflib.get_close_matches(word.casefold(), valid, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(valid)}"


def without_quotes(text: str) -> str:
    """Return the message ``text`` of a library, with what it quotes from the file left out."""
    return re.sub(r"'(?!<)[^']{2,}'|\"[^\"]{2,}\"", "'...'", text)


def place_text(place: Place) -> str:
    """Return ``place`` as a person writes it: ``accounts[1].api_key``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{name_text(part)}" for part in place)
    return "".join(parts).removeprefix(".")


def render(problems: Sequence[Problem], lines: Mapping[Place, int], source: str) -> list[str]:
    """Return one sentence a problem, in the order of the file.

    ``lines`` says, in the order of the file, in which line each place is. A place that is not
    in the file stands at the nearest one around it.
    """
    order = {place: index for index, place in enumerate(lines)}

    def anchor(place: Place) -> Place:
        while place and place not in lines:
            place = place[:-1]
        return place

    def sentence(problem: Problem) -> str:
        line = lines.get(anchor(problem.place))
        where = source if line is None else f"{source}:{line}"
        return ": ".join(filter(None, (where, place_text(problem.place), problem.text)))

    ordered = sorted(problems, key=lambda problem: order.get(anchor(problem.place), -1))
    return [sentence(problem) for problem in ordered]


def explain(error: ValidationError, model: type[BaseModel]) -> Iterator[Problem]:
    """Yield what is wrong, in our words, from pydantic's ``error`` about ``model``."""
    for item in error.errors(include_input=False, include_url=False):
        place = item["loc"]
        if item["type"] == "mistake":
            context = item["ctx"]
            yield Problem(
                place + (() if context["at"] == "" else (context["at"],)), context["text"]
            )
        elif item["type"] == "extra_forbidden":
            keys = _keys(model, place[:-1])
            yield Problem(place, f"unknown key; {advice(str(place[-1]), keys)}")
        else:
            yield Problem(place, _TEXTS.get(item["type"], "is wrong; see config.example.yaml"))


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """Return the keys that the model at ``place`` below ``model`` takes."""
    for part in place:
        if isinstance(part, str):
            kind = model.model_fields[part].annotation
            model = next(
                inner
                for inner in (kind, *get_args(kind))
                if isinstance(inner, type) and issubclass(inner, BaseModel)
            )
    return [field.alias or name for name, field in model.model_fields.items()]
