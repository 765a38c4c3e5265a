"""Compare single metrics with what prometheus-client writes of the same values."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as ExposedExemplar
from prometheus_client.utils import floatToGoString

from exporter.ledger.records import Exemplar, Histogram
from exporter.metrics.definition import MetricDefinition, MetricType
from exporter.metrics.negotiation import Format
from tests.metrics.exposed import parse, render_metric

LABELS = ("account", "zone", "kind")
"""Not in order, and one of them comes behind ``le``."""

BOUNDS = (0.005, 1.0, 2.5, 86_400.0, 12_345_678.0)

Keys = tuple[str, str]
Values = Mapping[Keys, float] | Mapping[Keys, Histogram]


@dataclass(frozen=True)
class Case:
    """One metric of several accounts."""

    metric_type: MetricType
    help: str
    accounts: Mapping[str, Values]
    exemplar: Exemplar | None = None

    @property
    def definition(self) -> MetricDefinition[Values]:
        """Return it as the catalogue would have it."""
        exemplar = self.exemplar
        return MetricDefinition(
            "some_metric_total" if self.metric_type is MetricType.COUNTER else "some_metric",
            self.metric_type,
            LABELS,
            self.help,
            lambda values: values.items(),
            BOUNDS,
            lambda values: () if exemplar is None else ((key, exemplar) for key in values),
        )


texts = st.text(max_size=12) | st.text('"\\\n{}=, #ané\U0001f4f5', max_size=12)
keys = st.tuples(texts, texts)
numbers = st.floats() | st.integers(-(2**1000), 2**1000) | st.booleans()
not_negative = st.floats(0, allow_infinity=False)
counts = st.tuples(*[st.integers(0, 2**60)] * (len(BOUNDS) + 1))


def _cases(
    metric_type: MetricType, values: st.SearchStrategy[Any], ids: st.SearchStrategy[str] | None
) -> st.SearchStrategy[Case]:
    """Give metrics with values from a strategy, with exemplars where there are ``ids``."""
    return st.builds(
        Case,
        st.just(metric_type),
        texts,
        st.dictionaries(texts, st.dictionaries(keys, values, max_size=3), max_size=3),
        st.none() if ids is None else st.builds(Exemplar, ids, ids, st.floats(0, 2e9)),
    )


anything = st.one_of(
    _cases(MetricType.GAUGE, numbers, None),
    _cases(MetricType.COUNTER, numbers, texts),
    _cases(MetricType.HISTOGRAM, st.builds(Histogram, counts, numbers), None),
)
readable = st.one_of(
    _cases(MetricType.GAUGE, numbers, None),
    # The parser takes no exemplar with an escaped quote, though the library writes it so.
    _cases(MetricType.COUNTER, not_negative, st.text("-é1", max_size=12)),
    _cases(MetricType.HISTOGRAM, st.builds(Histogram, counts, not_negative), None),
)
"""What OpenMetrics allows: counters and the sums of histograms are numbers from 0 on."""


class Library(Collector):
    """The same metric as prometheus-client has it."""

    def __init__(self, case: Case) -> None:
        """Keep the values."""
        self._case = case

    def collect(self) -> Iterable[Metric]:
        """Give the only metric."""
        name, text = "some_metric", self._case.help
        gauge = GaugeMetricFamily(name, text, labels=LABELS)
        counter = CounterMetricFamily(name, text, labels=LABELS)
        histogram = HistogramMetricFamily(name, text, labels=LABELS)
        for account, values in self._case.accounts.items():
            for key, value in values.items():
                labels = (account, *key)
                if isinstance(value, Histogram):
                    histogram.add_metric(labels, list(_buckets(value)), value.sum)
                elif self._case.metric_type is MetricType.COUNTER:
                    counter.add_metric(labels, value, exemplar=_exemplar(self._case.exemplar))
                else:
                    gauge.add_metric(labels, value)
        yield {
            MetricType.GAUGE: gauge,
            MetricType.COUNTER: counter,
            MetricType.HISTOGRAM: histogram,
        }[self._case.metric_type]


def _buckets(histogram: Histogram) -> Iterable[tuple[str, float]]:
    for index, bound in enumerate((*BOUNDS, math.inf)):
        text: str = floatToGoString(bound)  # type: ignore[no-untyped-call] # untyped
        yield text, sum(histogram.counts[: index + 1])


def _exemplar(exemplar: Exemplar | None) -> ExposedExemplar | None:
    if exemplar is None:
        return None
    labels = {"action_id": exemplar.action_id, "sim_card_id": exemplar.sim_card_id}
    return ExposedExemplar(labels, 1, exemplar.timestamp)


def _by_library(case: Case, chosen: Format) -> bytes:
    registry = CollectorRegistry()
    registry.register(Library(case))
    if chosen is Format.TEXT:
        return generate_latest(registry)
    body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # untyped
    return body


def _ours(case: Case, chosen: Format) -> bytes:
    end = b"" if chosen is Format.TEXT else b"# EOF\n"
    return render_metric(case.definition, case.accounts.items(), chosen) + end


@pytest.mark.parametrize("chosen", Format)
@given(case=anything)
def test_it_is_written_as_by_the_library(chosen: Format, case: Case) -> None:
    """Whatever the label values, numbers and help, each byte is the same."""
    assert _ours(case, chosen) == _by_library(case, chosen)


@pytest.mark.parametrize("chosen", Format)
@given(case=readable)
def test_it_reads_back(chosen: Format, case: Case) -> None:
    """A parser gets the labels and values that went in."""
    (family,) = parse(_ours(case, chosen), chosen)
    read = [
        (sample.labels["account"], sample.labels["zone"], sample.labels["kind"], sample.value)
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_count"))
    ]
    written = [
        (account, *key, value.sum if isinstance(value, Histogram) else value)
        for account, values in case.accounts.items()
        for key, value in values.items()
    ]
    # By what they look like, as NaN is not equal to itself.
    assert [(*each[:3], repr(float(each[3]))) for each in read] == [
        (*each[:3], repr(float(each[3]))) for each in written
    ]
