"""Which samples make a series of the past, so that it can be queried like a scraped one. Pure.

A change is written on a grid of STEP, rounded up. The sample before it, one STEP earlier, has the
old value: `increase` and `rate` see the step. DENSE seconds around a change there is a sample every
STEP, so that a range of that length over it has all of them; elsewhere there are fewer, and none
in a gap of which nothing is told but that nothing changed: a single wrong time would fill years.
"""

from collections.abc import Iterable, Iterator
from math import ceil, floor
from typing import TypeVar

V = TypeVar("V")

STEP = 60
"""Seconds between samples where something changes."""

KEEP = 240
"""Seconds between samples where nothing changes: Prometheus takes a series as gone after 300."""

KEEP_HISTOGRAM = 3600
"""Likewise for histograms, of which nobody looks at a single moment: they have many series."""

DENSE = 300
"""Seconds before and after a change with a sample every STEP."""
LASTING = 7 * 86_400
"""Seconds before and after a change in which every series has samples.

In between only a gauge that is not 0 has them. `increase` over the next change is the same, as the
old value stands before it; only a range wholly within the gap has nothing instead of 0.
"""


def slot(time: float, end: int) -> int:
    """Return when a change is written: on the grid, or in the last second before ``end``."""
    return min(ceil(time / STEP) * STEP, end - 1)


def spread(
    zero: V, changes: Iterable[tuple[int, V]], end: int, keep: int = KEEP, *, gauge: bool = False
) -> Iterator[tuple[int, V]]:
    """Yield the samples of a series that is ``zero`` at first, as (time, value).

    ``changes`` are what it becomes and when, in ascending order of their `slot`. ``keep`` is the
    most between two samples while the series is alive. The last one is one second before ``end``.
    """
    value, last = zero, end - 1
    written: int | None = None
    changed: int | None = None
    for at, after in changes:
        rests = value == zero or not gauge
        for time in _between(written, changed, at, keep, rests=rests):
            yield time, value
        yield at, after
        value, written, changed = after, at, at
    if written is not None and written != last:
        rests = value == zero or not gauge
        for time in _between(written, changed, last, keep, rests=rests):
            yield time, value
        yield last, value


def _between(
    written: int | None, changed: int | None, following: int, keep: int, *, rests: bool
) -> Iterator[int]:
    """Yield the times of samples after the last one that was written, before the next change."""
    dense = floor((following - DENSE) / STEP) * STEP
    time = dense if written is None else written + STEP
    while time < following:
        yield time
        near = changed is not None and time + STEP <= changed + DENSE
        if near or time + STEP >= dense:
            time += STEP
        elif rests and changed is not None and changed + LASTING < time < dense - LASTING:
            time = dense - LASTING
        else:
            time = min(time + keep, dense)
