"""PromQL for the dashboards: selectors with dashboard variables, aggregation over replicas.

It must not know panels. Ranges are Grafana variables.
"""

from collections.abc import Callable
from dataclasses import dataclass

RATE = "$__rate_interval"
SHOWN = "$__range:$__interval"

REPLICA = "instance, pod, container, endpoint, node"
"""The labels in which replicas differ; the rules drop the same ones."""

EXPORTER = ('job=~"$job"', 'instance=~"$instance"')
ACCOUNT = (*EXPORTER, 'account=~"$account"')
ACTION = (*ACCOUNT, 'action_type=~"$action_type"')


@dataclass(frozen=True, slots=True)
class Histogram:
    """The selectors of a histogram, classic and native.

    Prometheus 3 can turn the classic ``buckets`` and ``counts`` into one series, ``native``
    (convert_classic_histograms_to_nhcb). ``shared``: all replicas have the same values.
    """

    buckets: str
    counts: str
    native: str
    shared: bool


def histogram(
    select: Callable[..., str], metric: str, *matchers: str, shared: bool = False
) -> Histogram:
    """Select a histogram by one of the functions below."""
    buckets, counts = (select(f"{metric}_{end}", *matchers) for end in ("bucket", "count"))
    return Histogram(buckets, counts, select(metric, *matchers), shared=shared)


def of_exporter(metric: str, *matchers: str) -> str:
    """Select the series of a metric of the selected exporters."""
    return _select(metric, (*EXPORTER, *matchers))


def own(vector: str) -> str:
    """Restrict `up` and `process_*`, which every target has, to exporters.

    Exporters are recognized by their metrics of the last hour, because one that is down has none.
    """
    known = f"last_over_time({of_exporter('telnyx_exporter_build_info')}[1h])"
    return f"({vector} and on (job, instance) {known})"


def of_account(metric: str, *matchers: str) -> str:
    """Select the series of a metric of the selected exporters and accounts."""
    return _select(metric, (*ACCOUNT, *matchers))


def of_action(metric: str, *matchers: str) -> str:
    """Select the series of a metric of the selected exporters, accounts and action types."""
    return _select(metric, (*ACTION, *matchers))


def rate(selector: str) -> str:
    """Return the per-second rate of a counter."""
    return f"rate({selector}[{RATE}])"


def per_minute(vector: str) -> str:
    """Convert a per-second rate to a per-minute rate."""
    return f"60 * {vector}"


def increase(selector: str) -> str:
    """Return the increase of a counter from one data point to the next."""
    return f"increase({selector}[{RATE}])"


def merged(vector: str) -> str:
    """Aggregate replicas by max: all that poll an account see the same actions."""
    return f"max without ({REPLICA}) ({vector})"


def total(vector: str, *by: str) -> str:
    """Sum the result of `merged`, by labels or in total."""
    return f"sum{_by(by)} ({merged(vector)})"


def recent(counter: str, *by: str) -> str:
    """Sum the increase of a counter from one data point to the next, by labels or in total."""
    return total(increase(counter), *by)


def shown(counter: str, *by: str) -> str:
    """Sum the increase of a counter in the selected time range, by labels or in total.

    Replicas are aggregated first: the exporter may return under another instance label, with
    counters that continue.
    """
    return f"sum{_by(by)} (increase({merged(counter)}[{SHOWN}]))"


def grown(counter: str, *by: str) -> str:
    """Sum the increase of a counter from one data point to the next, which may be days apart.

    Replicas are aggregated first, as in `shown`; Prometheus chooses the resolution.
    """
    return f"sum{_by(by)} (increase({merged(counter)}[{RATE}:]))"


def highest(vector: str, *by: str) -> str:
    """Return the maximum, by labels or overall."""
    return f"max{_by(by)} ({vector})"


def lowest(vector: str, *by: str) -> str:
    """Return the minimum, by labels or overall."""
    return f"min{_by(by)} ({vector})"


def added(vector: str, *by: str) -> str:
    """Sum the values of all processes, by labels or in total."""
    return f"sum{_by(by)} ({vector})"


def age(timestamp: str) -> str:
    """Return the age of a timestamp; 0 means never and has no age."""
    return f"time() - ({timestamp} > 0)"


def quantile(share: float, of: Histogram, *by: str) -> str:
    """Estimate a quantile by labels; empty without observations."""
    either = (f"histogram_quantile({share:g}, {each})" for each in _grown(of, rate, by))
    return f"({' or '.join(either)}) >= 0"


def spread_of(of: Histogram) -> str:
    """Return the observations between data points, by le or as a native histogram."""
    return " or on () ".join(_grown(of, increase, ()))


def observed(growth: Callable[[str], str], of: Histogram, *by: str) -> str:
    """Count observations with `rate` or `increase`, by labels or in total."""
    native = total(f"histogram_count({growth(of.native)})", *by)
    return f"({total(growth(of.counts), *by)} or {native})"


def observed_recently(of: Histogram, *by: str) -> str:
    """Count observations from one data point to the next, like `recent`."""
    return observed(increase, of, *by)


def observed_shown(of: Histogram, *by: str) -> str:
    """Count observations in the selected time range, like `shown`."""
    return f"({shown(of.counts, *by)} or {shown(f'histogram_count({of.native})', *by)})"


def ratio(part: str, whole: str) -> str:
    """Divide; empty where the divisor is 0."""
    return f"{part} / ({whole} > 0)"


def _grown(of: Histogram, growth: Callable[[str], str], by: tuple[str, ...]) -> tuple[str, str]:
    """Sum the increase of both forms by labels; native histograms have no maximum."""
    buckets, native = growth(of.buckets), growth(of.native)
    if of.shared:
        buckets, native = merged(buckets), f"avg without ({REPLICA}) ({native})"
    return added(buckets, *by, "le"), added(native, *by)


def _select(metric: str, matchers: tuple[str, ...]) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
