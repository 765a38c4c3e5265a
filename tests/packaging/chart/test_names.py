import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CI_FILES, JOB, LEAST, NAMESPACE, Rendering, least

LONGEST = 53
"""The characters that helm allows a release."""

LONG = "a" * (LONGEST - 1)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A DNS label (RFC 1123), which a Service and the label of a pod's owner have to be."""

VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
FILES = {path.name.removesuffix("-values.yaml"): path for path in CI_FILES}
EVERY_KIND = ("everything", "own-secret", "podmonitor", "replicas")
"""The files of values that make all kinds, together."""


def names(rendering: Rendering) -> set[tuple[str, str, str]]:
    """Give the kind, the namespace and the name of everything that is made."""
    return {
        (each["kind"], each["metadata"].get("namespace", NAMESPACE), each["metadata"]["name"])
        for each in rendering.objects
    }


def without_extras(objects: list[Json]) -> list[Json]:
    """Leave out what the user brings, who names it too."""
    return [each for each in objects if "helm.sh/chart" in each["metadata"].get("labels", {})]


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(f"{LONG}a", f"{LONG}b", id="alike-but-for-the-end"),
        pytest.param("sims", "sims-telnyx-sim-exporter", id="named-like-a-resource"),
    ],
)
def test_two_releases_share_nothing(
    render: Callable[..., Rendering], name: str, one: str, other: str
) -> None:
    """In one namespace neither overwrites what the other has made."""
    first, second = (
        {(each["kind"], each["metadata"]["name"]) for each in without_extras(made.objects)}
        for made in (render(FILES[name], release=release) for release in (one, other))
    )
    named = {("ServiceAccount", "default")}  # of the user's choice, or nobody's
    assert first
    assert (first & second) - named == set()


def test_releases_of_one_name_meet_elsewhere(render: Callable[..., Rendering]) -> None:
    """Those of two namespaces whose monitors, rules and dashboards lie in a third."""
    away: Json = {"namespace": "monitoring"}
    values = least(monitor=away, prometheusRule=away, dashboards=away)
    first, second = (names(render(values, namespace=each)) for each in ("eu", "us"))
    assert {kind for kind, namespace, _ in first if namespace == "monitoring"} == {
        "ConfigMap",
        "PrometheusRule",
        "ServiceMonitor",
    }
    assert first & second == set()


def test_every_kind_is_looked_at(render: Callable[..., Rendering]) -> None:
    """The files above leave out no kind that another file makes."""
    looked_at = set.union(*(render(FILES[name]).kinds() for name in EVERY_KIND))
    assert set.union(*(render(file).kinds() for file in CI_FILES)) == looked_at


@pytest.mark.parametrize("release", ["a.b", "9", f"{LONG}a"])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(FILES["everything"], id="everything"),
        pytest.param(least(nameOverride="b" * 63), id="long-name"),
        pytest.param(least(fullnameOverride="c" * 63), id="long-fullname"),
        pytest.param(least(fullnameOverride="c" * 62 + "-d"), id="longer-fullname"),
    ],
)
def test_names_are_dns_labels(
    render: Callable[..., Rendering], release: str, values: Path | Json
) -> None:
    """However long the names are that they are made of, and so are the labels' values."""
    made = without_extras(render(values, release=release).objects)
    assert made
    given = [each["metadata"]["name"] for each in made]
    assert [name for name in given if not LABEL.fullmatch(name)] == []
    marks = [value for each in made for value in each["metadata"]["labels"].values()]
    assert [value for value in marks if not VALUE.fullmatch(str(value))] == []


def test_names_in_a_pod_are_dns_labels(tried: Rendering) -> None:
    """Containers and volumes are named by the same rule."""
    for _, pod in tried.pods():
        boxes = [*pod["containers"], *pod.get("initContainers", [])]
        given = [each["name"] for each in (*boxes, *pod.get("volumes", []))]
        assert [name for name in given if not LABEL.fullmatch(name)] == []
        assert len(set(given)) == len(given)


def test_kinds_have_names_of_their_own(render: Callable[..., Rendering]) -> None:
    """ConfigMap, Secret and the like are not mistaken for each other."""
    made = render({"keys": {"default": {"value": "KEY0"}}})
    holders = [
        {each["metadata"]["name"] for each in made.all(kind)} for kind in ("Secret", "ConfigMap")
    ]
    assert all(holders)
    assert [one & other for one, other in combinations(holders, 2)] == [set()]


def test_the_release_is_in_the_names(render: Callable[..., Rendering]) -> None:
    """Who lists objects sees what they belong to."""
    assert [
        name for _, _, name in names(render(release="blue")) if not name.startswith("blue")
    ] == []


@pytest.mark.parametrize(
    ("values", "release", "name"),
    [
        pytest.param(LEAST, "sims", f"sims-{JOB}", id="release-and-chart"),
        pytest.param(LEAST, JOB, JOB, id="release-named-like-the-chart"),
        pytest.param(least(nameOverride="telnyx"), "sims", "sims-telnyx", id="name"),
        pytest.param(least(fullnameOverride="telnyx"), "sims", "telnyx", id="fullname"),
    ],
)
def test_what_things_are_called(
    render: Callable[..., Rendering], values: Json, release: str, name: str
) -> None:
    """As most charts do it."""
    made = render(values, release=release)
    for kind in ("Deployment", "Service"):
        assert made.one(kind)["metadata"]["name"] == name


def test_everything_has_the_standard_labels(tried: Rendering) -> None:
    """Kubernetes' recommended labels are on all that the chart makes, and on the pods."""
    marks: list[dict[str, Any]] = [each["metadata"].get("labels", {}) for each in tried.objects]
    own = [each for each in marks if "helm.sh/chart" in each]
    assert len(own) > len(marks) / 2
    for each in own:
        assert each["app.kubernetes.io/instance"] == "sims"
        assert each["app.kubernetes.io/managed-by"] == "Helm"
        assert {f"app.kubernetes.io/{key}" for key in ("name", "version", "part-of")} <= each.keys()


def test_common_labels_and_annotations_are_on_everything(
    render: Callable[..., Rendering],
) -> None:
    """On all that is made, but not in what cannot be changed later."""
    mine = {"commonLabels": {"team": "sims"}, "commonAnnotations": {"example.org/team": "sims"}}
    made = render(least(**mine))
    for each in made.objects:
        assert each["metadata"]["labels"]["team"] == "sims", each["kind"]
        assert each["metadata"]["annotations"]["example.org/team"] == "sims", each["kind"]
    assert "team" not in made.one("Deployment")["spec"]["selector"]["matchLabels"]
    assert "team" not in made.one("Service")["spec"]["selector"]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("service", "Service"),
        ("serviceAccount", "ServiceAccount"),
        ("persistence", "PersistentVolumeClaim"),
        ("monitor", "ServiceMonitor"),
        ("prometheusRule", "PrometheusRule"),
    ],
)
def test_annotations_of_one_kind_stay_there(
    render: Callable[..., Rendering], section: str, kind: str
) -> None:
    """They stand beside the common ones, on that kind alone."""
    mine = {"commonAnnotations": {"both": "x"}, section: {"annotations": {"own": "y"}}}
    made = render(least(**mine))
    assert made.one(kind)["metadata"]["annotations"].items() >= {"both": "x", "own": "y"}.items()
    with_it = [each for each in made.objects if "own" in each["metadata"]["annotations"]]
    assert [each["kind"] for each in with_it] == [kind]
