from pathlib import Path

import pytest
import yaml

from exporter.version import __version__
from tests.packaging.chart.helm import CHART, CI_FILES, NAMESPACE, Helm, Rendering, read_yaml

SHOWN = {
    "default",
    "everything",
    "no-persistence",
    "openshift",
    "own-secret",
    "podmonitor",
    "several-accounts",
    "tls",
}
"""What there has to be a file of values for, at least."""


def test_files_of_values_show_each_case() -> None:
    """The cases that users ask for are tried, and each file says what it shows."""
    assert {path.name.removesuffix("-values.yaml") for path in CI_FILES} >= SHOWN
    assert [path.name for path in CI_FILES if not path.read_text("utf-8").startswith("# ")] == []


def test_lint_has_nothing_to_say(helm: Helm, ci_file: Path) -> None:
    """`helm lint --strict` is content, warnings count."""
    assert "1 chart(s) linted, 0 chart(s) failed" in helm.run(
        "lint", "--strict", str(CHART), "-f", str(ci_file)
    )


def test_something_is_rendered(tried: Rendering) -> None:
    """Every file of values gives whole objects, each told from the others."""
    named = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in tried.objects]
    assert {"Deployment", "Service", "ConfigMap"} <= {kind for _, kind, _ in named}
    assert len(set(named)) == len(named)


def test_objects_lie_in_a_namespace_that_was_asked_for(tried: Rendering) -> None:
    """Each names its namespace, so that `kubectl apply` of a rendering does the same as helm."""
    values = {"monitoring", "grafana", NAMESPACE}
    assert {each["metadata"].get("namespace") for each in tried.objects} <= values


def test_nothing_is_left_empty(tried: Rendering) -> None:
    """No key is there without a value: what a template forgot would look like that."""
    assert [place for each in tried.objects for place in nothing(each, (each["kind"],))] == []


def nothing(value: object, place: tuple[object, ...]) -> list[tuple[object, ...]]:
    """List the places of nulls."""
    if isinstance(value, dict):
        return [one for key, each in value.items() for one in nothing(each, (*place, key))]
    if isinstance(value, list):
        return [one for number, each in enumerate(value) for one in nothing(each, (*place, number))]
    return [place] if value is None else []


def test_the_chart_is_of_this_version() -> None:
    """The chart runs the exporter that it is released with, and its changelog has the version."""
    about = read_yaml(CHART / "Chart.yaml")
    assert (about["name"], about["type"], about["apiVersion"]) == (CHART.name, "application", "v2")
    assert about["appVersion"] == __version__
    assert f"\n## {about['version']}" in (CHART / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize(
    "annotation", ["category", "license", "links", "changes", "images", "prerelease"]
)
def test_artifact_hub_is_told(annotation: str) -> None:
    """The catalogue of charts finds what it shows, as text that parses."""
    annotations = read_yaml(CHART / "Chart.yaml")["annotations"]
    assert isinstance(annotations[f"artifacthub.io/{annotation}"], str)


def test_artifact_hub_is_told_the_truth() -> None:
    """Category, licence and image are the real ones."""
    about = read_yaml(CHART / "Chart.yaml")
    told = {key.partition("/")[2]: value for key, value in about["annotations"].items()}
    assert (told["category"], told["license"]) == ("monitoring-logging", "Apache-2.0")
    assert told["prerelease"] == "false"
    images = yaml.safe_load(told["images"])
    name = "ghcr.io/telnyx-sim-exporter/telnyx-sim-exporter"
    assert [each["image"] for each in images] == [f"{name}:{about['appVersion']}"]
    assert yaml.safe_load(told["changes"])
    assert all({"name", "url"} == each.keys() for each in yaml.safe_load(told["links"]))
