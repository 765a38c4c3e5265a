"""The exposition: every metric of a snapshot, of which each part is written once.

What was written of an account is kept, compressed, until its values change: most of the exposition
is about accounts, and those change at a poll only. It must not know how a metric is written.
"""

from collections.abc import Iterable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from exporter.metrics.catalogue import (
    ACCOUNT_METRICS,
    EXPORTER_METRICS,
    POLL_METRICS,
    UP_METRICS,
)
from exporter.metrics.definition import MetricDefinition
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.negotiation import Format
from exporter.metrics.pieces import Piece, gzip_of, piece_of, text_of
from exporter.metrics.render import header, registry_metrics, samples

KEPT_FOR = 600.0
"""Seconds for which a format is kept ready after it was asked for."""

_Source = TypeVar("_Source")
_Written = tuple[Piece, ...]
"""The samples of one source, metric by metric."""


class _Kept(NamedTuple):
    source: Any
    written: _Written


class _Group(NamedTuple):
    """Metrics, and what they are read from, each with the name of its account, None for none."""

    metrics: Sequence[MetricDefinition[Any]]
    sources: Sequence[tuple[str | None, Any]]


class Exposition:
    """Writes snapshots, as text or as gzip; for any thread."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        # The process and Python are the client library's matter; nothing is registered globally.
        self._runtime = CollectorRegistry()
        ProcessCollector(registry=self._runtime)
        PlatformCollector(registry=self._runtime)
        GCCollector(registry=self._runtime)
        self._lock = Lock()
        self._headers: dict[tuple[Format, str], Piece] = {}
        self._kept: dict[Format, dict[tuple[int, str | None], _Kept]] = {}
        self._asked_at: dict[Format, float] = {}

    @property
    def is_asked(self) -> bool:
        """Whether it was asked for lately, so that there is something to keep ready."""
        return bool(self._asked_at)

    def text(self, snapshot: ExporterSnapshot, chosen: Format) -> bytes:
        """Return the exposition as UTF-8."""
        return text_of(self._ask(snapshot, chosen))

    def gzip(self, snapshot: ExporterSnapshot, chosen: Format) -> bytes:
        """Return the exposition as UTF-8, as gzip."""
        return gzip_of(self._ask(snapshot, chosen))

    def keep_ready(self, snapshot: ExporterSnapshot) -> None:
        """Write what has changed in the formats that were asked for lately; forget the others."""
        with self._lock:
            groups = _groups(snapshot)
            for chosen, asked_at in tuple(self._asked_at.items()):
                if asked_at < snapshot.now - KEPT_FOR:
                    del self._asked_at[chosen], self._kept[chosen]
                else:
                    self._write(groups, chosen)

    def _ask(self, snapshot: ExporterSnapshot, chosen: Format) -> list[Piece]:
        with self._lock:
            self._asked_at[chosen] = snapshot.now
            groups = _groups(snapshot)
            pieces = []
            for group, written in zip(groups, self._write(groups, chosen), strict=True):
                for index, metric in enumerate(group.metrics):
                    pieces.append(self._header(metric, chosen))
                    pieces.extend(each[index] for each in written)
        pieces.append(piece_of(registry_metrics(self._runtime, chosen)))
        return pieces

    def _write(self, groups: Iterable[_Group], chosen: Format) -> list[list[_Written]]:
        """Return what is written of the sources of each group, and keep just that."""
        before, kept = self._kept.get(chosen, {}), {}
        found = []
        for number, group in enumerate(groups):
            written = []
            for name, source in group.sources:
                key = number, name
                old = before.get(key)
                if old is None or old.source is not source:
                    old = _Kept(source, tuple(_rewritten(group.metrics, name, source, old, chosen)))
                kept[key] = old
                written.append(old.written)
            found.append(written)
        self._kept[chosen] = kept
        return found

    def _header(self, metric: MetricDefinition[Any], chosen: Format) -> Piece:
        key = chosen, metric.name
        if key not in self._headers:
            self._headers[key] = piece_of(header(metric, chosen))
        return self._headers[key]


def _groups(snapshot: ExporterSnapshot) -> tuple[_Group, ...]:
    """Return the metrics in their order, each with its sources."""
    # What another replica polls, it tells: the same series must not come from two places. Zeros
    # before the baseline would claim that nothing had happened.
    held = [pair for pair in snapshot.accounts if snapshot.leases.held.get(pair[0].name, True)]
    committed = [(each.name, each) for each, _ in held if each.readable and each.baselined]
    polled = [(each.name, each) for _, each in held]
    healths = [(each.name, each) for _, each in snapshot.accounts]
    return (
        _Group(ACCOUNT_METRICS, committed),
        _Group(UP_METRICS, polled),
        _Group(POLL_METRICS, healths),
        _Group(EXPORTER_METRICS, [(None, snapshot)]),
    )


def _rewritten(
    metrics: Iterable[MetricDefinition[_Source]],
    name: str | None,
    source: _Source,
    old: _Kept | None,
    chosen: Format,
) -> Iterator[Piece]:
    """Yield the samples of a source, the earlier ones of each metric whose values are the same."""
    for index, metric in enumerate(metrics):
        if old is not None and _values(metric, old.source, chosen) == _values(
            metric, source, chosen
        ):
            yield old.written[index]
        else:
            yield piece_of(samples(metric, name, source, chosen))


def _values(
    metric: MetricDefinition[_Source], source: _Source, chosen: Format
) -> tuple[object, ...]:
    """Return all that samples show of a source."""
    exemplars = metric.exemplars(source) if chosen is Format.OPENMETRICS else ()
    return (*metric.read(source), *exemplars)
