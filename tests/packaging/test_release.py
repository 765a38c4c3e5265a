"""Checks what holds a release back: versions that differ, and changelogs that are not finished."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.running import run

ROOT = Path(__file__).parents[2]
NOTES = "First version.\n\n- It counts.\n"
CHART = "helm/telnyx-sim-exporter"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project that can be released as 1.2.3, with the chart 4.5.6."""
    for name, text in {
        "CHANGELOG.md": f"# Changelog\n\nWhat.\n\n## 1.2.3 (2030-01-31)\n\n{NOTES}\n"
        "## 1.2.2 (2030-01-01)\n\nOlder.\n",
        "exporter/version.py": '"""Version."""\n\n__version__ = "1.2.3"\n',
        f"{CHART}/Chart.yaml": 'apiVersion: v2\nversion: 4.5.6\nappVersion: "1.2.3"\n',
        f"{CHART}/CHANGELOG.md": "# Chart\n\n## 4.5.6 (2030-01-31)\n\nFirst.\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "release.py", tmp_path / "scripts")
    return tmp_path


def release(project: Path, *tag: str) -> subprocess.CompletedProcess[str]:
    """Run the check for a tag."""
    return run(sys.executable, str(project / "scripts" / "release.py"), *tag)


def test_notes_are_those_of_the_version(project: Path) -> None:
    """What is written is what the changelog says of the version, and no more."""
    done = release(project, "v1.2.3")
    assert (done.returncode, done.stdout, done.stderr) == (0, NOTES, "")


@pytest.mark.parametrize(
    ("file", "good", "bad", "said"),
    [
        pytest.param(
            "exporter/version.py", "1.2.3", "1.2.4", "version.py has version 1.2.4", id="code"
        ),
        pytest.param(
            f"{CHART}/Chart.yaml", '"1.2.3"', '"1.2.4"', "has version 1.2.4", id="app-version"
        ),
        pytest.param(f"{CHART}/Chart.yaml", "4.5.6", "4.5.7", "'## 4.5.7 (", id="chart"),
        pytest.param(
            "CHANGELOG.md",
            "## 1.2.3",
            "## 1.3.0 (2030-02-01)\n\nNewer.\n\n## 1.2.3",
            "release.py: CHANGELOG.md has 1.3.0 as first section, expected 1.2.3",
            id="older-line",
        ),
        pytest.param(
            "CHANGELOG.md",
            "## 1.2.3",
            "## Unreleased\n\n## 1.2.3",
            "has Unreleased as first section",
            id="more-to-come",
        ),
        pytest.param(
            f"{CHART}/CHANGELOG.md",
            "## 4.5.6",
            "## 4.6.0 (soon)\n\n## 4.5.6",
            "CHANGELOG.md has 4.6.0 as first section, expected 4.5.6",
            id="older-chart",
        ),
        pytest.param("CHANGELOG.md", "2030-01-31", "unreleased", "'## 1.2.3 (", id="no-date"),
        pytest.param("CHANGELOG.md", NOTES, "", "'## 1.2.3 (", id="no-text"),
        pytest.param(f"{CHART}/CHANGELOG.md", "2030-01-31", "soon", "'## 4.5.6 (", id="chart-date"),
    ],
)
def test_mistake_holds_it_back(project: Path, file: str, good: str, bad: str, said: str) -> None:
    """A place that does not fit is named, and no notes are written."""
    path = project / file
    text = path.read_text(encoding="utf-8")
    assert good in text
    path.write_text(text.replace(good, bad, 1), encoding="utf-8")
    done = release(project, "v1.2.3")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3rc1", "v1.2.3-1", "v1.2.3\n", ""])
def test_tag_has_a_form(project: Path, tag: str) -> None:
    """Only vMAJOR.MINOR.PATCH is released: what is pushed gets the tag `latest`."""
    done = release(project, tag)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage" in done.stderr


def test_this_project_is_understood() -> None:
    """The files are found, and say the version that they are of; only their dates may be open."""
    version = (ROOT / "exporter" / "version.py").read_text("utf-8").split('"')[-2]
    done = release(ROOT, f"v{version}")
    assert done.returncode in {0, 1}
    assert [line for line in done.stderr.splitlines() if "has no section" not in line] == []
    assert "'##  (" not in done.stderr
