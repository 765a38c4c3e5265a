import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.packaging.chart.documents import Json
from tests.packaging.chart.helm import CHART, JOB, LEAST, Helm, Rendering, read_yaml

EVERYTHING = CHART / "ci" / "everything-values.yaml"


@pytest.fixture(scope="module")
def umbrella(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a chart that depends on ours, on a condition."""
    folder = tmp_path_factory.mktemp("umbrella")
    version = read_yaml(CHART / "Chart.yaml")["version"]
    dependency = {"name": JOB, "version": version, "condition": f"{JOB}.enabled"}
    chart = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0"}
    file = folder / "Chart.yaml"
    file.write_text(yaml.safe_dump(chart | {"dependencies": [dependency]}), encoding="utf-8")
    shutil.copytree(CHART, folder / "charts" / JOB)
    return folder


@pytest.mark.parametrize("values", [{}, LEAST, read_yaml(EVERYTHING)], ids=["", "least", "all"])
def test_nothing_is_made_where_it_is_off(render: Callable[..., Rendering], values: Json) -> None:
    """Neither an object nor a complaint about keys that are missing."""
    assert render(values | {"enabled": False}).objects == []


def test_the_notes_say_that_it_is_off(notes: Callable[..., str]) -> None:
    """They tell nobody to look at a pod that is not there."""
    said = notes({"enabled": False})
    assert "enabled" in said
    assert "kubectl" not in said


@pytest.mark.parametrize(("given", "made"), [({}, True), ({"enabled": False}, False)])
def test_the_condition_of_another_chart_goes_by_it(
    helm: Helm, umbrella: Path, *, given: Json, made: bool
) -> None:
    """Where it is left out, it is on."""
    rendering = helm.render({JOB: LEAST | given}, chart=umbrella)
    assert ("Deployment" in rendering.kinds()) == made
    assert made or rendering.objects == []
