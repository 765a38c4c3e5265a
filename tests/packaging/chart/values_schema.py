"""Ask the chart's schema about values, as helm does; it must not know what it answers."""

import json
from functools import cache
from typing import Any

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, defaults

Path = tuple[str, ...]

SCHEMA: Json = json.loads((CHART / "values.schema.json").read_text("utf-8"))


def with_value(place: Path, value: Any) -> Json:
    """Give the chart's values with one of them set."""
    values = defaults()
    holder = values
    for key in place[:-1]:
        holder = holder.setdefault(key, {})
    holder[place[-1]] = value
    return values


def complaints(values: Json) -> list[str]:
    """List what the schema has against values."""
    return [error.message for error in _validator().iter_errors(values)]


@cache
def _validator() -> Any:
    # Where tests are collected, in each process, that would take a second.
    import jsonschema  # noqa: PLC0415 # slow

    return jsonschema.Draft7Validator(SCHEMA)
