"""PromQL as the dashboards need it: selectors by their variables, sums over replicas.

It must not know panels. Ranges are variables of Grafana.
"""

RATE = "$__rate_interval"
SHOWN = "$__range:$__interval"

REPLICA = "instance, pod, container, endpoint, node"
"""The labels in which replicas differ; the rules leave out the same ones."""

EXPORTER = ('job=~"$job"', 'instance=~"$instance"')
ACCOUNT = (*EXPORTER, 'account=~"$account"')
ACTION = (*ACCOUNT, 'action_type=~"$action_type"')


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


def quantile(share: float, buckets: str) -> str:
    """Estimate a quantile from sums of buckets by le; nothing where nothing was observed."""
    return f"histogram_quantile({share:g}, {buckets}) >= 0"


def ratio(part: str, whole: str) -> str:
    """Divide; nothing where there is nothing to divide by."""
    return f"{part} / ({whole} > 0)"


def _select(metric: str, matchers: tuple[str, ...]) -> str:
    return f"{metric}{{{', '.join(matchers)}}}"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
