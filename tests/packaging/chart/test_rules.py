import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, Rendering, least, read_yaml

FILES = CHART / "files" / "rules"
PLAIN = FILES / "telnyx-sim-exporter.rules.yaml"
OBJECTIVE = FILES / "telnyx-sim-exporter-objective.rules.yaml"
ALERT = "TelnyxSimCardProblems"


def groups(rendering: Rendering) -> list[Json]:
    """Give the groups of rules."""
    found: list[Json] = rendering.one("PrometheusRule")["spec"]["groups"]
    return found


def alerts(rendering: Rendering) -> dict[str, Json]:
    """Give the alerts by their names."""
    return {
        rule["alert"]: rule
        for group in groups(rendering)
        for rule in group["rules"]
        if "alert" in rule
    }


@pytest.fixture
def overridden(render: Callable[..., Rendering]) -> Callable[..., dict[str, Json]]:
    """Give the alerts where one is changed."""

    def alter(**change: Any) -> dict[str, Json]:
        return alerts(render(least(prometheusRule={"alerts": {ALERT: change}})))

    return alter


def test_the_rules_are_those_of_the_file(render: Callable[..., Rendering]) -> None:
    """Expressions, texts and order stay as they are where nothing is overridden."""
    assert groups(render()) == read_yaml(PLAIN)["groups"]


def test_the_objective_comes_after_them(render: Callable[..., Rendering]) -> None:
    """Its file is shipped where it is asked for, whole."""
    with_objective = render(least(prometheusRule={"objective": True}))
    assert groups(with_objective) == read_yaml(PLAIN)["groups"] + read_yaml(OBJECTIVE)["groups"]


def test_every_file_of_rules_is_shipped() -> None:
    """No file lies there that the chart forgets."""
    assert sorted(FILES.iterdir()) == sorted([PLAIN, OBJECTIVE])


def test_what_prometheus_fills_in_is_left_alone(render: Callable[..., Rendering]) -> None:
    """The chart's own templates do not eat those of the descriptions."""
    told = " ".join(str(each["annotations"]) for each in alerts(render()).values())
    assert "{{ $labels." in told
    assert "{{ $value" in told


@pytest.mark.program("promtool")
def test_promtool_takes_the_rendered_rules(
    render: Callable[..., Rendering], program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """With everything on and overridden, they are rules of Prometheus still."""
    change = {"for": "1h", "severity": "info", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    values = least(prometheusRule={"objective": True, "alerts": {ALERT: change}})
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(render(values).one("PrometheusRule")["spec"]), encoding="utf-8")
    command = (program_path("promtool"), "check", "rules", str(file))
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_disabled_alert_is_gone(
    render: Callable[..., Rendering], overridden: Callable[..., dict[str, Json]]
) -> None:
    """It alone; the others are as they were."""
    before = alerts(render())
    assert overridden(disabled=True) == {k: v for k, v in before.items() if k != ALERT}
    assert overridden(disabled=False) == before


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        pytest.param({"for": "1h"}, ("for",), "1h", id="for"),
        pytest.param({"severity": "info"}, ("labels", "severity"), "info", id="severity"),
        pytest.param({"labels": {"team": "sims"}}, ("labels", "team"), "sims", id="label"),
        pytest.param(
            {"labels": {"severity": "page"}}, ("labels", "severity"), "page", id="severity-as-label"
        ),
        pytest.param(
            {"annotations": {"runbook_url": "https://example.org/x"}},
            ("annotations", "runbook_url"),
            "https://example.org/x",
            id="annotation",
        ),
        pytest.param(
            {"annotations": {"note": "{{ $labels.account }}"}},
            ("annotations", "note"),
            "{{ $labels.account }}",
            id="annotation-that-prometheus-fills-in",
        ),
    ],
)
def test_one_thing_of_one_alert_changes(
    render: Callable[..., Rendering],
    overridden: Callable[..., dict[str, Json]],
    change: Json,
    path: tuple[str, ...],
    value: str,
) -> None:
    """What is overridden changes, and nothing else of it or of another alert."""
    expected = copy.deepcopy(alerts(render()))
    holder = expected[ALERT]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    assert overridden(**change) == expected


def test_a_group_without_rules_is_left_out(render: Callable[..., Rendering]) -> None:
    """Prometheus' operator is not given an empty group."""
    off = {
        rule["alert"]: {"disabled": True}
        for group in read_yaml(PLAIN)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    left = groups(render(least(prometheusRule={"alerts": off})))
    assert [each["name"] for each in left if not each["rules"]] == []
    expected = [
        {**each, "rules": [rule for rule in each["rules"] if "alert" not in rule]}
        for each in read_yaml(PLAIN)["groups"]
    ]
    assert left == [each for each in expected if each["rules"]]


def test_rules_lie_where_prometheus_looks(render: Callable[..., Rendering]) -> None:
    """Namespace, labels and annotations are the user's."""
    section = {"namespace": "monitoring", "labels": {"release": "x"}, "annotations": {"a/b": "c"}}
    about = render(least(prometheusRule=section)).one("PrometheusRule")["metadata"]
    assert about["namespace"] == "monitoring"
    assert about["labels"]["release"] == "x"
    assert about["annotations"]["a/b"] == "c"
