from collections.abc import Callable
from typing import Any

import pytest

from exporter.version import __version__
from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import Rendering, defaults, least

NAME = "telnyx-sim-exporter/telnyx-sim-exporter"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("values", "image"),
    [
        pytest.param({}, f"ghcr.io/{NAME}:{__version__}", id="default"),
        pytest.param({"image": {"tag": "1.2"}}, f"ghcr.io/{NAME}:1.2", id="tag"),
        pytest.param({"image": {"digest": DIGEST}}, f"ghcr.io/{NAME}@{DIGEST}", id="digest"),
        pytest.param(
            {"image": {"digest": DIGEST, "tag": "1.2"}}, f"ghcr.io/{NAME}@{DIGEST}", id="both"
        ),
        pytest.param(
            {"image": {"registry": "r.example.org:5000", "repository": "a/b"}},
            f"r.example.org:5000/a/b:{__version__}",
            id="registry",
        ),
        pytest.param(
            {"image": {"registry": "r.example.org"}, "global": {"imageRegistry": "g.example.org"}},
            f"g.example.org/{NAME}:{__version__}",
            id="global-registry",
        ),
        pytest.param({"image": {"registry": ""}}, f"{NAME}:{__version__}", id="no-registry"),
    ],
)
def test_where_the_image_comes_from(
    render: Callable[..., Rendering], values: Json, image: str
) -> None:
    """The exporter's pod and that of the test run the same image."""
    made = render(least(**values))
    assert made.container["image"] == image
    assert made.test_pod["spec"]["containers"][0]["image"] == image


def test_how_the_image_is_pulled(render: Callable[..., Rendering]) -> None:
    """Secrets of the umbrella chart and of this one, each once; none where none is given."""
    values = {
        "global": {"imagePullSecrets": ["all", "both"]},
        "image": {"pullSecrets": ["both", "own"], "pullPolicy": "Always"},
    }
    made = render(least(**values))
    for pod in (made.pod, made.test_pod):
        names = [each["name"] for each in pod["spec"]["imagePullSecrets"]]
        assert sorted(names) == ["all", "both", "own"]
        assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    assert "imagePullSecrets" not in render().pod["spec"]


SPEC: list[tuple[str, str, Any]] = [
    ("nodeSelector", "nodeSelector", {"disk": "ssd"}),
    ("tolerations", "tolerations", [{"key": "a", "operator": "Exists"}]),
    ("affinity", "affinity", {"nodeAffinity": {}}),
    ("priorityClassName", "priorityClassName", "high"),
    ("runtimeClassName", "runtimeClassName", "gvisor"),
    ("dnsPolicy", "dnsPolicy", "None"),
    ("dnsConfig", "dnsConfig", {"nameservers": ["10.0.0.1"]}),
    ("hostAliases", "hostAliases", [{"ip": "10.0.0.1", "hostnames": ["a"]}]),
    ("terminationGracePeriodSeconds", "terminationGracePeriodSeconds", 60),
    ("podSecurityContext", "securityContext", defaults()["podSecurityContext"] | {"fsGroup": 1}),
]


@pytest.mark.parametrize(("value", "field", "given"), SPEC, ids=[each[0] for each in SPEC])
def test_settings_of_the_pod_are_taken_over(
    render: Callable[..., Rendering], value: str, field: str, given: Any
) -> None:
    """As they stand; what is empty by default is left to Kubernetes."""
    assert render(least(**{value: given})).pod["spec"][field] == given
    if not defaults()[value]:
        assert field not in render().pod["spec"]


@pytest.mark.parametrize("field", ["nodeSelector", "tolerations"])
def test_the_test_runs_where_the_exporter_may(render: Callable[..., Rendering], field: str) -> None:
    """Nodes that are closed to one are closed to the other."""
    given = {each[0]: each[2] for each in SPEC}[field]
    made = render(least(**{field: given}))
    assert made.test_pod["spec"][field] == made.pod["spec"][field] == given


BOX: list[tuple[str, str, Any]] = [
    ("extraEnv", "env", {"name": "HTTPS_PROXY", "value": "http://proxy.example.org:3128"}),
    ("extraEnvFrom", "envFrom", {"secretRef": {"name": "more"}}),
    ("extraVolumeMounts", "volumeMounts", {"name": "ca", "mountPath": "/ca"}),
    ("extraArgs", "args", "--log.level=debug"),
]


@pytest.mark.parametrize(("value", "field", "given"), BOX, ids=[each[0] for each in BOX])
def test_settings_of_the_container_come_last(
    render: Callable[..., Rendering], value: str, field: str, given: Any
) -> None:
    """After the chart's own."""
    before = render().container.get(field, [])
    assert render(least(**{value: [given]})).container[field] == [*before, given]


def test_more_containers_and_volumes_stand_beside_the_exporters(
    render: Callable[..., Rendering],
) -> None:
    """The exporter's own stays the first, which is what `kubectl logs` shows."""
    box = {"name": "other", "image": "example.org/x:1"}
    volume: Json = {"name": "ca", "configMap": {"name": "ca"}}
    values = least(extraContainers=[box], extraInitContainers=[box], extraVolumes=[volume])
    made = render(values)
    before = render().pod["spec"]
    assert made.pod["spec"]["containers"] == [*before["containers"], box]
    assert made.pod["spec"]["initContainers"] == [box]
    assert made.pod["spec"]["volumes"] == [*before["volumes"], volume]
    assert "initContainers" not in before


def test_resources_and_context_of_the_container(render: Callable[..., Rendering]) -> None:
    """The measured defaults, and what replaces single ones of them."""
    assert render().container["resources"] == defaults()["resources"]
    assert render().container["securityContext"] == defaults()["securityContext"]
    made = render(least(resources={"limits": {"memory": "1Gi"}}))
    assert made.container["resources"]["limits"]["memory"] == "1Gi"
    assert made.container["resources"]["requests"] == defaults()["resources"]["requests"]


def test_openshift_chooses_the_user(render: Callable[..., Rendering]) -> None:
    """Null takes a default away, so that the cluster fills it in."""
    ids = ("runAsUser", "runAsGroup", "fsGroup")
    made = render(least(podSecurityContext=dict.fromkeys(ids)))
    assert made.pod["spec"]["securityContext"] == {
        key: value for key, value in defaults()["podSecurityContext"].items() if key not in ids
    }


@pytest.mark.parametrize(
    ("section", "made", "used"),
    [
        pytest.param({}, ["sims-telnyx-sim-exporter"], "sims-telnyx-sim-exporter", id="made"),
        pytest.param({"name": "mine"}, ["mine"], "mine", id="named"),
        pytest.param({"create": False, "name": "mine"}, [], "mine", id="existing"),
        pytest.param({"create": False}, [], "default", id="the-namespaces"),
    ],
)
def test_which_account_the_pod_runs_as(
    render: Callable[..., Rendering], section: Json, made: list[str], used: str
) -> None:
    """An own one, without rights, unless the user has another."""
    rendering = render(least(serviceAccount=section))
    assert [each["metadata"]["name"] for each in rendering.all("ServiceAccount")] == made
    assert rendering.pod["spec"].get("serviceAccountName", "default") == used


def test_more_resources_may_be_added(render: Callable[..., Rendering]) -> None:
    """As objects or as text; names of the release are filled in, in both."""
    thing = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "{{ .Release.Name }}-object"},
        "data": {"a": "b"},
    }
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-text\ndata: {}"
    names = {
        each["metadata"]["name"]
        for each in render(least(extraManifests=[thing, text])).all("ConfigMap")
    }
    assert {"sims-object", "sims-text"} <= names
