"""Checks the scripts of the workflows and of the project with the linters made for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.running import run
from tests.packaging.workflows import FILES, RELEASE, ROOT


@pytest.fixture
def lint(actionlint: Path) -> Callable[..., str]:
    """Give what returns all that actionlint, with shellcheck, finds wrong in workflows."""

    def check(*paths: Path) -> str:
        command = (str(actionlint), "-no-color", "-oneline", *map(str, paths))
        done = run(*command)
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
    text = RELEASE.read_text(encoding="utf-8")
    assert good in text
    broken = tmp_path / "release.yml"
    broken.write_text(text.replace(good, bad, 1), encoding="utf-8")
    assert said in lint(broken)


@pytest.mark.program("shellcheck")
def test_shellcheck_finds_no_mistake(program_path: Callable[[str], str]) -> None:
    """The scripts of the project are as sound as those in the workflows."""
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    done = run(program_path("shellcheck"), *map(str, scripts))
    assert (done.returncode, done.stdout) == (0, "")
