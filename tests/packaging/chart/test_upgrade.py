from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, LEAST, Rendering, least, read_yaml

RELEASED = Path(__file__).with_name("released")
CASES = sorted(RELEASED.glob("*/*-values.yaml"))
REPLACED_IF_RENAMED = {"Deployment", "Service", "PersistentVolumeClaim", "Secret"}
"""What users or the state hang on, so that another name would lose something."""


def key(thing: Json) -> tuple[str, str]:
    """Give what an object is known by."""
    return thing["kind"], thing["metadata"]["name"]


def lasting(thing: Json) -> Any:
    """Give what Kubernetes forbids to change of an object; None where all may change."""
    spec = thing.get("spec", {})
    match thing["kind"]:
        case "Deployment":
            return spec["selector"]
        case "PersistentVolumeClaim":
            return {name: value for name, value in spec.items() if name != "resources"}
        case "Service":
            return spec.get("clusterIP")
        case "ConfigMap" | "Secret":
            return thing.get("immutable"), thing.get("type")
        case _:
            return None


def where_the_state_is(rendering: Rendering) -> Json:
    """Give what the counters are found by: another of it, and they begin anew."""
    url = rendering.config["state"]["url"]
    mounts = rendering.container["volumeMounts"]
    return {
        "url": url,
        "accounts": [each.get("name") for each in rendering.config["accounts"]],
        "mounts": [each for each in mounts if each["name"] == "state"],
        "volume": rendering.volume("state"),
        "claims": [claimed(each) for each in rendering.all("PersistentVolumeClaim")],
    }


def claimed(claim: Json) -> Json:
    """Give a claim without what may change of it: size and labels."""
    about = {name: value for name, value in claim["metadata"].items() if name != "labels"}
    return {"metadata": about, "spec": lasting(claim)}


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def versions(
    request: pytest.FixtureRequest, render: Callable[..., Rendering]
) -> tuple[Rendering, Rendering]:
    """Give what a released chart made of values, and what today's makes of them in an upgrade."""
    values: Path = request.param
    rendered = values.with_name(values.name.replace("-values.yaml", "-rendered.yaml"))
    return Rendering(rendered.read_text("utf-8")), render(values, "--is-upgrade")


def test_each_release_is_kept_here() -> None:
    """The folder grows with each release of the chart: its version, and in it the rendering.

    `released/VERSION/NAME-values.yaml` are values as a user of that version has them, and
    `NAME-rendered.yaml` is what `helm template sims CHART --namespace fleet -f NAME-values.yaml`
    made of them. They are made anew as long as that version is not released, and never after, as
    clusters hold them then.
    """
    assert CASES
    assert {path.name.rpartition("-")[0] for path in RELEASED.glob("*/*.yaml")} == {
        "default",
        "everything",
    }
    current = read_yaml(CHART / "Chart.yaml")["version"]
    assert (RELEASED / current).is_dir(), "add what this version renders before it is released"


def test_values_of_a_release_still_render(versions: tuple[Rendering, Rendering]) -> None:
    """The schema and the guards take what they took."""
    _, today = versions
    assert "Deployment" in today.kinds()


def test_nothing_changes_that_kubernetes_forbids(versions: tuple[Rendering, Rendering]) -> None:
    """Else `helm upgrade` fails, or asks to delete what holds the state."""
    before, today = versions
    now = {key(each): each for each in today.objects}
    kept = [each for each in before.objects if key(each) in now and lasting(each) is not None]
    assert {"Deployment", "PersistentVolumeClaim"} <= {each["kind"] for each in kept}
    for each in kept:
        assert lasting(now[key(each)]) == lasting(each), key(each)


def test_the_state_stays(versions: tuple[Rendering, Rendering]) -> None:
    """It lies where it lay, and is kept under the same names."""
    before, today = versions
    assert where_the_state_is(today) == where_the_state_is(before)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            {"config": {"state": {"url": "sqlite:////var/lib/telnyx-sim-exporter/x.db"}}}, id="url"
        ),
        pytest.param({"config": {"accounts": [{"name": "default"}, {"name": "x"}]}}, id="account"),
        pytest.param({"persistence": {"existingClaim": "x"}}, id="claim"),
        pytest.param({"persistence": {"enabled": False}}, id="no-claim"),
        pytest.param({"persistence": {"annotations": {"a": "b"}}}, id="annotations"),
    ],
)
def test_a_move_of_the_state_is_seen(render: Callable[..., Rendering], change: Json) -> None:
    """What the test above compares, is what moves it; size and labels do not."""
    keys = {"keys": {"default": {"existingSecret": "x"}, "x": {"existingSecret": "x"}}}
    values = change | (keys if "accounts" in change.get("config", {}) else LEAST)
    assert where_the_state_is(render(values)) != where_the_state_is(render())
    same = least(persistence={"size": "5Gi", "labels": {"a": "b"}})
    assert where_the_state_is(render(same)) == where_the_state_is(render())


def test_names_stay(versions: tuple[Rendering, Rendering]) -> None:
    """What is renamed is deleted and made anew: the state, an address, a key would be gone."""
    before, today = versions
    names = {key(each) for each in before.objects if each["kind"] in REPLACED_IF_RENAMED}
    assert names
    assert names - {key(each) for each in today.objects} == set()


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        pytest.param("Deployment", {"selector": {"matchLabels": {"a": "b"}}}, id="selector"),
        pytest.param("PersistentVolumeClaim", {"storageClassName": "x"}, id="class"),
        pytest.param("PersistentVolumeClaim", {"accessModes": []}, id="modes"),
    ],
)
def test_a_forbidden_change_is_seen(
    render: Callable[..., Rendering], kind: str, change: Json
) -> None:
    """What the test above compares, is what may not change."""
    thing = render().one(kind)
    assert lasting(thing | {"spec": thing["spec"] | change}) != lasting(thing)


def test_a_volume_may_grow(render: Callable[..., Rendering]) -> None:
    """The size of a claim is the one thing that Kubernetes lets change."""
    claim = render().one("PersistentVolumeClaim")
    more = {"resources": {"requests": {"storage": "5Gi"}}}
    assert lasting(claim | {"spec": claim["spec"] | more}) == lasting(claim)
