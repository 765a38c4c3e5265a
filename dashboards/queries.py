"""PromQL for the dashboards: selectors with dashboard variables, aggregation over replicas.

It must not know panels. Ranges are Grafana variables.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

RATE = "$__rate_interval"
SHOWN = "$__range:$__interval"

REPLICA = "instance, pod, container, endpoint, node"
"""The labels in which replicas differ; the rules drop the same ones."""

RECENT = "6h"
"""For how long what is gone is known by all its samples; the rules remember it as long."""

REMEMBERED = "14d:1h"
"""For how long an exporter that is down is known, by a sample an hour: more would take long."""

RULES_LOADED = "job:telnyx_sim_stale_seconds:threshold"
"""A record that the shipped rules make whatever is down; it has no labels."""

OF_ACCOUNTS = "telnyx_(sim_card|bulk)_.+|telnyx_up"
"""The metrics that only the replica has that polls the account."""

ONE_INSTANCE = "telnyx-sim-exporter"
"""Their instance by the shipped scrape configuration: the same whichever replica polls."""

JOB = 'job=~"$job"'
INSTANCE = 'instance=~"$instance"'
ANY_INSTANCE = f'instance=~"$instance|{ONE_INSTANCE}"'
EXPORTER = (JOB, INSTANCE)


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


def exporters() -> str:
    """Return a series for each exporter, also for those that are down and have no metrics now."""
    build = of_exporter("telnyx_exporter_build_info")
    return f"(last_over_time({build}[{RECENT}]) or last_over_time({build}[{REMEMBERED}]))"


def own(vector: str) -> str:
    """Restrict `up` and `process_*`, which every target has, to exporters."""
    return f"({vector} and on (job, instance) {exporters()})"


def of_alerts(alerts: str, *matchers: str) -> str:
    """Select ``ALERTS`` or ``ALERTS_FOR_STATE`` of the shipped rules.

    Not all alerts have each of the labels that can be chosen.
    """
    chosen = (
        'job=~"$job"',
        *(f'{label}=~"${label}|"' for label in ("instance", "account", "action_type")),
    )
    return _select(alerts, ('alertname=~"TelnyxSim.+"', *matchers, *chosen))


def of_account(metric: str, *matchers: str) -> str:
    """Select the series of a metric of the selected exporters and accounts.

    What is known of an account has the instance of whichever replica polls it: it is shown for any.
    """
    instance = ANY_INSTANCE if re.fullmatch(OF_ACCOUNTS, metric) else INSTANCE
    return _select(metric, (JOB, instance, 'account=~"$account"', *matchers))


def of_action(metric: str, *matchers: str) -> str:
    """Select the series of a metric of the selected exporters, accounts and action types."""
    return of_account(metric, 'action_type=~"$action_type"', *matchers)


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
    """Aggregate replicas by max: whichever polls an account has all that is known of it."""
    return f"max without ({REPLICA}) ({vector})"


def gone(selector: str) -> str:
    """Return the last values of series that may be gone.

    They are kept for `RECENT`. Where the target is down, or no exporter with its labels is up, they
    are kept as long as they are remembered. In that case, what was removed before counts too. Where
    replicas have one instance in common, it is down if all are.
    """
    targets = of_exporter("up")
    replaced = (
        f"({exporters()} unless on (job, instance) {targets} == 0 "
        f"and ignoring (version, python_version, revision, {REPLICA}) {targets} == 1 "
        f'or label_replace({merged(f"{targets} == 1")}, "instance", "{ONE_INSTANCE}", "", ""))'
    )
    return (
        f"(last_over_time({selector}[{RECENT}]) "
        f"or last_over_time({selector}[{REMEMBERED}]) unless on (job, instance) {replaced})"
    )


def held(selector: str, *labels: str) -> str:
    """Return the values of all accounts, for those that are gone the last ones.

    ``labels`` are those of the metric besides the account.
    """
    polled = merged(of_account("telnyx_up"))
    last = merged(gone(selector))
    return f"({merged(selector)} or {last} unless ignoring ({', '.join(labels)}) {polled})"


def by_holder(vector: str) -> str:
    """Restrict what every replica has of an account to the one that polls it."""
    others = of_account("telnyx_exporter_account_held")
    return f"({vector} unless on (job, instance, account) {others} == 0)"


def total(vector: str, *by: str) -> str:
    """Sum the result of `merged`, by labels or in total."""
    return added(merged(vector), *by)


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
    """Sum values as they are, by labels or in total."""
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
