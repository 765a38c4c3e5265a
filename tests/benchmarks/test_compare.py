import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from benchmarks.compare import middle, paired, table
from benchmarks.figures import Figure

PROGRAMS = Path(__file__).parents[2] / "benchmarks"
SHARED = ("__init__.py", "__main__.py", "compare.py", "figures.py", "revisions.py", "signals.py")

QUICK = """\
import exporter
from benchmarks.figures import Figure, Report

def measure():
    figures = [Figure(what, value, "x") for what, value in exporter.FIGURES.items()]
    return Report("Requests", "", tuple(figures))
"""

ENDLESS = """\
import time
from pathlib import Path

def measure():
    with Path({pipe!r}).open("w", buffering=1) as told:
        try:
            print("begun", file=told)
            for _ in range(600):
                time.sleep(0.1)
        finally:
            print("ended", file=told)
"""
"""It goes on for a minute, so that it goes away by itself where nobody ends it."""


BESIDE = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""As a script starts what runs beside it: SIGINT is ignored."""


class Project:
    """A small project of its own, in git, whose exporter is nothing but its figures."""

    def __init__(self, folder: Path, git: str) -> None:
        """Begin with an empty history, and the programs that compare."""
        self._folder = folder
        self._git_path = git
        for name in SHARED:
            self.write(f"benchmarks/{name}", (PROGRAMS / name).read_text())
        self._git("init", "--quiet")

    def write(self, name: str, text: str) -> None:
        """Write a file of the working tree."""
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self) -> None:
        """Make a revision of what was written."""
        self._git("add", "--all")
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        self._git(*identity, "commit", "--quiet", "--message=A revision")

    def start(self, *words: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        """Start a comparison of the benchmark `requests`, each side run once.

        ``before`` is a program that starts it.
        """
        command = ("-m", "benchmarks.compare", *words, "requests", "--rounds=1")
        return subprocess.Popen(  # noqa: S603 - our own program
            [*before, sys.executable, *command],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def compare(self, *words: str) -> tuple[int, str, str]:
        """Compare; returns the exit code and both outputs."""
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def worktrees(self) -> int:
        """Count the worktrees, the project itself included."""
        return len(self._git("worktree", "list").splitlines())

    def _git(self, *words: str) -> str:
        kept = {name: each for name, each in os.environ.items() if not name.startswith("GIT_")}
        run = subprocess.run(  # noqa: S603 - fixed by the callers
            [self._git_path, *words],
            cwd=self._folder,
            env=kept,
            check=True,
            capture_output=True,
            text=True,
        )
        return run.stdout


@pytest.fixture
def project(tmp_path: Path, program_path: Callable[[str], str]) -> Project:
    """Return a project with one revision, of which one poll takes ten requests."""
    found = Project(tmp_path / "project", program_path("git"))
    found.write("benchmarks/requests.py", QUICK)
    found.write("exporter/__init__.py", 'FIGURES = {"poll": 10}')
    found.commit()
    return found


def verdicts(before: Figure | None, after: Figure | None) -> tuple[bool, str]:
    """Compare one figure; returns whether that fails, and the last cell of its row."""
    pairs = paired(*({each.what: each} if each else {} for each in (before, after)))
    row = table(pairs, ("old", "new"))[-1]
    return pairs["a"].failed, row.split("|")[-2].strip()


@pytest.mark.parametrize(
    ("before", "after", "failed", "told"),
    [
        pytest.param(Figure("a", 10, "x"), Figure("a", 10, "x"), False, "same", id="same"),
        pytest.param(
            Figure("a", 10, "x"), Figure("a", 10.9, "x"), False, "worse by 9.0%", id="a-bit-worse"
        ),
        pytest.param(
            Figure("a", 3.0, "x"), Figure("a", 3.3, "x"), True, "**worse by 10.0%**", id="a-tenth"
        ),
        pytest.param(
            Figure("a", 10, "x"), Figure("a", 5, "x"), False, "better by 50.0%", id="better"
        ),
        pytest.param(
            Figure("a", 11, "x", least=5),
            Figure("a", 9, "x", least=5),
            True,
            "**worse by 22.2%**",
            id="less-where-more-is-wanted",
        ),
        pytest.param(
            Figure("a", 10, "s", steady=False),
            Figure("a", 30, "s", steady=False),
            False,
            "worse by 200.0%, not judged",
            id="not-steady",
        ),
        pytest.param(None, Figure("a", 10, "x"), False, "new", id="new"),
        pytest.param(Figure("a", 10, "x"), None, False, "gone", id="gone"),
    ],
)
def test_a_steady_figure_that_is_worse_by_a_tenth_fails(
    before: Figure | None, after: Figure | None, *, failed: bool, told: str
) -> None:
    """Less than a tenth, or what the machine's load may have done, is told and does not fail."""
    assert verdicts(before, after) == (failed, told)


def test_the_middle_of_the_rounds_counts() -> None:
    """One odd round moves nothing, and a figure that a round lacks has the others' median."""
    rounds = [
        {"a": Figure("a", 1, "x", most=3)},
        {"a": Figure("a", 90, "x", most=3), "b": Figure("b", 4, "s")},
        {"a": Figure("a", 2, "x", most=3), "b": Figure("b", 6, "s")},
    ]
    assert middle(rounds) == {"a": Figure("a", 2, "x", most=3), "b": Figure("b", 5, "s")}


@pytest.mark.program("git")
def test_each_revision_measures_its_own_exporter(project: Project) -> None:
    """Not the installed one, and of the newer side the files as they are, committed or not."""
    project.write("exporter/__init__.py", "from exporter.new import FIGURES")
    project.write("exporter/new.py", 'FIGURES = {"poll": 10.5, "scrape": 3}')
    code, out, err = project.compare("HEAD")
    assert code == 0, err
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines()]
    assert cells[0][2] == "as is"
    assert cells[2:] == [["poll", "10 x", "10.5 x", "worse by 5.0%"], ["scrape", "", "3 x", "new"]]
    assert project.worktrees() == 1


@pytest.mark.program("git")
def test_a_revision_that_is_worse_by_a_tenth_ends_with_1(project: Project) -> None:
    """Any two revisions can be compared, whatever the files are now."""
    project.write("exporter/__init__.py", 'FIGURES = {"poll": 11}')
    project.commit()
    project.write("exporter/__init__.py", 'FIGURES = {"poll": 99}')
    code, out, err = project.compare("HEAD~1", "--with=HEAD")
    assert (code, err.splitlines()[-1]) == (1, "worse by a tenth or more: poll")
    assert "11 x" in out
    assert project.worktrees() == 1


@pytest.mark.program("git")
def test_a_newer_revision_without_figures_ends_with_1(project: Project) -> None:
    """A benchmark that fails is not one that found nothing worse."""
    project.write("exporter/__init__.py", "FIGURES = None")
    code, out, err = project.compare("HEAD")
    assert code == 1
    assert "gone" in out
    assert "requests of as is: no figures, exit code 1" in err
    assert "AttributeError" in err


@pytest.mark.program("git")
def test_an_older_revision_without_the_benchmark_leaves_all_new(project: Project) -> None:
    """What cannot be compared is said so, and is no failure."""
    project.write("benchmarks/requests.py", "")
    project.commit()
    project.write("benchmarks/requests.py", QUICK)
    code, out, err = project.compare("HEAD")
    assert code == 0
    assert "new" in out
    assert "no figures" in err


@pytest.mark.program("git")
def test_a_revision_that_is_none_ends_with_2(project: Project) -> None:
    """A mistyped revision is told, and leaves nothing behind."""
    code, out, err = project.compare("HAED")
    assert (code, out) == (2, "")
    assert "git rev-parse" in err
    assert project.worktrees() == 1


@pytest.mark.program("git")
@pytest.mark.parametrize("before", [(), BESIDE], ids=["", "beside"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_comparison_that_is_stopped_leaves_nothing_behind(
    project: Project, tmp_path: Path, how: signal.Signals, before: Sequence[str]
) -> None:
    """The benchmark that runs is ended, and the worktree removed, before it returns."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    project.write("benchmarks/requests.py", ENDLESS.format(pipe=str(pipe)))
    project.commit()
    with project.start("HEAD", before=before) as process, pipe.open("rb", buffering=0) as told:
        begun = told.readline()
        process.send_signal(how)
        process.communicate(timeout=60)
        os.set_blocking(told.fileno(), False)
        rest = told.read()
    assert process.returncode == 128 + how
    assert (begun, rest) == (b"begun\n", b"ended\n")
    assert project.worktrees() == 1
