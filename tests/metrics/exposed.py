"""Write single metrics, and read an exposition with prometheus-client's parsers."""

from collections.abc import Iterable
from typing import TypeVar

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from exporter.metrics.definition import MetricDefinition
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.negotiation import Format
from exporter.metrics.render import header, samples

_Source = TypeVar("_Source")

RUNTIME = ("process_", "python_")
"""Beginnings of the names of the client library's own metrics, which change by themselves."""


def render_metric(
    metric: MetricDefinition[_Source],
    sources: Iterable[tuple[str | None, _Source]],
    chosen: Format,
) -> bytes:
    """Return one metric of all its sources, each with the name of its account, None for none."""
    written = (samples(metric, name, source, chosen) for name, source in sources)
    return b"".join((header(metric, chosen), *written))


def parse(exposition: bytes, chosen: Format) -> list[Metric]:
    """Return the metrics of an exposition; raises ValueError where it is malformed."""
    read = read_text if chosen is Format.TEXT else read_openmetrics
    families: Iterable[Metric] = read(exposition.decode())
    return list(families)


def exposed(snapshot: ExporterSnapshot) -> dict[str, Metric]:
    """Return the metrics that are exposed of a snapshot, by name (of a counter without _total)."""
    chosen = Format.OPENMETRICS
    return {each.name: each for each in parse(Exposition().text(snapshot, chosen), chosen)}


def exposed_value(snapshot: ExporterSnapshot, name: str, **labels: str) -> float | None:
    """Return the value of one series, None if there is no such series."""
    samples = (sample for family in exposed(snapshot).values() for sample in family.samples)
    return next(
        (each.value for each in samples if (each.name, each.labels) == (name, labels)), None
    )


def own_lines(exposition: bytes) -> list[str]:
    """Return the lines of an exposition without those of the process and of Python."""
    lines = exposition.decode().split("\n")
    return [
        each
        for each in lines
        if not each.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(RUNTIME)
    ]
