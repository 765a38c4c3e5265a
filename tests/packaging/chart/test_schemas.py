import copy
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import OPERATOR, Rendering
from tests.packaging.chart.kubernetes import KNOWN, problems, supported

VERSIONS = [f"{major}.{minor}" for major, minor in KNOWN]


@pytest.fixture(scope="module")
def service() -> Json:
    """Give an object that is right."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "labels": {"any": "label"}},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


@pytest.mark.parametrize("end", [0, 1], ids=["oldest", "newest"])
def test_kubernetes_knows_every_field(tried: Rendering, end: int) -> None:
    """The oldest and the newest Kubernetes take all objects, and no field is unknown to them."""
    version = supported()[end]
    own = [each for each in tried.objects if each["apiVersion"] != OPERATOR]
    assert own
    assert [text for each in own for text in problems(each, version)] == []


def test_only_kinds_with_a_schema_are_made(tried: Rendering) -> None:
    """Of the operator there are the three kinds that another test validates."""
    others = {each["kind"] for each in tried.objects if each["apiVersion"] == OPERATOR}
    assert others <= {"ServiceMonitor", "PodMonitor", "PrometheusRule"}


def test_versions_are_supported_from_the_bound_to_the_newest() -> None:
    """The chart's bound is a version that can be checked, and lies below the newest."""
    oldest, newest = supported()
    assert VERSIONS.index(oldest) < VERSIONS.index(newest) == len(VERSIONS) - 1


@pytest.mark.parametrize("end", [0, 1], ids=["oldest", "newest"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"spec": {"prots": []}}, "prots", id="unknown-field"),
        pytest.param({"spec": {"ports": {}}}, "ports", id="wrong-type"),
        pytest.param({"spec": {"ports": [{"name": "http"}]}}, "port", id="missing-field"),
        pytest.param({"metadata": {"labels": {"a": 1}}}, "labels.a", id="label-is-no-text"),
        pytest.param({"mode": "x"}, "mode", id="unknown-at-the-top"),
    ],
)
def test_a_mistake_is_seen(service: Json, end: int, change: Any, words: str) -> None:
    """The schemas are strict, nested too."""
    version = supported()[end]
    assert problems(service, version) == []
    assert any(words in text for text in problems(service | change, version))


def test_an_unknown_kind_is_no_success(service: Json) -> None:
    """What cannot be validated does not count as valid."""
    other = copy.deepcopy(service) | {"apiVersion": "example.org/v1", "kind": "Gadget"}
    with pytest.raises(KeyError):
        problems(other, supported()[1])
