"""PromQL as the dashboards need it: selectors by their variables, sums over replicas.

It must not know panels. Ranges are variables of Grafana.
"""

from collections.abc import Callable
from dataclasses import dataclass

RATE = "$__rate_interval"
SHOWN = "$__range:$__interval"

REPLICA = "instance, pod, container, endpoint, node"
"""The labels in which replicas differ; the rules leave out the same ones."""

EXPORTER = ('job=~"$job"', 'instance=~"$instance"')
ACCOUNT = (*EXPORTER, 'account=~"$account"')
ACTION = (*ACCOUNT, 'action_type=~"$action_type"')


@dataclass(frozen=True, slots=True)
class Histogram:
    """The selectors of a histogram, as either kind of it is stored.

    Prometheus 3 can turn the classic ``buckets`` and ``counts`` into one series, ``native``
    (convert_classic_histograms_to_nhcb). Replicas have the same one where it is ``shared``.
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
    """Select the series of a metric by the exporters that are looked at."""
    return _select(metric, (*EXPORTER, *matchers))


def own(vector: str) -> str:
    """Keep the exporters' own series: `up` and `process_*` are of every target there is.

    An exporter is known by what it said within the last hour, as one that is down says nothing.
    """
    known = f"last_over_time({of_exporter('telnyx_exporter_build_info')}[1h])"
    return f"({vector} and on (job, instance) {known})"


def of_account(metric: str, *matchers: str) -> str:
    """Select likewise, and by account."""
    return _select(metric, (*ACCOUNT, *matchers))


def of_action(metric: str, *matchers: str) -> str:
    """Select likewise, and by action type."""
    return _select(metric, (*ACTION, *matchers))


def rate(selector: str) -> str:
    """Give the growth of a counter a second, over time."""
    return f"rate({selector}[{RATE}])"


def per_minute(vector: str) -> str:
    """Turn figures a second into figures a minute: actions are rarer than seconds."""
    return f"60 * {vector}"


def increase(selector: str) -> str:
    """Give the growth of a counter from one point to the next."""
    return f"increase({selector}[{RATE}])"


def merged(vector: str) -> str:
    """Take replicas together: those that poll the same account all see the same actions."""
    return f"max without ({REPLICA}) ({vector})"


def total(vector: str, *by: str) -> str:
    """Sum what `merged` leaves, by labels or as a whole."""
    return f"sum{_by(by)} ({merged(vector)})"


def recent(counter: str, *by: str) -> str:
    """Sum how much a counter grew from one point to the next, by labels or as a whole."""
    return total(increase(counter), *by)


def shown(counter: str, *by: str) -> str:
    """Sum how much a counter grew in all the time shown, by labels or as a whole.

    Replicas are taken together first: the exporter may come back under another instance label,
    and its counters go on.
    """
    return f"sum{_by(by)} (increase({merged(counter)}[{SHOWN}]))"


def highest(vector: str, *by: str) -> str:
    """Give the highest value, by labels or of all."""
    return f"max{_by(by)} ({vector})"


def lowest(vector: str, *by: str) -> str:
    """Give the lowest value, by labels or of all."""
    return f"min{_by(by)} ({vector})"


def added(vector: str, *by: str) -> str:
    """Sum what each process does for itself, by labels or as a whole."""
    return f"sum{_by(by)} ({vector})"


def age(timestamp: str) -> str:
    """Give how long ago a time was; 0 stands for never, which has no age."""
    return f"time() - ({timestamp} > 0)"


def quantile(share: float, of: Histogram, *by: str) -> str:
    """Estimate a quantile by labels; nothing where nothing was observed."""
    either = (f"histogram_quantile({share:g}, {each})" for each in _grown(of, rate, by))
    return f"({' or '.join(either)}) >= 0"


def spread_of(of: Histogram) -> str:
    """Give what was observed from one point to the next, by le or as a native histogram."""
    return " or on () ".join(_grown(of, increase, ()))


def observed(growth: Callable[[str], str], of: Histogram, *by: str) -> str:
    """Count the observations by `rate` or `increase`, by labels or as a whole."""
    native = total(f"histogram_count({growth(of.native)})", *by)
    return f"({total(growth(of.counts), *by)} or {native})"


def observed_recently(of: Histogram, *by: str) -> str:
    """Count the observations from one point to the next, as `recent` does."""
    return observed(increase, of, *by)


def observed_shown(of: Histogram, *by: str) -> str:
    """Count the observations of all the time shown, as `shown` does."""
    return f"({shown(of.counts, *by)} or {shown(f'histogram_count({of.native})', *by)})"


def ratio(part: str, whole: str) -> str:
    """Divide; nothing where there is nothing to divide by."""
    return f"{part} / ({whole} > 0)"


def _grown(of: Histogram, growth: Callable[[str], str], by: tuple[str, ...]) -> tuple[str, str]:
    """Sum the growth of both kinds by labels; there is no maximum of native histograms."""
    buckets, native = growth(of.buckets), growth(of.native)
    if of.shared:
        buckets, native = merged(buckets), f"avg without ({REPLICA}) ({native})"
    return added(buckets, *by, "le"), added(native, *by)


def _select(metric: str, matchers: tuple[str, ...]) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
