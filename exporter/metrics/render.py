"""Write the exposition: every metric of a snapshot, in either format.

It must not define metrics, choose the format or speak HTTP. In OpenMetrics, one counter
(shortened)::

    # HELP telnyx_sim_card_actions_failed Times actions entered status failed ...
    # TYPE telnyx_sim_card_actions_failed counter
    telnyx_sim_card_actions_failed_total{account="default",action_type="enable",
        reason_class="sim_blocked"} 3.0 # {action_id="...",sim_card_id="..."} 1.0 1785000000.0
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from exporter.ledger.records import Exemplar, Histogram
from exporter.metrics.catalogue import (
    ACCOUNT_METRICS,
    EXPORTER_METRICS,
    POLL_METRICS,
    UP_METRICS,
)
from exporter.metrics.definition import MetricDefinition
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.negotiation import Format

MAX_EXEMPLAR_CHARACTERS = 128
"""Names and values of an exemplar's labels together (OpenMetrics 1.0, Exemplars)."""

number: Callable[[float], str] = floatToGoString
"""How a value is written, and the bound of a bucket."""

_Source = TypeVar("_Source")
_Label = tuple[str, str]
_Kept = tuple[object, tuple[bytes, ...]]
"""A source, and the samples that were written of it, metric by metric."""


class Renderer:
    """Renders snapshots, and keeps what it wrote of a source until another object replaces it.

    Most of the exposition is about accounts, and those change at a poll only.
    """

    def __init__(self) -> None:
        """Begin with nothing written."""
        # The process and Python are the client library's matter; nothing is registered globally.
        self._runtime = CollectorRegistry()
        ProcessCollector(registry=self._runtime)
        PlatformCollector(registry=self._runtime)
        GCCollector(registry=self._runtime)
        self._kept: dict[tuple[Format, int, int], _Kept] = {}

    def render(self, snapshot: ExporterSnapshot, chosen: Format) -> bytes:
        """Return the exposition as UTF-8; on any thread, but on one at a time."""
        # What another replica polls, it tells: the same series must not come from two places. Zeros
        # before the baseline would claim that nothing had happened.
        held = [pair for pair in snapshot.accounts if snapshot.leases.held.get(pair[0].name, True)]
        committed = [(each.name, each) for each, _ in held if each.readable and each.baselined]
        polled = [(each.name, each) for _, each in held]
        healths = [(each.name, each) for _, each in snapshot.accounts]
        current = {id(source) for pair in snapshot.accounts for source in pair}
        self._kept = {key: kept for key, kept in self._kept.items() if key[2] in current}
        return b"".join(
            (
                *self._group(ACCOUNT_METRICS, committed, chosen),
                *self._group(UP_METRICS, polled, chosen),
                *self._group(POLL_METRICS, healths, chosen),
                *(render_metric(each, [(None, snapshot)], chosen) for each in EXPORTER_METRICS),
                _runtime(self._runtime, chosen),
            )
        )

    def _group(
        self,
        metrics: Sequence[MetricDefinition[_Source]],
        sources: Iterable[tuple[str, _Source]],
        chosen: Format,
    ) -> Iterator[bytes]:
        """Yield the metrics in their order, each with the samples of all sources."""
        written = [self._samples(metrics, name, source, chosen) for name, source in sources]
        for index, metric in enumerate(metrics):
            yield header(metric, chosen)
            yield from (samples[index] for samples in written)

    def _samples(
        self,
        metrics: Sequence[MetricDefinition[_Source]],
        name: str,
        source: _Source,
        chosen: Format,
    ) -> tuple[bytes, ...]:
        key = (chosen, id(metrics), id(source))
        kept = self._kept.get(key)
        if kept is None:
            samples = tuple(_samples(metric, name, source, chosen) for metric in metrics)
            # Held together with its source, so that no other object can have the same id.
            kept = self._kept[key] = (source, samples)
        return kept[1]


def render_metric(
    metric: MetricDefinition[_Source],
    sources: Iterable[tuple[str | None, _Source]],
    chosen: Format,
) -> bytes:
    """Return one metric of all its sources, each with the name of its account, None for none."""
    samples = (_samples(metric, name, source, chosen) for name, source in sources)
    return b"".join((header(metric, chosen), *samples))


def _runtime(registry: CollectorRegistry, chosen: Format) -> bytes:
    """Return the metrics of the process and of Python, and the end of the exposition."""
    if chosen is Format.TEXT:
        return generate_latest(registry)
    body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # untyped
    return body


def header(metric: MetricDefinition[Any], chosen: Format) -> bytes:
    """Return the lines before the samples of a metric."""
    name, text = metric.name, metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if chosen is Format.OPENMETRICS:
        name, text = name.removesuffix("_total"), text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {metric.metric_type.value}\n".encode()


def _samples(
    metric: MetricDefinition[_Source], account: str | None, source: _Source, chosen: Format
) -> bytes:
    own = () if account is None else (account,)
    bounds = (*map(number, metric.bounds), "+Inf")
    exemplars = dict(metric.exemplars(source)) if chosen is Format.OPENMETRICS else {}
    lines: list[str] = []
    for key, value in metric.read(source):
        values = (*own, key) if isinstance(key, str) else own + key
        labels = sorted(zip(metric.labels, values, strict=True))
        if isinstance(value, Histogram):
            lines.extend(_histogram(metric.name, labels, bounds, value))
        else:
            exemplar = _exemplar(exemplars[key]) if key in exemplars else ""
            lines.append(f"{metric.name}{braced(labels)} {number(value)}{exemplar}\n")
    return "".join(lines).encode()


def _histogram(
    name: str, labels: list[_Label], bounds: Iterable[str], histogram: Histogram
) -> Iterator[str]:
    # All that the buckets share is written once, as they are most of the exposition.
    start = "".join(f"{_pair(*each)}," for each in labels if each[0] < "le")
    end = "".join(f",{_pair(*each)}" for each in labels if each[0] > "le")
    total = 0
    for bound, total in zip(bounds, accumulate(histogram.counts), strict=True):
        yield f'{name}_bucket{{{start}le="{bound}"{end}}} {number(total)}\n'
    yield f"{name}_count{braced(labels)} {number(total)}\n"
    yield f"{name}_sum{braced(labels)} {number(histogram.sum)}\n"


def braced(labels: Iterable[_Label]) -> str:
    """Return labels as they stand behind a name, empty for none."""
    text = ",".join(_pair(*each) for each in labels)
    return f"{{{text}}}" if text else ""


def _pair(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def _exemplar(latest: Exemplar) -> str:
    action, sim_card = ("action_id", latest.action_id), ("sim_card_id", latest.sim_card_id)
    for labels in ((action, sim_card), (action,)):
        if sum(len(name) + len(value) for name, value in labels) <= MAX_EXEMPLAR_CHARACTERS:
            return f" # {braced(labels)} 1.0 {latest.timestamp}"
    return ""
