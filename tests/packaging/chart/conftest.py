"""What all tests of the chart share: helm, and the files that try its options."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.chart.helm import CHART, CI_FILES, LEAST, Helm, Rendering

_SHOW_NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  notes: {{ tpl (.Files.Get "NOTES.txt") . | toJson }}
"""
"""Helm shows notes where there is a cluster only, so they are rendered as an object."""


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give helm, which renders the same only once."""
    with_rules = tmp_path_factory.mktemp("with-rules") / CHART.name
    shutil.copytree(CHART, with_rules)
    for dashboard in (with_rules / "files" / "dashboards").iterdir():
        dashboard.write_text("{}", encoding="utf-8")
    light = tmp_path_factory.mktemp("light") / CHART.name
    shutil.copytree(with_rules, light)
    for rules in (light / "files" / "rules").iterdir():
        rules.write_text("groups: []\n", encoding="utf-8")
    return Helm(tmp_path_factory.mktemp("helm"), light, with_rules)


@pytest.fixture(scope="session")
def render(helm: Helm) -> Callable[..., Rendering]:
    """Give what renders the chart with some values."""
    return helm.render


@pytest.fixture(params=CI_FILES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def ci_file(request: pytest.FixtureRequest) -> Path:
    """Give each file of values that the chart is tried with."""
    path: Path = request.param
    return path


@pytest.fixture
def tried(ci_file: Path, render: Callable[..., Rendering]) -> Rendering:
    """Give the rendering of each file of values, where the Prometheus operator is."""
    return render(ci_file)


@pytest.fixture(scope="session")
def notes(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Give what shows the notes that helm prints after an installation."""
    copy = tmp_path_factory.mktemp("notes") / "chart"
    shutil.copytree(helm.with_rules, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates" / "notes.yaml").write_text(_SHOW_NOTES, encoding="utf-8")

    def show(values: Mapping[str, Any] | Path = LEAST, *, operator: bool = True) -> str:
        only = ("--show-only", "templates/notes.yaml")
        shown = helm.render(values, *only, operator=operator, chart=copy)
        return str(shown.one("ConfigMap")["data"]["notes"])

    return show
