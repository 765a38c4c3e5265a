"""Write the whole exposition of a snapshot, and keep what was written of what has not changed.

What is published of an account is drawn anew at each poll only, and is most of the exposition;
prometheus-client writes it. It must not know what the metrics mean, or gather them from parts
that change: any thread may write, one at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import Metric

from exporter.metrics.catalogue import ACCOUNT_METRICS, POLL_METRICS
from exporter.metrics.collector import draw
from exporter.metrics.definition import MetricDefinition
from exporter.metrics.exposition import Format, render
from exporter.metrics.self_metrics import ExporterSnapshot

_Source = TypeVar("_Source")
_END = b"# EOF\n"
_HEADER_LINES = 2
"""HELP and TYPE stand before the samples of a metric."""


@dataclass(frozen=True, slots=True)
class _Written:
    """The samples of one source, metric by metric, as they were written."""

    source: object
    samples: tuple[bytes, ...]


class Renderer:
    """Writes snapshots; ``process`` draws what is not of an account."""

    def __init__(self, process: Callable[[ExporterSnapshot], Iterable[Metric]]) -> None:
        """Begin with nothing written."""
        self._process = process
        self._kept: dict[tuple[Format, str, bool], _Written] = {}

    def write(self, snapshot: ExporterSnapshot, chosen: Format) -> bytes:
        """Return the exposition in the format ``chosen``; by one thread at a time."""
        views = [(view.name, view) for view, _ in snapshot.accounts if view.readable]
        healths = [(health.name, health) for _, health in snapshot.accounts]
        names = {name for name, _ in healths}
        self._kept = {key: kept for key, kept in self._kept.items() if key[1] in names}
        return b"".join(
            (
                *self._part(ACCOUNT_METRICS, views, chosen),
                *self._part(POLL_METRICS, healths, chosen),
                render(self._process(snapshot), chosen),
            )
        )

    def _part(
        self,
        metrics: Sequence[MetricDefinition[_Source]],
        sources: Sequence[tuple[str, _Source]],
        chosen: Format,
    ) -> Iterable[bytes]:
        """Yield the metrics in their order, each with the samples of all sources."""
        written = [self._samples(metrics, name, source, chosen) for name, source in sources]
        for index, declared in enumerate(metrics):
            yield _without_end(render([draw(declared, [])], chosen))
            yield from (samples[index] for samples in written)

    def _samples(
        self,
        metrics: Sequence[MetricDefinition[_Source]],
        name: str,
        source: _Source,
        chosen: Format,
    ) -> tuple[bytes, ...]:
        key = (chosen, name, metrics is ACCOUNT_METRICS)
        kept = self._kept.get(key)
        if kept is None or kept.source is not source:
            samples = tuple(
                _samples_of(render([draw(declared, [(name, source)])], chosen))
                for declared in metrics
            )
            kept = self._kept[key] = _Written(source, samples)
        return kept.samples


def _samples_of(text: bytes) -> bytes:
    """Return what was written of one metric without what stands before and after the samples."""
    return _without_end(text).split(b"\n", _HEADER_LINES)[_HEADER_LINES]


def _without_end(text: bytes) -> bytes:
    return text.removesuffix(_END)
