"""The past of accounts as OpenMetrics, for ``promtool tsdb create-blocks-from openmetrics``.

Counters and histograms end with a sample of 0, where the live ones begin: a reset that both sides
agree on, so that `increase` over the seam neither loses nor doubles anything. It must not know
where the text goes, nor change anything in the ledger.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import Any

import msgspec

from exporter.domain import Action
from exporter.history.past import (
    METRICS,
    CounterStart,
    SeriesChange,
    changes_of,
    past_of,
    progress_of,
)
from exporter.history.series import KEEP_HISTOGRAM, slot, spread
from exporter.history.spool import ChangeKey, Spool
from exporter.ledger.records import Histogram, TrackedAction
from exporter.ledger.snapshot import SnapshotOptions
from exporter.metrics.catalogue import ACCOUNT_METRICS
from exporter.metrics.definition import MetricDefinition, MetricType
from exporter.metrics.negotiation import Format
from exporter.metrics.render import braced, header, number

SEAM = 60
"""Seconds before the baseline at which the past ends.

The clocks of the exporter and of Prometheus may differ: no sample of the past may have the time of
one that was scraped, or a later one.
"""

EARLIEST = 1_420_070_400.0
"""2015-01-01: before there were SIM cards of Telnyx. An earlier time counts as unknown."""

_REASONS_HELD = 10_000

_DEFINITIONS = {each.name: each for each in ACCOUNT_METRICS}

ExtraLabels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PastAccount:
    """What the past of an account is made of.

    ``find`` looks up actions in the ledger by their ids; ``label`` bounds action types. ``whole``
    says that all of the history was read; ``since`` and ``until`` limit it.
    """

    name: str
    spool: Spool
    options: SnapshotOptions
    start: CounterStart
    find: Callable[[Collection[str]], Mapping[str, TrackedAction]]
    label: Callable[[str], str]
    classify: Callable[[str | None], str]
    since: float | None = None
    until: float | None = None

    @property
    def end(self) -> int:
        """When its counters are 0 again."""
        before = self.start.at - SEAM
        return floor(before if self.until is None else min(before, self.until))


def collect(account: PastAccount) -> None:
    """Work out what changes when, into the work file. Raises StateError."""
    spool = account.spool
    spool.forget_changes()
    classify = lru_cache(_REASONS_HELD)(account.classify)
    offset = spool.clock_offset
    for actions in spool.chunks():
        rows = account.find([each.id for each in actions])
        sums: dict[ChangeKey, tuple[int, float]] = {}
        for action in actions:
            for change in _changes(account, action, rows.get(action.id), classify):
                key = (
                    change.metric,
                    change.labels,
                    slot(change.time - offset, account.end),
                    change.bucket,
                )
                amount, seconds = sums.get(key, (0, 0.0))
                sums[key] = amount + change.amount, seconds + change.seconds
        spool.add_changes(sums)


def _changes(
    account: PastAccount,
    action: Action,
    row: TrackedAction | None,
    classify: Callable[[str | None], str],
) -> Iterator[SeriesChange]:
    options, label = account.options, account.label
    past = past_of(action, row, account.start)
    action = _dated(action)
    created = action.created_at if action.created_at is not None else action.updated_at
    if account.since is not None and (created is None or created < account.since):
        return
    for change in changes_of(action, past, options, label, classify):
        # What had ended by the baseline may say so after the seam: it counts in its last second.
        if account.until is None or change.time < account.until:
            yield change
    if account.since is None:  # of those created before, nobody knows which were in progress
        for change in progress_of(action, options, label):
            if change.time - account.spool.clock_offset <= account.end:
                yield change


def _dated(action: Action) -> Action:
    """Return an action without times that cannot be: each would make a series of many years."""
    created, updated = (
        None if time is not None and time < EARLIEST else time
        for time in (action.created_at, action.updated_at)
    )
    return msgspec.structs.replace(action, created_at=created, updated_at=updated)


def write(accounts: Sequence[PastAccount], extra: ExtraLabels) -> Generator[bytes]:
    """Yield the text, metric by metric; `collect` comes first.

    ``extra`` are labels that a scrape adds, such as job and instance.
    """
    for name in METRICS:
        definition = _DEFINITIONS[name]
        yield header(definition, Format.OPENMETRICS)
        for account in accounts:
            for labels in account.spool.series(name):
                names = zip(definition.labels, (account.name, *labels), strict=True)
                yield from _series(account, definition, labels, sorted((*extra, *names)))
    yield b"# EOF\n"


def _series(
    account: PastAccount,
    definition: MetricDefinition[Any],
    labels: tuple[str, ...],
    named: list[tuple[str, str]],
) -> Iterator[bytes]:
    changes = account.spool.changes(definition.name, labels)
    if definition.metric_type is MetricType.HISTOGRAM:
        yield from _histogram(
            definition.name, account.options.duration_buckets, changes, named, account.end
        )
        return
    head = f"{definition.name}{braced(named)}"
    counter = definition.metric_type is MetricType.COUNTER
    for time, value in spread(0, _running(changes), account.end, gauge=not counter):
        yield f"{head} {number(value)} {time}\n".encode()
    if counter:
        yield f"{head} {number(0)} {account.end}\n".encode()


def _running(changes: Iterable[tuple[int, int, int, float]]) -> Iterator[tuple[int, int]]:
    total = 0
    for time, _, amount, _ in changes:
        total += amount
        yield time, total


def _histogram(
    name: str,
    buckets: tuple[float, ...],
    changes: Iterable[tuple[int, int, int, float]],
    named: list[tuple[str, str]],
    end: int,
) -> Iterator[bytes]:
    bounds = (*map(number, buckets), "+Inf")
    heads = [f"{name}_bucket{braced(sorted((*named, ('le', each))))}" for each in bounds]
    count_head, sum_head = f"{name}_count{braced(named)}", f"{name}_sum{braced(named)}"

    def lines(time: int, value: Histogram) -> bytes:
        total = 0
        written = []
        for head, count in zip(heads, value.counts, strict=True):
            total += count
            written.append(f"{head} {number(total)} {time}\n")
        written.append(f"{count_head} {number(total)} {time}\n")
        written.append(f"{sum_head} {number(value.sum)} {time}\n")
        return "".join(written).encode()

    zero = Histogram((0,) * len(bounds), 0.0)
    for time, value in spread(zero, _running_histogram(zero, changes), end, KEEP_HISTOGRAM):
        yield lines(time, value)
    yield lines(end, zero)


def _running_histogram(
    zero: Histogram, changes: Iterable[tuple[int, int, int, float]]
) -> Iterator[tuple[int, Histogram]]:
    counts, total = list(zero.counts), zero.sum
    pending: int | None = None
    for time, bucket, amount, seconds in changes:
        if pending is not None and time != pending:
            yield pending, Histogram(tuple(counts), total)
        counts[bucket] += amount
        total += seconds
        pending = time
    if pending is not None:
        yield pending, Histogram(tuple(counts), total)
