from collections.abc import Callable

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import JOB, NAMESPACE, SHARED, Rendering, least
from tests.packaging.chart.selection import takes

ON: Json = {
    **SHARED,
    "monitor": {"enabled": True},
    "networkPolicy": {"enabled": True},
}


OWN: Json = {"app.kubernetes.io/name": "mine", "app.kubernetes.io/instance": "mine"}


@pytest.fixture(
    params=[
        pytest.param({}, id="default"),
        pytest.param({"nameOverride": "telnyx"}, id="name"),
        pytest.param({"fullnameOverride": "same"}, id="fullname"),
        pytest.param({"commonLabels": OWN, "podLabels": OWN}, id="labels-that-are-the-selectors"),
    ]
)
def made(request: pytest.FixtureRequest, render: Callable[..., Rendering]) -> Rendering:
    """Give a rendering with everything that selects pods."""
    return render(least(**ON, **request.param))


@pytest.fixture
def others(render: Callable[..., Rendering]) -> list[Json]:
    """Give the labels of all pods in the namespace that belong to other releases."""
    releases = ("other", "sim", "sims2", f"sims-{JOB}")
    renderings = [render(least(**ON), release=each) for each in releases]
    return [each for rendering in renderings for each in labels_of_pods(rendering)]


def labels_of_pods(rendering: Rendering) -> list[Json]:
    """Give the labels of the exporter's pods, then those of the test's pod."""
    return [rendering.pod["metadata"]["labels"], rendering.test_pod["metadata"]["labels"]]


def selectors(rendering: Rendering) -> dict[str, Json]:
    """Give all that selects pods, by kind."""
    found = {
        "Deployment": rendering.one("Deployment")["spec"]["selector"],
        "Service": {"matchLabels": rendering.one("Service")["spec"]["selector"]},
        "PodDisruptionBudget": rendering.one("PodDisruptionBudget")["spec"]["selector"],
    }
    for each in rendering.all("NetworkPolicy"):
        found[f"NetworkPolicy {each['metadata']['name']}"] = each["spec"]["podSelector"]
    for constraint in rendering.pod["spec"].get("topologySpreadConstraints", []):
        found["topologySpreadConstraint"] = constraint["labelSelector"]
    return found


def test_exactly_the_exporters_pods_are_selected(made: Rendering, others: list[Json]) -> None:
    """Not the pod of the test, and no pod of another release, whatever they are called."""
    exporter, test = labels_of_pods(made)
    found = selectors(made)
    assert len(found) == 5
    for name, selector in found.items():
        assert takes(selector, exporter), name
        assert not takes(selector, test), name
        assert [each for each in others if takes(selector, each)] == [], name


def test_selectors_hold_only_what_never_changes(made: Rendering) -> None:
    """A version in them would make each upgrade fail, as they cannot be changed."""
    for name, selector in selectors(made).items():
        labels = selector["matchLabels"]
        allowed = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}
        assert labels.keys() <= allowed, name
        assert labels["app.kubernetes.io/instance"] == "sims", name


def test_the_name_in_selectors_follows_the_override(render: Callable[..., Rendering]) -> None:
    """What is asked for is what pods are found by."""
    made = render(least(nameOverride="telnyx"))
    assert made.one("Service")["spec"]["selector"]["app.kubernetes.io/name"] == "telnyx"


def test_a_spread_without_a_selector_gets_one(render: Callable[..., Rendering]) -> None:
    """Without it a constraint would count no pods; a selector that is given is kept."""
    bare = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    own = {"matchLabels": {"mine": "yes"}}
    made = render(least(topologySpreadConstraints=[bare, bare | {"labelSelector": own}]))
    first, second = made.pod["spec"]["topologySpreadConstraints"]
    assert takes(first.pop("labelSelector"), made.pod["metadata"]["labels"])
    assert first == bare
    assert second["labelSelector"] == own


def test_several_pods_are_spread_over_nodes(render: Callable[..., Rendering]) -> None:
    """As far as there are any, those of this version; one pod, or who says otherwise, is not."""
    made = render(least(**SHARED))
    (constraint,) = made.pod["spec"]["topologySpreadConstraints"]
    assert takes(constraint.pop("labelSelector"), made.pod["metadata"]["labels"])
    assert constraint == {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "matchLabelKeys": ["pod-template-hash"],
    }
    assert "topologySpreadConstraints" not in render().pod["spec"]
    own = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    asked = render(least(**SHARED, topologySpreadConstraints=[own]))
    assert [each["topologyKey"] for each in asked.pod["spec"]["topologySpreadConstraints"]] == [
        "zone"
    ]


def test_own_labels_do_not_reach_the_selectors(render: Callable[..., Rendering]) -> None:
    """Labels of the pods may come and go."""
    made = render(least(podLabels={"team": "sims"}, podAnnotations={"a/b": "c"}))
    assert made.pod["metadata"]["labels"]["team"] == "sims"
    assert made.pod["metadata"]["annotations"]["a/b"] == "c"
    assert "team" not in made.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert "team" not in made.one("Service")["spec"]["selector"]


def test_the_service_leads_to_the_port_that_the_exporter_listens_at(
    render: Callable[..., Rendering],
) -> None:
    """Whatever the Service's own port is."""
    values = least(config={"web": {"listen_address": "0.0.0.0:9999"}}, service={"port": 80})
    made = render(values)
    (port,) = made.one("Service")["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "http")
    assert made.container["ports"] == [{"name": "http", "containerPort": 9999, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("address", "port"),
    [
        (":10874", 10874),
        ("0.0.0.0:9999", 9999),
        ("[::]:8080", 8080),
        ("10.0.0.1:1234", 1234),
        (["0.0.0.0:9999", "10.0.0.1:1234"], 9999),
    ],
)
def test_the_pods_port_follows_the_configuration(
    render: Callable[..., Rendering], address: str | list[str], port: int
) -> None:
    """IPv4, IPv6, every address, and the first of several."""
    assert render(least(config={"web": {"listen_address": address}})).port == port


def test_the_service_shows_pods_that_are_not_ready(render: Callable[..., Rendering]) -> None:
    """An exporter whose key is refused has to be scraped, or nobody learns of it."""
    assert render().one("Service")["spec"]["publishNotReadyAddresses"] is True


def test_the_service_is_as_asked_for(render: Callable[..., Rendering]) -> None:
    """Type and labels."""
    made = render(least(service={"type": "LoadBalancer", "labels": {"x": "y"}})).one("Service")
    assert made["spec"]["type"] == "LoadBalancer"
    assert made["metadata"]["labels"]["x"] == "y"
    assert made["metadata"]["namespace"] == NAMESPACE


def test_a_budget_is_for_more_than_one_pod(render: Callable[..., Rendering]) -> None:
    """For one pod it would only block drains."""
    kind = "PodDisruptionBudget"
    assert kind not in render().kinds()
    assert kind not in render(least(replicas=0)).kinds()
    made = render(least(**SHARED)).one(kind)["spec"]
    assert made["maxUnavailable"] == 1
    assert made["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert kind not in render(least(**SHARED, podDisruptionBudget={"enabled": False})).kinds()
    half = least(**SHARED, podDisruptionBudget={"maxUnavailable": "50%"})
    assert render(half).one(kind)["spec"]["maxUnavailable"] == "50%"
