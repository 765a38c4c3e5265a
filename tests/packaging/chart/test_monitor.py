import re
from collections.abc import Callable
from typing import Any

import pytest

from exporter.metrics.catalogue import CATALOGUE
from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import JOB, NAMESPACE, SHARED, Rendering, least
from tests.packaging.chart.selection import takes

KINDS = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give each kind of monitor."""
    return str(request.param)


@pytest.fixture
def monitor(render: Callable[..., Rendering], kind: str) -> Callable[..., Json]:
    """Give what makes the monitor of the kind."""

    def make(values: Json | None = None, **section: Any) -> Json:
        given = least(**values or {}, monitor={"kind": kind, **section})
        return render(given).one(kind)

    return make


def endpoint(monitor: Json) -> Json:
    """Give what is scraped."""
    (found,) = monitor["spec"][KINDS[monitor["kind"]]]
    return dict(found)


def relabelled(rules: list[Json], labels: Json) -> Json:
    """Give the labels after plain replacements, as Prometheus does them; others are no matter."""
    for each in rules:
        if each.get("action", "replace") == "replace" and "sourceLabels" not in each:
            labels = labels | {each["targetLabel"]: each["replacement"]}
    return labels


@pytest.mark.parametrize("release", ["sims", JOB])
def test_the_job_is_what_the_rules_select(
    render: Callable[..., Rendering], kind: str, release: str
) -> None:
    """Whatever the release is called, the label `job` is the exporter's name."""
    made = render(least(monitor={"kind": kind}), release=release).one(kind)
    job = f"{NAMESPACE}/any"  # what the operator sets of itself
    assert relabelled(endpoint(made)["relabelings"], {"job": job})["job"] == JOB
    assert "jobLabel" not in made["spec"]


def test_releases_of_a_namespace_are_told_apart(render: Callable[..., Rendering]) -> None:
    """By a label that TelnyxSimExporterGone keeps: else one that goes would hide behind another.

    The operator sets `service` for the targets of a ServiceMonitor, and not for a PodMonitor's.
    """
    first, second = (
        relabelled(endpoint(made)["relabelings"], {"job": f"{NAMESPACE}/any"})
        for made in (
            render(least(monitor={"kind": "PodMonitor"}), release=each).one("PodMonitor")
            for each in ("sims", "other")
        )
    )
    dropped = {"instance", "pod", "container", "endpoint", "node"}
    assert {key for key in first if first[key] != second[key]} - dropped


POD: Json = {"namespace": NAMESPACE, "pod": "sims-1", "instance": "10.0.0.1:10874"}


def after_scrape(rules: list[Json], name: str) -> Json:
    """Give the labels of a metric after replacements by its name, as Prometheus does them."""
    labels = POD
    for each in rules:
        assert (each["action"], each["sourceLabels"]) == ("replace", ["__name__"])
        if re.fullmatch(each["regex"], name):
            labels = labels | {each["targetLabel"]: each["replacement"]}
    return labels


@pytest.mark.parametrize("values", [{}, SHARED], ids=["one", "several"])
def test_series_of_accounts_are_of_no_pod(
    render: Callable[..., Rendering], monitor: Callable[..., Json], values: Json
) -> None:
    """A takeover, a new pod and more replicas go on with the same series; health is the pod's."""
    rules = endpoint(monitor(values))["metricRelabelings"]
    name = render().one("Deployment")["metadata"]["name"]
    bulk = ("telnyx_bulk_sim_card_actions", "telnyx_bulk_sim_card_action_members")
    ours = [each.name for each in CATALOGUE if not each.name.startswith("telnyx_exporter_")]
    for each in (*ours, *bulk, "telnyx_sim_card_action_duration_seconds_bucket"):
        assert after_scrape(rules, each) == POD | {"instance": name, "pod": name}, each
    own = [each.name for each in CATALOGUE if each.name.startswith("telnyx_exporter_")]
    assert len(own) + len(ours) == len(CATALOGUE)
    for each in (*own, "up", "scrape_samples_scraped", "process_cpu_seconds_total"):
        assert after_scrape(rules, each) == POD, each


def test_only_one_kind_is_made(render: Callable[..., Rendering], kind: str) -> None:
    """Two would scrape everything twice."""
    assert render(least(monitor={"kind": kind})).kinds() & KINDS.keys() == {kind}


def test_it_selects_what_is_meant(render: Callable[..., Rendering], kind: str) -> None:
    """The Service or the pods of this release, at the port that they name so."""
    values = least(monitor={"kind": kind})
    made, other = render(values), render(values, release="other")
    selector = made.one(kind)["spec"]["selector"]

    def target(rendering: Rendering) -> Json:
        return rendering.one("Service") if kind == "ServiceMonitor" else rendering.pod

    assert takes(selector, target(made)["metadata"]["labels"])
    assert not takes(selector, target(other)["metadata"]["labels"])
    assert not takes(selector, made.test_pod["metadata"]["labels"])
    (port,) = made.one("Service")["spec"]["ports"]
    assert endpoint(made.one(kind))["port"] == port["name"] == made.container["ports"][0]["name"]
    assert endpoint(made.one(kind)).get("path", "/metrics") == "/metrics"


def test_no_other_service_is_selected(render: Callable[..., Rendering]) -> None:
    """One Service has the labels, so nothing is scraped twice."""
    made = render()
    selector = made.one("ServiceMonitor")["spec"]["selector"]
    services = [each["metadata"]["labels"] for each in made.all("Service")]
    assert [takes(selector, each) for each in services] == [True]


def test_prometheus_keeps_its_own_settings(monitor: Callable[..., Json]) -> None:
    """What is not set is left out, and labels of the exporter do not win over the target's."""
    made = endpoint(monitor())
    assert not made.keys() & {"interval", "scrapeTimeout", "tlsConfig", "basicAuth", "honorLabels"}
    assert {each["targetLabel"] for each in made["relabelings"]} <= {"job", "service"}
    assert made.get("scheme", "http") == "http"


def test_settings_are_taken_over(monitor: Callable[..., Json]) -> None:
    """Each of them, and relabelings come after the chart's own."""
    own = {"action": "replace", "targetLabel": "cluster", "replacement": "x"}
    drop = {"action": "labeldrop", "regex": "x"}
    secret = {"name": "s", "key": "k"}
    made = endpoint(
        monitor(
            {"web": {"existingSecret": "web", "scheme": "HTTPS"}},
            interval="30s",
            scrapeTimeout="10s",
            tlsConfig={"insecureSkipVerify": True},
            basicAuth={"username": secret, "password": secret},
            relabelings=[own],
            metricRelabelings=[drop],
        )
    )
    assert made["scheme"] == "https"
    assert (made["interval"], made["scrapeTimeout"]) == ("30s", "10s")
    assert made["tlsConfig"] == {"insecureSkipVerify": True}
    assert made["basicAuth"] == {"username": secret, "password": secret}
    assert relabelled(made["relabelings"][:-1], {})["job"] == JOB
    assert made["relabelings"][-1] == own
    assert made["metricRelabelings"] == [*endpoint(monitor())["metricRelabelings"], drop]


def test_it_may_lie_in_another_namespace(monitor: Callable[..., Json]) -> None:
    """It then says where the exporter is; beside it that is not needed."""
    away = monitor(namespace="monitoring", labels={"release": "x"}, annotations={"a/b": "c"})
    assert away["metadata"]["namespace"] == "monitoring"
    assert away["metadata"]["labels"]["release"] == "x"
    assert away["metadata"]["annotations"]["a/b"] == "c"
    assert away["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}
    assert monitor()["metadata"]["namespace"] == NAMESPACE
    assert "namespaceSelector" not in monitor()["spec"]


WITH_OPERATOR = {
    "monitor": {"ServiceMonitor"},
    "prometheusRule": {"PrometheusRule"},
    "dashboards": {"dashboards"},
}


@pytest.mark.parametrize("section", WITH_OPERATOR)
@pytest.mark.parametrize(
    ("enabled", "operator", "there"),
    [
        ("auto", True, True),
        ("auto", False, False),
        (True, False, True),
        (False, True, False),
    ],
)
def test_auto_asks_the_cluster(
    render: Callable[..., Rendering], section: str, enabled: object, *, operator: bool, there: bool
) -> None:
    """Made where the operator is, unless somebody decided."""
    made = render(least(**{section: {"enabled": enabled}}), operator=operator)
    boards = {"dashboards"} if len(made.all("ConfigMap")) > 1 else set()
    found = (made.kinds() | boards) & WITH_OPERATOR[section]
    assert bool(found) is there


def test_without_the_operator_nothing_of_it_is_made(render: Callable[..., Rendering]) -> None:
    """The defaults install on a cluster that knows only Kubernetes."""
    made = render(operator=False)
    assert [each["kind"] for each in made.objects if "coreos" in each["apiVersion"]] == []
    marks = made.one("Service")["metadata"].get("annotations", {})
    assert [key for key in marks if key.startswith("prometheus.io/")] == []
