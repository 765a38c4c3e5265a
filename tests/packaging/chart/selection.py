"""Which objects a selector takes, as Kubernetes decides it; it must not know the chart."""

from collections.abc import Iterable

from tests.packaging.chart.documents import Json


def takes(selector: Json, labels: Json) -> bool:
    """Tell whether a label selector takes something with these labels."""
    assert not selector.keys() - {"matchLabels", "matchExpressions"}, selector
    wanted: Json = selector.get("matchLabels") or {}
    expressions: Iterable[Json] = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(_holds(each, labels) for each in expressions)


def _holds(expression: Json, labels: Json) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise AssertionError(other)
