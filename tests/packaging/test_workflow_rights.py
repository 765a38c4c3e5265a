"""Checks the workflows of GitHub: each job may do only what it needs, and what it waits for."""

import re
import shutil
from pathlib import Path

import pytest

from tests.packaging.running import run
from tests.packaging.workflows import FILES, RELEASE, jobs, needs, scripts, steps, workflow

STARTS = {"push", "pull_request", "workflow_call", "schedule", "workflow_dispatch"}
"""None of them runs what strangers wrote with rights, or with what was set for the project."""

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


@each_file
def test_workflow_is_started_by_known_events(path: Path) -> None:
    """No event starts it that gives rights to the code of a pull request."""
    assert {*workflow(path)[True]} <= STARTS


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
    assert not any("checkout" in step.get("uses", "") for at, step in steps() if at == name)
    script = "\n".join(script for at, script in scripts() if at == name)
    assert re.findall(r"\b(?:make|pip|python3?|npm|curl|wget)\b", script) == []


def test_scripts_hold_no_expression() -> None:
    """What comes from outside reaches a script by its environment, never as part of its text."""
    found = scripts()
    assert found
    assert [script for _, script in found if "${{" in script] == []


def test_checkouts_keep_no_token() -> None:
    """No later step finds the token in the checkout."""
    checkouts = [
        step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_release_waits_for_everything() -> None:
    """Nothing is published before the tests pass, and the release comes last."""
    waits = needs(RELEASE)
    assert waits.pop("test") == set()
    assert waits.pop("build") == {"test"}
    assert all({"test", "build"} <= each for each in waits.values())
    assert waits["release"] == workflow(RELEASE)["jobs"].keys() - {"release"}


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_job_that_may_write_waits_for_a_review(name: str) -> None:
    """Who may push a tag cannot sign or publish alone: it waits for the environment `release`."""
    before = {name, *(f"release/{each}" for each in needs(RELEASE)[name.partition("/")[2]])}
    assert "release" in {jobs()[each].get("environment") for each in before}


def test_index_comes_after_what_can_be_repeated() -> None:
    """The package index trusts one environment, and is given what has been published elsewhere."""
    assert jobs()["release/python"]["environment"] == "pypi"
    assert needs(RELEASE)["python"] == {"test", "build", "attest", "image", "chart"}


@pytest.mark.program("git")
@pytest.mark.parametrize("merged", [True, False], ids=["main", "elsewhere"])
def test_tag_is_of_main(tmp_path: Path, *, merged: bool) -> None:
    """A commit that is not in main is not released, so no older line becomes `latest`."""
    (step,) = [step for name, step in steps() if "origin/main" in step.get("run", "")]
    (checkout,) = [
        each["with"]
        for name, each in steps()
        if name == "release/build" and "checkout" in each.get("uses", "")
    ]
    assert checkout["fetch-depth"] == 0
    bash, git = shutil.which("bash"), shutil.which("git")
    assert bash
    assert git

    def commit(message: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        words = (*who, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", message)
        done = run(git, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return run(git, "rev-parse", "HEAD", cwd=tmp_path).stdout.strip()

    run(git, "init", "--quiet", cwd=tmp_path)
    tagged = commit("First")
    main = tagged
    if merged:
        main = commit("Second")
    else:
        tagged = commit("Aside")
    run(git, "update-ref", "refs/remotes/origin/main", main, cwd=tmp_path)
    done = run(bash, "-e", "-c", step["run"], cwd=tmp_path, GITHUB_SHA=tagged)
    assert (done.returncode == 0, done.stderr) == (merged, "")
