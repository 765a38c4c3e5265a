from collections.abc import Callable
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import LEAST, SHARED, Rendering, least

STATE = "/var/lib/telnyx-sim-exporter"
CLAIM = "PersistentVolumeClaim"


@pytest.fixture
def persisted(render: Callable[..., Rendering]) -> Callable[..., Rendering]:
    """Give what renders the chart with settings of `persistence`."""

    def make(**section: Any) -> Rendering:
        return render(least(persistence=section))

    return make


def claim(rendering: Rendering) -> Json:
    """Give the spec of the chart's own claim."""
    spec: Json = rendering.one(CLAIM)["spec"]
    return spec


def test_the_state_is_on_the_charts_own_claim(persisted: Callable[..., Rendering]) -> None:
    """By default, and mounted where the configuration puts the state."""
    made = persisted()
    name = made.one(CLAIM)["metadata"]["name"]
    assert made.mounted_at(STATE)["persistentVolumeClaim"] == {"claimName": name}
    assert made.config["state"]["url"].startswith(f"sqlite:///{STATE}/")
    assert claim(made) == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("", {}, id="the-clusters-default"),
        pytest.param("-", {"storageClassName": ""}, id="none"),
        pytest.param("fast", {"storageClassName": "fast"}, id="named"),
    ],
)
def test_the_class_of_the_volume(
    persisted: Callable[..., Rendering], value: str, shown: Json
) -> None:
    """Left out, and said to be none, are two things to Kubernetes."""
    made = claim(persisted(storageClass=value))
    assert {key: made[key] for key in made if key == "storageClassName"} == shown


def test_the_claim_is_as_asked_for(persisted: Callable[..., Rendering]) -> None:
    """Size, modes, labels, annotations."""
    made = persisted(
        size="5Gi", accessModes=["ReadWriteOncePod"], labels={"a": "b"}, annotations={"c": "d"}
    )
    assert claim(made)["resources"]["requests"]["storage"] == "5Gi"
    assert claim(made)["accessModes"] == ["ReadWriteOncePod"]
    assert made.one(CLAIM)["metadata"]["labels"]["a"] == "b"
    assert made.one(CLAIM)["metadata"]["annotations"]["c"] == "d"


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        pytest.param({}, "keep", id="by-default"),
        pytest.param({"helm.sh/resource-policy": None}, None, id="unless-told"),
    ],
)
def test_the_claim_outlives_the_release(
    persisted: Callable[..., Rendering], policy: Json, kept: str | None
) -> None:
    """What was counted is not lost by an uninstall, or by an upgrade that needs it no more."""
    about = persisted(annotations=policy).one(CLAIM)["metadata"].get("annotations", {})
    assert about.get("helm.sh/resource-policy") == kept


def test_a_claim_of_the_user_is_used(persisted: Callable[..., Rendering]) -> None:
    """And none is made beside it."""
    made = persisted(existingClaim="mine")
    assert CLAIM not in made.kinds()
    assert made.mounted_at(STATE)["persistentVolumeClaim"] == {"claimName": "mine"}


def test_without_persistence_the_state_goes_with_the_pod(
    persisted: Callable[..., Rendering],
) -> None:
    """It still needs a place, as the root is read-only, and one with a bound."""
    made = persisted(enabled=False, size="200Mi")
    assert CLAIM not in made.kinds()
    assert made.mounted_at(STATE)["emptyDir"] == {"sizeLimit": "200Mi"}


@pytest.mark.parametrize("persistence", [{}, {"enabled": False}, {"existingClaim": "mine"}])
def test_with_a_database_there_is_no_volume(
    render: Callable[..., Rendering], persistence: Json
) -> None:
    """Nothing of the state is on the node, and no claim waits for a pod."""
    made = render(least(**SHARED, persistence=persistence))
    assert CLAIM not in made.kinds()
    assert STATE not in {mount["mountPath"] for mount in made.container["volumeMounts"]}
    assert "state" not in {volume["name"] for volume in made.pod["spec"]["volumes"]}


@pytest.mark.parametrize("replicas", [1, 3])
def test_with_a_database_the_new_pod_comes_first(
    render: Callable[..., Rendering], replicas: int
) -> None:
    """It is ready when it can take over, so that accounts wait for no start of a pod."""
    spec = render(least(**SHARED | {"replicas": replicas})).one("Deployment")["spec"]
    assert spec["replicas"] == replicas
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param(LEAST, "Recreate", id="claim"),
        pytest.param(least(persistence={"existingClaim": "mine"}), "Recreate", id="own-claim"),
        pytest.param(least(persistence={"enabled": False}), "RollingUpdate", id="none"),
        pytest.param(
            least(persistence={"enabled": False}, strategy={"type": "Recreate"}),
            "Recreate",
            id="asked-for",
        ),
    ],
)
def test_how_a_new_pod_takes_over(
    render: Callable[..., Rendering], values: Json, kind: str
) -> None:
    """Two pods cannot share the state, so the old one goes first where there is some."""
    assert render(values).one("Deployment")["spec"]["strategy"]["type"] == kind


def test_a_strategy_is_taken_whole(render: Callable[..., Rendering]) -> None:
    """With what belongs to it; Recreate knows nothing else."""
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    made = render(least(persistence={"enabled": False}, strategy=rolling))
    assert made.one("Deployment")["spec"]["strategy"] == rolling
    assert render().one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("replicas", [0, 1])
def test_replicas_are_as_asked_for(render: Callable[..., Rendering], replicas: int) -> None:
    """Zero too, which stops the exporter and keeps its state."""
    made = render(least(replicas=replicas))
    assert made.one("Deployment")["spec"]["replicas"] == replicas
    assert CLAIM in made.kinds()


def test_the_volume_belongs_to_the_exporters_user(render: Callable[..., Rendering]) -> None:
    """Which can write to it by its group, and is the one of the image."""
    context = render().pod["spec"]["securityContext"]
    assert context["fsGroup"] == context["runAsUser"] == context["runAsGroup"] == 65532


@pytest.mark.parametrize("persistent", [True, False])
def test_no_pod_can_fill_the_disk_of_its_node(
    render: Callable[..., Rendering], *, persistent: bool
) -> None:
    """What lies on the node has a size, and the containers ask for it and are held to it."""
    made = render(least(persistence={"enabled": persistent}))
    folders = {
        each["name"]: each["emptyDir"] for each in made.pod["spec"]["volumes"] if "emptyDir" in each
    }
    assert folders == {"tmp": {"sizeLimit": "64Mi"}} | (
        {} if persistent else {"state": {"sizeLimit": "1Gi"}}
    )
    assert made.container["resources"]["requests"]["ephemeral-storage"] == "128Mi"
    assert made.container["resources"]["limits"]["ephemeral-storage"] == "2Gi"  # state, /tmp, log
    for name, spec in made.pods():
        for each in spec["containers"]:
            sizes = [each["resources"][key] for key in ("requests", "limits")]
            assert all("ephemeral-storage" in size for size in sizes), name
