"""A registry of prometheus-client's own metrics that exposes what given families hold.

It is what a program would have that counts with the client library itself. It must not time it.
"""

from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.samples import Sample

OF_THE_PROCESS = ("process_", "python_")
"""Beginnings of the names that the client library's collectors for the process export."""


def native(families: Iterable[Metric]) -> CollectorRegistry:
    """Return a registry of native metrics with the values of ``families``.

    Those of the process are not copied: the same collectors are registered in their place.
    """
    registry = CollectorRegistry()
    for family in families:
        if not family.name.startswith(OF_THE_PROCESS):
            _copy(family, registry)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def lines(exposition: bytes) -> list[str]:
    """Return what an exposition says, in an order of its own, without what changes by itself."""
    return sorted(
        line
        for line in exposition.decode().splitlines()
        if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(OF_THE_PROCESS)
    )


def _copy(family: Metric, registry: CollectorRegistry) -> None:
    name, text = family.name, family.documentation
    names = tuple(dict.fromkeys(name for each in family.samples for name in each.labels))
    if not family.samples:
        names = ("account",)  # without any label it would expose a zero
    if family.type == "histogram":
        bounds = tuple(dict.fromkeys(_bounds(family)))
        own = tuple(name for name in names if name != "le")
        histogram = Histogram(name, text, own, buckets=bounds, registry=registry)
        _fill(histogram, own, bounds, family.samples)
    elif family.type == "counter":
        counter = Counter(name, text, names, registry=registry)
        for each in family.samples:
            child = counter.labels(**each.labels) if names else counter
            if each.exemplar is None:
                child.inc(each.value)
            else:
                child.inc(each.value - 1)
                child.inc(1, dict(each.exemplar.labels))
    else:
        gauge = Gauge(name, text, names, registry=registry)
        for each in family.samples:
            (gauge.labels(**each.labels) if names else gauge).set(each.value)


def _bounds(family: Metric) -> Iterable[float]:
    return (float(each.labels["le"]) for each in family.samples if "le" in each.labels)


def _fill(
    histogram: Histogram,
    names: tuple[str, ...],
    bounds: tuple[float, ...],
    samples: Iterable[Sample],
) -> None:
    below = 0.0
    for each in samples:
        child = histogram.labels(*(each.labels[name] for name in names)) if names else histogram
        # A native histogram can only be told its values one by one; its sum would be another then.
        if "le" in each.labels:
            place = bounds.index(float(each.labels["le"]))
            below = below if place else 0.0
            child._buckets[place].set(each.value - below)  # noqa: SLF001 # as said above
            below = each.value
        elif each.name.endswith("_sum"):
            child._sum.set(each.value)  # noqa: SLF001 # as said above
