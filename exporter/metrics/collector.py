"""Draw the declared metrics from a snapshot, as a collector of prometheus-client.

It must not keep counts, declare metrics, choose a format or speak HTTP. One account looks so
(shortened)::

    telnyx_up{account="default"} 1.0
    telnyx_sim_card_actions{account="default",action_type="enable",status="failed"} 3.0
    telnyx_sim_card_actions_failed_total{account="default",action_type="enable",
        reason_class="sim_blocked"} 3.0 # {action_id="...",sim_card_id="..."} 1.0 1785000000.0
"""

import platform
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as ExposedExemplar
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from exporter.ledger.records import Exemplar, Histogram
from exporter.metrics.catalogue import ACCOUNT_METRICS, CATALOGUE, POLL_METRICS, PROCESS_METRICS
from exporter.metrics.definition import BuildInfo, Key, MetricDefinition, MetricType, ProcessSource
from exporter.metrics.self_metrics import ExporterSnapshot
from exporter.version import __version__

MAX_EXEMPLAR_CHARACTERS = 128
"""Names and values of an exemplar's labels together (OpenMetrics 1.0, Exemplars)."""

_Source = TypeVar("_Source")
_Labels = dict[str, str]


def build_registry(snapshot: Callable[[], ExporterSnapshot], *, revision: str) -> CollectorRegistry:
    """Return a registry of its own with all that is exported.

    ``snapshot`` is called once for each collection, on the thread that collects; ``revision``
    is the revision of the source, or ``unknown``. Nothing is registered globally.
    """
    registry = CollectorRegistry()
    registry.register(SnapshotCollector(snapshot, _build(revision)))
    return _with_process(registry)


def process_metrics(*, revision: str) -> Callable[[ExporterSnapshot], Iterator[Metric]]:
    """Return what draws the metrics that have no account; it may be called on any thread."""
    registry, build = _with_process(CollectorRegistry()), _build(revision)
    return lambda snapshot: chain(_of_process(snapshot, build), registry.collect())


def _build(revision: str) -> BuildInfo:
    return BuildInfo(__version__, platform.python_version(), revision)


def _with_process(registry: CollectorRegistry) -> CollectorRegistry:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class SnapshotCollector(Collector):
    """Every declared metric, drawn anew from one snapshot at each collection."""

    def __init__(self, snapshot: Callable[[], ExporterSnapshot], build: BuildInfo) -> None:
        """Draw from what ``snapshot`` returns at the time."""
        self._snapshot = snapshot
        self._build = build

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without taking a snapshot, so that no name can be used twice."""
        return (
            _family(declared.name, declared.help, declared.metric_type) for declared in CATALOGUE
        )

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its samples."""
        snapshot = self._snapshot()
        views = [(view.name, view) for view, _ in snapshot.accounts if view.readable]
        healths = [(health.name, health) for _, health in snapshot.accounts]
        yield from (draw(declared, views) for declared in ACCOUNT_METRICS)
        yield from (draw(declared, healths) for declared in POLL_METRICS)
        yield from _of_process(snapshot, self._build)


def _of_process(snapshot: ExporterSnapshot, build: BuildInfo) -> Iterator[Metric]:
    process = ProcessSource(snapshot, build)
    return (draw(declared, [(None, process)]) for declared in PROCESS_METRICS)


def _family(name: str, text: str, metric_type: MetricType) -> Metric:
    # The client library names a family of counters without _total.
    return Metric(name.removesuffix("_total"), text, metric_type)


def draw(
    declared: MetricDefinition[_Source], sources: Sequence[tuple[str | None, _Source]]
) -> Metric:
    """Draw one metric from its sources, each with the name of its account, None for none."""
    family = _family(declared.name, declared.help, declared.metric_type)
    append = family.samples.append
    bounds = [*map(floatToGoString, declared.bounds), "+Inf"]
    for account, source in sources:
        own = () if account is None else (account,)
        exemplars: dict[Key, Exemplar] = dict(declared.exemplars(source))
        for key, value in declared.read(source):
            values = (*own, key) if isinstance(key, str) else own + key
            labels = dict(zip(declared.labels, values, strict=True))
            if isinstance(value, Histogram):
                family.samples.extend(_histogram(declared.name, labels, bounds, value))
            elif key in exemplars:
                append(Sample(declared.name, labels, value, None, _exemplar(exemplars[key])))
            else:
                append(Sample(declared.name, labels, value))
    return family


def _histogram(
    name: str, labels: _Labels, bounds: list[str], histogram: Histogram
) -> Iterator[Sample]:
    bucket = name + "_bucket"
    total = 0
    for bound, total in zip(bounds, accumulate(histogram.counts), strict=True):
        yield Sample(bucket, {**labels, "le": bound}, total)
    yield Sample(name + "_count", labels, total)
    yield Sample(name + "_sum", labels, histogram.sum)


def _exemplar(latest: Exemplar) -> ExposedExemplar | None:
    for labels in (
        {"action_id": latest.action_id, "sim_card_id": latest.sim_card_id},
        {"action_id": latest.action_id},
    ):
        if sum(len(name) + len(value) for name, value in labels.items()) <= MAX_EXEMPLAR_CHARACTERS:
            return ExposedExemplar(labels, 1, latest.timestamp)
    return None
