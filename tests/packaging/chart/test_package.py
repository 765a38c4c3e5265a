import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.chart.helm import CHART, Helm, Rendering, read_yaml


@pytest.fixture(scope="module")
def archive(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the package that helm makes of the chart."""
    folder = tmp_path_factory.mktemp("package")
    helm.run("package", str(CHART), "--destination", str(folder))
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def packed(archive: Path) -> set[str]:
    """Give the names of the files in the package, below the chart's folder."""
    with tarfile.open(archive) as content:
        return {name.removeprefix(f"{CHART.name}/") for name in content.getnames()}


def test_the_package_has_the_charts_version(archive: Path) -> None:
    """Its name is what `helm push` takes for name and version."""
    assert archive.name == f"{CHART.name}-{read_yaml(CHART / 'Chart.yaml')['version']}.tgz"


def test_the_package_renders_the_same(archive: Path, render: Callable[..., Rendering]) -> None:
    """Nothing is missing in it that a template reads."""
    values = CHART / "ci" / "everything-values.yaml"
    assert render(values, chart=archive).text == render(values).text


def test_everything_of_use_is_in_it(packed: set[str]) -> None:
    """Rules, dashboards and the Alertmanager example too, for who unpacks it."""
    files = {
        str(path.relative_to(CHART)) for path in (CHART / "files").rglob("*") if path.is_file()
    }
    assert files | {"README.md", "values.yaml", "values.schema.json", "CHANGELOG.md"} <= packed


def test_nothing_else_is_in_it(packed: set[str]) -> None:
    """Neither what tries the chart nor what an editor leaves behind."""
    assert {name.split("/")[0] for name in packed} <= {
        ".helmignore",
        "CHANGELOG.md",
        "Chart.yaml",
        "LICENSE",
        "README.md",
        "files",
        "templates",
        "values.schema.json",
        "values.yaml",
    }
    assert [name for name in packed if name.endswith(("~", ".orig", ".swp", ".tgz"))] == []
