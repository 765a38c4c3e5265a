"""Write metrics in either format, one by one.

It must not define metrics, choose the format or keep what it wrote. In OpenMetrics, one counter
(shortened)::

    # HELP telnyx_sim_card_actions_failed Times actions entered status failed ...
    # TYPE telnyx_sim_card_actions_failed counter
    telnyx_sim_card_actions_failed_total{account="default",action_type="enable",
        reason_class="sim_blocked"} 3.0 # {action_id="...",sim_card_id="..."} 1.0 1785000000.0
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.utils import floatToGoString

from exporter.ledger.records import Exemplar, Histogram
from exporter.metrics.definition import MetricDefinition
from exporter.metrics.negotiation import Format

_REPEATED = 4096
"""How many texts of numbers and of labels are kept: most occur in many lines, and at each poll."""

MAX_EXEMPLAR_CHARACTERS = 128
"""Names and values of an exemplar's labels together (OpenMetrics 1.0, Exemplars)."""

_number: Callable[[float], str] = lru_cache(_REPEATED)(floatToGoString)

_Source = TypeVar("_Source")
_Label = tuple[str, str]


def registry_metrics(registry: CollectorRegistry, chosen: Format) -> bytes:
    """Return the metrics of a registry of the client library, and the end of the exposition."""
    if chosen is Format.TEXT:
        return generate_latest(registry)
    body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # untyped
    return body


def header(metric: MetricDefinition[Any], chosen: Format) -> bytes:
    """Return the lines before the samples of a metric."""
    name, text = metric.name, metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if chosen is Format.OPENMETRICS:
        name, text = name.removesuffix("_total"), text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {metric.metric_type.value}\n".encode()


def samples(
    metric: MetricDefinition[_Source], account: str | None, source: _Source, chosen: Format
) -> bytes:
    """Return the samples of a metric of one source: of an account, or with None of none."""
    own = () if account is None else (account,)
    exemplars = dict(metric.exemplars(source)) if chosen is Format.OPENMETRICS else {}
    lines: list[str] = []
    for key, value in metric.read(source):
        values = (*own, key) if isinstance(key, str) else own + key
        labels = sorted(zip(metric.labels, values, strict=True))
        if isinstance(value, Histogram):
            bounds = metric.bounds if value.bounds is None else value.bounds
            lines.extend(_histogram(metric.name, labels, bounds, value))
        else:
            exemplar = _exemplar(exemplars[key]) if key in exemplars else ""
            lines.append(f"{metric.name}{braced(labels)} {number(value)}{exemplar}\n")
    return "".join(lines).encode()


def _histogram(
    name: str, labels: list[_Label], bounds: tuple[float, ...], histogram: Histogram
) -> Iterator[str]:
    # All that the buckets share is written once, as they are most of the exposition.
    start = "".join(f"{_pair(*each)}," for each in labels if each[0] < "le")
    end = "".join(f",{_pair(*each)}" for each in labels if each[0] > "le")
    total = 0
    names = (*map(number, bounds), "+Inf")
    for bound, total in zip(names, accumulate(histogram.counts), strict=True):
        yield f'{name}_bucket{{{start}le="{bound}"{end}}} {number(total)}\n'
    yield f"{name}_count{braced(labels)} {number(total)}\n"
    yield f"{name}_sum{braced(labels)} {number(histogram.sum)}\n"


def number(value: float) -> str:
    """Return how a value is written, and the bound of a bucket."""
    # 0.0 and -0.0 are equal, so one would be kept for both.
    return _number(value) if value else repr(float(value))


def braced(labels: Iterable[_Label]) -> str:
    """Return labels as they stand behind a name, empty for none."""
    text = ",".join(_pair(*each) for each in labels)
    return f"{{{text}}}" if text else ""


@lru_cache(_REPEATED)
def _pair(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def _exemplar(latest: Exemplar) -> str:
    action, sim_card = ("action_id", latest.action_id), ("sim_card_id", latest.sim_card_id)
    for labels in ((action, sim_card), (action,)):
        if sum(len(name) + len(value) for name, value in labels) <= MAX_EXEMPLAR_CHARACTERS:
            return f" # {braced(labels)} 1.0 {latest.timestamp}"
    return ""
