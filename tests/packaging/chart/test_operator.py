import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CI_FILES, OPERATOR, Rendering

pytestmark = pytest.mark.program("node", "npm")

SCRIPT = Path(__file__).with_name("operator.mjs")


@pytest.fixture(scope="module")
def problems(node: Callable[..., str]) -> Callable[[list[Json]], list[list[str]]]:
    """Give what lists the problems of each of some objects of the operator."""

    def check(objects: list[Json]) -> list[list[str]]:
        found: list[list[str]] = json.loads(node(SCRIPT, text=json.dumps(objects)))
        return found

    return check


def monitor(**spec: Any) -> Json:
    """Give a ServiceMonitor that is right, but for what is said."""
    endpoint = {"port": "http", "relabelings": [{"action": "replace", "targetLabel": "job"}]}
    return {
        "apiVersion": OPERATOR,
        "kind": "ServiceMonitor",
        "metadata": {"name": "x", "labels": {"release": "any"}, "annotations": {"a/b": "c"}},
        "spec": {"selector": {"matchLabels": {"any": "label"}}, "endpoints": [endpoint]} | spec,
    }


def test_the_operator_knows_every_field(
    render: Callable[..., Rendering], problems: Callable[[list[Json]], list[list[str]]]
) -> None:
    """All monitors and rules that any file of values makes are as its schemas say."""
    made = [
        each for file in CI_FILES for each in render(file).objects if each["apiVersion"] == OPERATOR
    ]
    assert {each["kind"] for each in made} == {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    found = problems(made)
    assert found == [[] for _ in made]


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        pytest.param(monitor(endpoints=[{"port": 1}]), "/spec/endpoints/0/port", id="type"),
        pytest.param(monitor(endpoints=[{"prot": "x"}]), "/spec/endpoints/0/prot", id="unknown"),
        pytest.param(monitor(endpoints=[{"scheme": "x"}]), "/spec/endpoints/0/scheme", id="enum"),
        pytest.param(monitor(endpoints=[{"interval": "1 s"}]), "/interval", id="pattern"),
        pytest.param(monitor(jobLable="x"), "/spec/jobLable", id="unknown-in-spec"),
        pytest.param(monitor() | {"extra": 1}, "/extra", id="unknown-at-the-top"),
        pytest.param(monitor() | {"spec": {"selector": {}}}, "/spec", id="missing"),
        pytest.param(
            {
                "apiVersion": OPERATOR,
                "kind": "PrometheusRule",
                "metadata": {"name": "x"},
                "spec": {
                    "groups": [{"name": "x", "rules": [{"alert": "x", "expr": "1", "f": ""}]}]
                },
            },
            "/spec/groups/0/rules/0/f",
            id="unknown-in-a-rule",
        ),
    ],
)
def test_a_mistake_is_seen(
    problems: Callable[[list[Json]], list[list[str]]], thing: Json, place: str
) -> None:
    """The schemas are strict, nested too, and let pass what is right."""
    right, wrong = problems([monitor(), thing])
    assert right == []
    assert any(place in text for text in wrong)
