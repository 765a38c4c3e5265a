"""What is written about values: comments in values.yaml, rows in README.md, uses in templates."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, TEMPLATES, defaults

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[\w.-]+):")
_COMMENT = re.compile(r"^ *# -- (?P<text>.+)$")
_ROW = re.compile(r"^\| `(?P<path>[^`]+)` \| `(?P<default>.*?)` \| (?P<text>.+) \|$", re.MULTILINE)
_USE = re.compile(r"(?<![\w)])\$?\.Values((?:\.\w+)+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, as it is told of."""

    path: str
    default: Any
    text: str


def commented() -> list[Entry]:
    """Give each value of values.yaml that has a comment ``# --`` right above it."""
    values, found = defaults(), []
    place: list[tuple[int, str]] = []
    above: re.Match[str] | None = None
    for line in (CHART / "values.yaml").read_text("utf-8").splitlines():
        key = _KEY.match(line)
        if key:
            place = [each for each in place if each[0] < len(key["indent"])]
            place.append((len(key["indent"]), key["key"]))
            if above:
                path = [name for _, name in place]
                found.append(Entry(".".join(path), at(values, path), above["text"]))
        above = _COMMENT.match(line)
    return found


def rows() -> list[Entry]:
    """Give each row of the table in README.md."""
    text = (CHART / "README.md").read_text("utf-8")
    return [
        Entry(row["path"], json.loads(row["default"]), row["text"].replace("\\|", "|"))
        for row in _ROW.finditer(text)
    ]


def leaves(value: Json, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the path of everything in the values that is no section."""
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield from leaves(each, (*place, key))
        else:
            yield ".".join((*place, key))


def at(values: Json, path: list[str]) -> Any:
    """Give the value at a path; KeyError where there is none."""
    found: Any = values
    for key in path:
        found = found[key]
    return found


def used() -> set[str]:
    """Give the path of each value that a template names."""
    text = "\n".join(path.read_text("utf-8") for path in TEMPLATES)
    return {match[1].removeprefix(".") for match in _USE.finditer(text)}
