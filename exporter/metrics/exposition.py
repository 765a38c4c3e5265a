"""The exposition: every metric of a snapshot, of which each part is written once.

What was written of an account is kept until its values change: most of the exposition is about
accounts, and those change at a poll only. It is compressed ahead of scrapes; what a scrape finds
changed is compressed after it. It must not know how a metric is written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from exporter.metrics.pieces import Piece, compressed, gzip_of, stored, text_of
from exporter.metrics.render import header, registry_metrics, samples

KEPT_FOR = 600.0
"""Seconds for which a format is kept ready after it was asked for."""

_Source = TypeVar("_Source")
_Make = Callable[[bytes], Piece]
_Written = tuple[Piece, ...]
"""The samples of one source, metric by metric."""


class _Kept(NamedTuple):
    source: Any
    written: _Written
    all_compressed: bool


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
        # None: as if it were asked for when it is first kept ready, so that after a start no
        # scrape of Prometheus has to write all.
        self._asked_at: dict[Format, float | None] = {Format.OPENMETRICS: None}

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
        """Write what has changed in the formats that were asked for lately; forget the others.

        What scrapes wrote meanwhile is compressed.
        """
        with self._lock:
            groups = _groups(snapshot)
            for chosen, asked_at in tuple(self._asked_at.items()):
                last = self._asked_at[chosen] = snapshot.now if asked_at is None else asked_at
                if last < snapshot.now - KEPT_FOR:
                    del self._asked_at[chosen]
                    self._kept.pop(chosen, None)  # not there if it could not be written
                else:
                    self._write(groups, chosen, compress=True)

    def _ask(self, snapshot: ExporterSnapshot, chosen: Format) -> list[Piece]:
        with self._lock:
            self._asked_at[chosen] = snapshot.now
            groups = _groups(snapshot)
            pieces = []
            written_of_each = self._write(groups, chosen, compress=False)
            for group, written in zip(groups, written_of_each, strict=True):
                for index, metric in enumerate(group.metrics):
                    pieces.append(self._header(metric, chosen))
                    pieces.extend(each[index] for each in written)
        pieces.append(stored(registry_metrics(self._runtime, chosen)))
        return pieces

    def _write(
        self, groups: Iterable[_Group], chosen: Format, *, compress: bool
    ) -> list[list[_Written]]:
        """Return what is written of the sources of each group, and keep just that.

        With ``compress`` all of it is compressed; without, what changed since is not: a scrape has
        no time for that.
        """
        before, kept = self._kept.get(chosen, {}), {}
        found = []
        for number, group in enumerate(groups):
            written = []
            for name, source in group.sources:
                key = number, name
                old = before.get(key)
                if old is None or old.source is not source or (compress and not old.all_compressed):
                    make = stored if old is not None and not compress else compressed
                    pieces = tuple(_rewritten(group.metrics, name, source, old, chosen, make))
                    old = _Kept(source, pieces, not any(piece.stored for piece in pieces))
                kept[key] = old
                written.append(old.written)
            found.append(written)
        self._kept[chosen] = kept
        return found

    def _header(self, metric: MetricDefinition[Any], chosen: Format) -> Piece:
        key = chosen, metric.name
        if key not in self._headers:
            self._headers[key] = compressed(header(metric, chosen))
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
    make: _Make,
) -> Iterator[Piece]:
    """Yield the samples of a source, the earlier ones of each metric whose values are the same."""
    for index, metric in enumerate(metrics):
        if (
            old is not None
            and not (old.written[index].stored and make is compressed)
            and _values(metric, old.source, chosen) == _values(metric, source, chosen)
        ):
            yield old.written[index]
        else:
            yield make(samples(metric, name, source, chosen))


def _values(
    metric: MetricDefinition[_Source], source: _Source, chosen: Format
) -> tuple[object, ...]:
    """Return all that samples show of a source."""
    exemplars = metric.exemplars(source) if chosen is Format.OPENMETRICS else ()
    return (*metric.read(source), *exemplars)
