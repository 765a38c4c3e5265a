"""Everything that asks the exporter follows the prefix of its paths."""

from collections.abc import Callable

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import Rendering, least

FILE: Json = {"existingSecret": "web"}
CASES = [
    pytest.param({}, "", id="none"),
    pytest.param({"external_url": None, "route_prefix": None}, "", id="null"),
    pytest.param({"external_url": "https://example.org"}, "", id="host alone"),
    pytest.param({"external_url": "https://example.org:8443/telnyx/"}, "/telnyx", id="external"),
    pytest.param({"route_prefix": "a/b/"}, "/a/b", id="prefix"),
    pytest.param({"external_url": "https://h/x", "route_prefix": "/"}, "", id="taken away"),
    pytest.param({"external_url": "https://${HOST}/x"}, "/x", id="host by a variable"),
]


@pytest.mark.parametrize(("web", "prefix"), CASES)
def test_probes_follow(render: Callable[..., Rendering], web: Json, prefix: str) -> None:
    """From without and from within."""
    asked = render(least(config={"web": web})).container
    assert asked["livenessProbe"]["httpGet"]["path"] == f"{prefix}/-/healthy"
    assert asked["readinessProbe"]["httpGet"]["path"] == f"{prefix}/-/ready"
    within = render(least(config={"web": web}, web=FILE)).container["startupProbe"]["exec"]
    assert within["command"][-1] == f"http://127.0.0.1:10874{prefix}/-/healthy"


@pytest.mark.parametrize("kind", ["ServiceMonitor", "PodMonitor"])
@pytest.mark.parametrize(("web", "prefix"), CASES)
def test_the_monitor_follows(
    render: Callable[..., Rendering], web: Json, prefix: str, kind: str
) -> None:
    """Prometheus asks where the metrics are."""
    monitor = render(least(config={"web": web}, monitor={"kind": kind})).one(kind)["spec"]
    (endpoint,) = monitor["endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"]
    assert endpoint["path"] == f"{prefix}/metrics"


@pytest.mark.parametrize(("web", "prefix"), CASES)
def test_helm_test_and_notes_follow(
    render: Callable[..., Rendering], notes: Callable[..., str], web: Json, prefix: str
) -> None:
    """So does what people are told to open and to scrape."""
    values = least(config={"web": web})
    (box,) = render(values).test_pod["spec"]["containers"]
    assert box["command"][-1].endswith(f":10874{prefix}/metrics")
    assert f"http://127.0.0.1:10874{prefix}/ while" in notes(values)
    assert (f"metrics_path: {prefix}/metrics" in notes(values, operator=False)) is bool(prefix)


def test_a_path_of_the_user_is_kept(render: Callable[..., Rendering]) -> None:
    """Only the exporter's own paths get its prefix."""
    probe = {"httpGet": {"path": "/other", "port": "http"}}
    values = least(config={"web": {"route_prefix": "/x"}}, livenessProbe=probe)
    assert render(values).container["livenessProbe"]["httpGet"]["path"] == "/other"
