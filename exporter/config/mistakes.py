"""Mistakes in a configuration file: where each one is, and the line that reports it.

No value is ever quoted: any may be a secret, if only because ``${VAR}`` put it there. Names of
keys and variables are quoted. It must not decide what a mistake is.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

KeyPath = tuple[str | int, ...]
"""Where a value is in the file: keys of mappings, and indexes of lists from 0."""

_LONGEST_NAME = 40
"""In characters; longer than the names of settings and action types, shorter than an API key."""

_TEXTS = {
    "missing": "is missing; add it",
    "model_type": "must be a mapping; indent its keys below it",
    "dict_type": "must be a mapping; indent its keys below it",
    "tuple_type": "must be a list; write each item as '- item', or [] for none",
}
"""By the type of pydantic's own errors, as far as the models can raise them."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake; ``text`` says what is wrong and how to fix it, without the path."""

    path: KeyPath
    text: str


def invalid(
    text: str, *, at: str | int | None = None, sibling: str | None = None, name: bool = False
) -> PydanticCustomError:
    """Return the error for a validator to raise about a value.

    The mistake may be ``at`` a key or index in the value, at a ``sibling``, another key of the
    same section, or in the ``name`` that is the key of the value.
    """
    context = {"text": text, "at": at, "sibling": sibling, "name": name}
    return PydanticCustomError("invalid", "{text}", context)


def suggestion(word: str, options: Iterable[str]) -> str:
    """Return how to fix ``word``: the nearest of ``options`` if one is near, else all."""
    valid = list(options)
    near = difflib.get_close_matches(word.casefold(), valid, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(valid)}"


def redact_quoted(text: str) -> str:
    """Return a library's message ``text`` with ``...`` for what it quotes from the file."""
    return re.sub(r"'(?!<)[^']{2,}'|\"[^\"]{2,}\"", "'...'", text)


def redact_long_name(name: str) -> str:
    """Return ``name``, or ``...`` for a long one: it may be an API key in the wrong place."""
    return name if len(name) <= _LONGEST_NAME else "..."


def format_path(path: KeyPath) -> str:
    """Return ``path`` as people write it: ``accounts[1].api_key``."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{redact_long_name(part)}" for part in path
    )
    return "".join(parts).removeprefix(".")


def format_mistakes(
    mistakes: Iterable[Mistake], lines: Mapping[KeyPath, int], source: str
) -> list[str]:
    """Return one line per mistake, in the order of the file ``source``.

    ``lines`` gives the line number of each path, in the order of the file. A path that is not in
    the file gets the line of its nearest ancestor.
    """
    order = {path: index for index, path in enumerate(lines)}

    def anchor(path: KeyPath) -> KeyPath:
        while path and path not in lines:
            path = path[:-1]
        return path

    def formatted(mistake: Mistake) -> str:
        line = lines.get(anchor(mistake.path))
        where = source if line is None else f"{source}:{line}"
        return ": ".join(filter(None, (where, format_path(mistake.path), mistake.text)))

    ordered = sorted(mistakes, key=lambda mistake: order.get(anchor(mistake.path), -1))
    return [formatted(mistake) for mistake in ordered]


def first_per_path(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """Return ``mistakes`` without those that follow from an earlier one at the same path."""
    first: dict[KeyPath, Mistake] = {}
    for mistake in mistakes:
        first.setdefault(mistake.path, mistake)
    return list(first.values())


def mistakes_in(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """Yield the mistakes that pydantic's ``error`` about ``model`` reports, in our words."""
    for item in error.errors(include_input=False, include_url=False):
        path = item["loc"]
        if item["type"] == "invalid":
            yield Mistake(_moved(path, item["ctx"]), item["ctx"]["text"])
        elif item["type"] == "extra_forbidden":
            options = _keys_at(model, path[:-1])
            yield Mistake(path, f"unknown key; {suggestion(str(path[-1]), options)}")
        else:
            yield Mistake(path, _TEXTS.get(item["type"], "is invalid; see the documentation"))


def _moved(path: KeyPath, context: Mapping[str, Any]) -> KeyPath:
    """Return where the error of `invalid` says that the mistake is."""
    if context["name"]:
        return path[:-1]  # behind the name comes pydantic's mark for a name
    if context["sibling"] is not None:
        return (*path[:-1], context["sibling"])
    return path if context["at"] is None else (*path, context["at"])


def keys_of(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Return the keys that ``model`` has in a file, each with the model of its section or item."""
    keys: dict[str, type[BaseModel] | None] = {}
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        models = (each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel))
        keys[field.alias or name] = next(models, None)
    return keys


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> Iterable[str]:
    """Return the keys that the model at ``path`` below ``model`` has."""
    for part in path:
        if isinstance(part, str):
            model = keys_of(model)[part] or model
    return keys_of(model)
