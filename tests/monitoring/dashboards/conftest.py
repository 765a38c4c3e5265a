"""Read the shipped dashboards: panels, queries, and PromQL with Grafana's variables replaced."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import command, export, free_port, gather, simulate, start

__all__ = ["command", "export", "free_port", "gather", "simulate", "start"]
# Fixtures of these names are for this folder too.

FOLDER = Path(__file__).parents[3] / "helm" / "telnyx-sim-exporter" / "files" / "dashboards"
FILES = {
    "sim-card-actions.json": "telnyx-sim-card-actions",
    "exporter-health.json": "telnyx-sim-exporter-health",
}
"""The shipped files, and the uid by which other pages link to each dashboard."""

Json = dict[str, Any]


def read(name: str) -> Json:
    """Parse a shipped dashboard."""
    board: Json = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return board


def panels(board: Json) -> Iterator[Json]:
    """Give every panel that shows data: neither headings nor texts."""
    yield from (each for each in board["panels"] if each["type"] not in {"row", "text"})


def links(board: Json) -> Iterator[str]:
    """Give every address that the dashboard, its panels, tables and texts link to."""
    panel_links = (link for panel in board["panels"] for link in panel.get("links") or ())
    yield from (each["url"] for each in (*board["links"], *panel_links) if each["type"] == "link")
    for panel in board["panels"]:
        for override in panel.get("fieldConfig", {}).get("overrides", ()):
            for each in override["properties"]:
                if each["id"] == "links":
                    yield from (link["url"] for link in each["value"])
        if panel["type"] == "text":
            yield from re.findall(r"\]\((.*?)\)", panel["options"]["content"])


def variables(board: Json, kind: str = "query") -> list[Json]:
    """Give the variables of one kind."""
    return [each for each in board["templating"]["list"] if each["type"] == kind]


def selector(variable: Json) -> str:
    """Give the series whose label a variable lists, from ``label_values(SERIES, LABEL)``."""
    query: str = variable["query"]["query"]
    series, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
    assert query == f"label_values({series}, {label})"
    assert label == variable["name"]
    return series


def filled(query: str, ranges: Mapping[str, str]) -> str:
    """Replace Grafana's variables: the ranges as given, and each choice by all."""
    # The longest first, as one name begins with another.
    for name in sorted(ranges, key=len, reverse=True):
        query = query.replace(f"${name}", ranges[name])
    query = re.sub(r'"\$(?:action_type|account|instance|job)((?:\|[\w-]*)?)"', r'".+\1"', query)
    assert "$" not in query, query
    return query
