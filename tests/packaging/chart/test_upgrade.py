from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.chart.documents import Json, parse_all
from tests.packaging.chart.helm import CHART, Rendering, read_yaml

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


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def versions(
    request: pytest.FixtureRequest, render: Callable[..., Rendering]
) -> tuple[list[Json], Rendering]:
    """Give what a released chart made of values, and what today's makes of them in an upgrade."""
    values: Path = request.param
    rendered = values.with_name(values.name.replace("-values.yaml", "-rendered.yaml"))
    return parse_all(rendered.read_text("utf-8")), render(values, "--is-upgrade")


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


def test_values_of_a_release_still_render(versions: tuple[list[Json], Rendering]) -> None:
    """The schema and the guards take what they took."""
    _, today = versions
    assert "Deployment" in today.kinds()


def test_nothing_changes_that_kubernetes_forbids(versions: tuple[list[Json], Rendering]) -> None:
    """Else `helm upgrade` fails, or asks to delete what holds the state."""
    before, today = versions
    now = {key(each): each for each in today.objects}
    kept = [each for each in before if key(each) in now and lasting(each) is not None]
    assert {"Deployment", "PersistentVolumeClaim"} <= {each["kind"] for each in kept}
    for each in kept:
        assert lasting(now[key(each)]) == lasting(each), key(each)


def test_names_stay(versions: tuple[list[Json], Rendering]) -> None:
    """What is renamed is deleted and made anew: the state, an address, a key would be gone."""
    before, today = versions
    names = {key(each) for each in before if each["kind"] in REPLACED_IF_RENAMED}
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
