"""Checks the workflows of GitHub: what they run is fixed, is there, and comes to an end."""

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from tests.packaging.workflows import FILES, ROOT, jobs, keys, scripts, steps, workflow

USES = re.compile(
    r"uses: (?P<action>\S+?)(?:@(?P<ref>\S+))?(?: +# (?P<version>.+))?$", re.MULTILINE
)

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))


def test_workflows_are_there() -> None:
    """The tests below have something to look at."""
    assert [path.stem for path in FILES] == ["audit", "release", "test", "thorough"]


def test_actions_are_pinned() -> None:
    """Each action is named by a commit, with its version beside it, and the same one everywhere."""
    pins = defaultdict(set)
    for path in FILES:
        for use in USES.finditer(path.read_text(encoding="utf-8")):
            if not use["action"].startswith("./"):
                assert re.fullmatch(r"[0-9a-f]{40}", use["ref"] or ""), use[0]
                assert re.fullmatch(r"v\d+\.\d+\.\d+", use["version"] or ""), use[0]
                pins[use["action"]].add((use["ref"], use["version"]))
    assert pins
    assert {action: pin for action, pin in pins.items() if len(pin) > 1} == {}
    used = {step["uses"].partition("@")[0] for _, step in steps() if "uses" in step}
    assert used == pins.keys()


def test_images_are_pinned() -> None:
    """Images that a job runs are named by their digest, in the environment of the job alone."""
    ran = 0
    for name, job in jobs().items():
        images = {key: value for key, value in job.get("env", {}).items() if "docker.io/" in value}
        pinned = re.compile(r"docker\.io/[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
        assert [each for each in images.values() if not pinned.fullmatch(each)] == []
        text = "\n".join(script for at, script in scripts() if at == name)
        words = [
            *re.findall(r"\b(?:docker|podman) (?:run|pull|create)(?: --\S+)* (\S+)", text),
            *(each.replace("image=", "", 1) for each in re.findall(r"--driver-opt[ =](\S+)", text)),
            *(each.replace("generator=", "", 1) for each in re.findall(r"--sbom[ =](\S+)", text)),
        ]
        assert sorted(words) == sorted(f'"${each}"' for each in images), name
        ran += len(words)
    assert ran


def test_nothing_else_is_fetched() -> None:
    """Scripts ask over HTTP for nothing but what runs on the same machine."""
    asked = 0
    for name, script in scripts():
        fetches = re.findall(r"\b(?:curl|wget)\b[^|;&>\n]*", script)
        local = re.compile(r"curl(?: --(?:fail|silent|show-error))+ http://127\.0\.0\.1:\d+/\S* ?")
        assert [each for each in fetches if not local.fullmatch(each)] == [], name
        asked += len(fetches)
    assert asked


@each_file
def test_failure_is_a_failure(path: Path) -> None:
    """No job goes on after a failure, or runs in an image that the tests above do not see."""
    assert {"continue-on-error", "container", "services"} & {*keys(workflow(path))} == set()


@each_file
def test_workflow_ends(path: Path) -> None:
    """No run goes on for hours, beside others of its kind, or past a failure in a pipe."""
    parsed = workflow(path)
    assert parsed["concurrency"]["group"]
    assert parsed["defaults"] == {"run": {"shell": "bash"}}
    own = [job for job in parsed["jobs"].values() if "uses" not in job]
    assert all(5 <= job["timeout-minutes"] <= 60 for job in own)


def test_make_targets_exist() -> None:
    """What the workflows run is there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(script for _, script in scripts())
    asked = {
        word for line in re.findall(r"^make (.+)$", text, re.MULTILINE) for word in line.split()
    }
    asked -= {'RESOLUTION="$RESOLUTION"'}
    assert asked == {"audit", "dist", "sbom", "test-ranges", "test-thorough"}
    assert [
        each for each in asked if not re.search(rf"^{each}:.*## ", makefile, re.MULTILINE)
    ] == []
    for path in re.findall(r"^(?:python )?((?:\.ci|scripts)/\S+)", text, re.MULTILINE):
        assert (ROOT / path).is_file()


def test_every_python_is_tested() -> None:
    """The tests run with each Python that the package says it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    minor = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    promised = [found[1] for each in project["classifiers"] if (found := minor.fullmatch(each))]
    assert jobs()["test/test"]["strategy"]["matrix"]["python"] == promised


def test_both_ends_of_the_ranges_are_tested() -> None:
    """The wheel is tried with the newest versions that its bounds allow, and the oldest."""
    job = jobs()["test/ranges"]
    assert job["strategy"]["matrix"]["resolution"] == ["highest", "lowest-direct"]


def test_image_is_tested_as_root() -> None:
    """The job leaves out the tests that need root, and runs just these as root."""
    (without,) = [step for name, step in steps() if name == "test/test" and "env" in step]
    (as_root,) = [script for _, script in scripts() if "sudo" in script]
    assert without["run"] == ".ci/run"
    folder = without["env"]["PYTEST_ADDOPTS"].removeprefix("--ignore=")
    assert (ROOT / folder / "conftest.py").is_file()
    words = as_root.split()
    assert words[:4] == ["sudo", "env", '"PATH=$PATH"', "CI=true"]
    assert words[4:7] == [".venv/bin/python", "-m", "pytest"]
    assert [each for each in words[7:] if "/" in each] == [folder]


def test_dependabot_has_something_to_look_at() -> None:
    """Where it looks there is what it looks for, and what it leaves alone is held on purpose."""
    parsed = workflow(ROOT / ".github" / "dependabot.yml")
    files = {
        "github-actions": ".github/workflows",
        "docker": "Dockerfile",
        "docker-compose": "compose.yaml",
        "pip": "pyproject.toml",
    }
    updates = {each["package-ecosystem"]: each for each in parsed["updates"]}
    assert updates.keys() == files.keys()
    assert all((ROOT / each).exists() for each in files.values())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    pinned = {
        each.partition("==")[0] for each in project["dependency-groups"]["dev"] if "==" in each
    }
    assert {each["dependency-name"] for each in updates["pip"]["ignore"]} == pinned
