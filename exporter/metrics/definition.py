"""How a metric is defined; the metrics themselves are in `catalogue`.

It must not know how a metric is written, or where.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from exporter.ledger.records import Exemplar, Histogram

LabelValues = str | tuple[str, ...]
"""Values of the labels besides ``account``: one as a string, else a tuple in defined order."""

Value = float | Histogram

_Source = TypeVar("_Source")
_KeyT = TypeVar("_KeyT", str, tuple[str, str])


class MetricType(StrEnum):
    """The types of metrics that occur here, by their names in the exposition."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricDefinition(Generic[_Source]):
    """One metric.

    ``name`` is the full name (with ``_total`` for a counter), ``labels`` all label names in
    order. ``read`` yields label values besides ``account`` and the value. ``bounds`` are the
    buckets of a histogram, +Inf left out. ``exemplars`` yields label values likewise,
    for the series of a counter that have one. ``zero_at_rest`` tells that it is 0 while all is
    well: tests, in which all is well, do not wait for another value.
    """

    name: str
    metric_type: MetricType
    labels: tuple[str, ...]
    help: str
    read: Callable[[_Source], Iterable[tuple[LabelValues, Value]]]
    bounds: tuple[float, ...] = ()
    exemplars: Callable[[_Source], Iterable[tuple[LabelValues, Exemplar]]] = lambda _: ()
    zero_at_rest: bool = False


def one(value: Value) -> tuple[tuple[LabelValues, Value]]:
    """Return the only series of a metric that has no labels of its own."""
    return (((), value),)


def if_known(value: float | None) -> tuple[tuple[LabelValues, Value], ...]:
    """Return the only series of a metric, or none while there is no value."""
    return () if value is None else one(value)


def with_zeros(
    expected: Iterable[_KeyT], values: Mapping[_KeyT, int]
) -> Iterable[tuple[_KeyT, int]]:
    """Return ``values``, and 0 for the expected label values that they lack."""
    return {**dict.fromkeys(expected, 0), **values}.items()
