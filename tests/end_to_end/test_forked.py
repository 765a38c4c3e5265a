"""A forked program is as one that was started by a new interpreter."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Running
from tests.support.forking import Forked, ForkServer, new_fork_server

ANYWHERE = ("--web.listen-address", "127.0.0.1:0")
ENV = {"THE_VARIABLE": "set"}

Starter = Callable[..., Running]


@pytest.fixture
def both(start: Starter, command: Starter) -> tuple[Starter, Starter]:
    """Give a starter by a new interpreter, and one that forks."""

    def real(*words: str, **how: object) -> Running:
        return start(sys.executable, "-m", "exporter", *words, **how)

    return real, command


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("--version",), 0, id="good"),
        pytest.param(("run", "--nonsense"), 2, id="usage"),
        pytest.param(("check-config", "config.yaml"), 1, id="bad"),
    ],
)
def test_it_says_the_same(
    both: tuple[Starter, Starter], tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    """Its name, its output, its folder, its environment, its exit code."""
    (tmp_path / "config.yaml").write_text("poll: {interval: '${THE_VARIABLE}'}\n", encoding="utf-8")
    runs = [start(*words, env=ENV) for start in both]
    assert [each.ended() for each in runs] == [code, code]
    real, forked = runs
    assert isinstance(forked.process, Forked)
    assert (forked.out, forked.err) == (real.out, real.err)
    assert forked.out or forked.err


def kernel(pid: int) -> tuple[Counter[str], dict[str, str], Path]:
    """Return what the kernel knows: kinds of open files, signals and limits, the folder."""
    process = Path(f"/proc/{pid}")
    files = Counter(re.sub(r"\d+", "", str(each.readlink())) for each in process.glob("fd/*"))
    lines = (process / "status").read_text(encoding="ascii")
    status = dict(re.findall(r"^(Sig\w+|Threads|Umask|Uid):\t(.*)$", lines, re.MULTILINE))
    del status["SigQ"]  # of all processes of a user
    status["limits"] = (process / "limits").read_text(encoding="ascii")
    return files, status, (process / "cwd").readlink()


def test_it_has_the_same(both: tuple[Starter, Starter]) -> None:
    """Open files, signals, threads and limits are those of the program alone."""
    runs = [start("simulate", *ANYWHERE) for start in both]
    for each in runs:
        each.wait_for("base_url")
    real, forked = (kernel(each.process.pid) for each in runs)
    assert forked == real
    assert {"SigIgn", "SigCgt", "Threads"} <= set(forked[1])
    assert [each.end() for each in runs] == [0, 0]


def test_a_signal_ends_it(command: Starter) -> None:
    """The exit code tells of the signal, as that of any process."""
    running = command("simulate", *ANYWHERE)
    running.wait_for("base_url")
    assert running.process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0)
    assert running.end(signal.SIGKILL) == -signal.SIGKILL


def test_it_is_killed_with_the_server(tmp_path: Path) -> None:
    """Nothing is left of tests that were killed: the end of their socket is enough."""
    with new_fork_server() as server:
        running = server.start("simulate", *ANYWHERE, cwd=tmp_path, env=os.environ)
        assert running.stdout is not None
        assert running.stderr is not None
        with running.stdout, running.stderr:
            assert "base_url" in running.stdout.readline()
    assert running.wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("name", ["PYTHONIOENCODING", "LC_ALL", "LD_PRELOAD", "TZ"])
def test_what_is_read_at_the_start_needs_a_start(
    forks: ForkServer, tmp_path: Path, name: str
) -> None:
    """So does a folder with modules, which are imported before installed ones."""
    assert forks.serves(tmp_path, {**os.environ, **ENV})
    assert not forks.serves(tmp_path, {**os.environ, name: "other"})
    (tmp_path / "click.py").touch()
    assert not forks.serves(tmp_path, os.environ)
