"""Checks the workflows of GitHub: what they run is fixed, and they may do only what they need."""

import re
import subprocess
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
USES = re.compile(
    r"uses: (?P<action>\S+?)(?:@(?P<ref>\S+))?(?: +# (?P<version>.+))?$", re.MULTILINE
)
WRITERS = {
    "release/attest": {"attestations": "write", "id-token": "write"},
    "release/python": {"id-token": "write"},
    "release/image": {
        "attestations": "write",
        "contents": "read",
        "id-token": "write",
        "packages": "write",
    },
    "release/chart": {"id-token": "write", "packages": "write"},
    "release/release": {"contents": "write"},
}
"""The jobs that may write, and all that they may. A new right needs a reason in the commit."""

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))


def workflow(path: Path) -> dict[str, Any]:
    """Parse a workflow; YAML takes its key `on` for a truth."""
    parsed: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parsed


def jobs() -> dict[str, dict[str, Any]]:
    """Return all jobs by WORKFLOW/JOB."""
    return {
        f"{path.stem}/{name}": job for path in FILES for name, job in workflow(path)["jobs"].items()
    }


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return all steps, each with the name of its job."""
    return [(name, step) for name, job in jobs().items() for step in job.get("steps", [])]


def test_workflows_are_there() -> None:
    """The tests below have something to look at."""
    assert [path.stem for path in FILES] == ["audit", "release", "test"]


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
    """Images that a job runs are named by their digest."""
    images = [
        value
        for job in jobs().values()
        for value in job.get("env", {}).values()
        if value.startswith("docker.io/")
    ]
    assert images
    assert [each for each in images if not re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", each)] == []


@each_file
def test_workflow_may_only_read(path: Path) -> None:
    """What a job does not ask for itself, it may not do."""
    assert workflow(path)["permissions"] in ({}, {"contents": "read"})


def test_jobs_may_do_what_they_need() -> None:
    """A job that may write is known, with all that it may."""
    may = {name: job.get("permissions", {}) for name, job in jobs().items()}
    assert {name: rights for name, rights in may.items() if "write" in rights.values()} == WRITERS


@pytest.mark.parametrize("name", sorted(WRITERS.keys() - {"release/image"}))
def test_job_that_may_write_builds_nothing(name: str) -> None:
    """It takes what another job built, so that no dependency's code runs with its rights.

    The image is built where it is pushed from: in containers that do not get the rights.
    """
    job = jobs()[name]
    assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    script = "\n".join(step.get("run", "") for step in job["steps"])
    assert re.findall(r"\b(?:make|pip|python3?|npm|curl|wget)\b", script) == []


def test_scripts_hold_no_expression() -> None:
    """What comes from outside reaches a script by its environment, never as part of its text."""
    scripts = [step["run"] for _, step in steps() if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_checkouts_keep_no_token() -> None:
    """No later step finds the token in the checkout."""
    checkouts = [
        step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@each_file
def test_workflow_ends(path: Path) -> None:
    """No run goes on for hours, beside others of its kind, or past a failure in a pipe."""
    parsed = workflow(path)
    assert parsed["concurrency"]["group"]
    assert parsed["defaults"] == {"run": {"shell": "bash"}}
    own = [job for job in parsed["jobs"].values() if "uses" not in job]
    assert all(5 <= job["timeout-minutes"] <= 60 for job in own)


def test_release_waits_for_everything() -> None:
    """Nothing is published before the tests pass, and the release comes last."""
    parsed = workflow(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    needs = {
        name: {*([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", []))}
        for name, job in parsed.items()
    }
    assert needs.pop("test") == set()
    assert needs.pop("build") == {"test"}
    assert all("build" in each for each in needs.values())
    assert needs["release"] == parsed.keys() - {"test", "release"}


def test_make_targets_exist() -> None:
    """What the workflows run is there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    scripts = "\n".join(step.get("run", "") for _, step in steps())
    asked = {
        word for line in re.findall(r"^make (.+)$", scripts, re.MULTILINE) for word in line.split()
    }
    assert asked == {"audit", "dist", "sbom"}
    assert [
        each for each in asked if not re.search(rf"^{each}:.*## ", makefile, re.MULTILINE)
    ] == []
    for path in re.findall(r"^(?:python )?((?:\.ci|scripts)/\S+)", scripts, re.MULTILINE):
        assert (ROOT / path).is_file()


def test_every_python_is_tested() -> None:
    """The tests run with each Python that the package says it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    minor = re.compile(r"Programming Language :: Python :: (3\.\d+)")
    promised = [found[1] for each in project["classifiers"] if (found := minor.fullmatch(each))]
    assert jobs()["test/test"]["strategy"]["matrix"]["python"] == promised


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


@pytest.fixture
def lint(actionlint: Path) -> Callable[..., str]:
    """Give what returns all that actionlint, with shellcheck, finds wrong in workflows."""

    def check(*paths: Path) -> str:
        command = (str(actionlint), "-no-color", "-oneline", *map(str, paths))
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)  # noqa: S603 - fixed words
        return done.stdout + done.stderr

    return check


@pytest.mark.program("go", "shellcheck")
def test_actionlint_finds_no_mistake(lint: Callable[..., str]) -> None:
    """The workflows are well formed, and so are the scripts in them."""
    assert lint(*FILES) == ""


@pytest.mark.program("go", "shellcheck")
@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        pytest.param("timeout-minutes", "timeout-minute", "syntax-check", id="key"),
        pytest.param(
            "steps.check.outputs.epoch", "steps.chek.outputs.epoch", "expression", id="step"
        ),
        pytest.param("needs: build", "needs: built", "job-needs", id="job"),
        pytest.param('"image=$BUILDKIT"', "image=$BUILDKIT", "shellcheck", id="script"),
        pytest.param("mkdir -p build", "echo ${{ github.head_ref }}", "untrusted", id="injection"),
    ],
)
def test_actionlint_finds_a_mistake(
    lint: Callable[..., str], tmp_path: Path, good: str, bad: str, said: str
) -> None:
    """The test above can fail, and shellcheck takes part in it."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert good in text
    broken = tmp_path / "release.yml"
    broken.write_text(text.replace(good, bad, 1), encoding="utf-8")
    assert said in lint(broken)


@pytest.mark.program("shellcheck")
def test_shellcheck_finds_no_mistake(program_path: Callable[[str], str]) -> None:
    """The scripts of the project are as sound as those in the workflows."""
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    command = (program_path("shellcheck"), *map(str, scripts))
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - fixed words
    assert (done.returncode, done.stdout) == (0, "")
