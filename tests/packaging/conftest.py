"""Install the tools that no Python package brings; it must not know what they are for.

They come from the registries of npm and Go, once: later runs find them in ``build``.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packaging.running import run

HERE = Path(__file__).parent
BUILD = Path(__file__).parents[2] / "build"
"""Ignored by git, and gone with `make clean`."""

FILES = ("package.json", "package-lock.json")
ACTIONLINT = "1.7.7"
"""The last that the Go of Debian 12 can build."""


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """Give a folder for one tool; the workers of pytest-xdist want it at the same time."""
    store = BUILD / name
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield store


@pytest.fixture(scope="session")
def npm_folder(program_path: Callable[[str], str]) -> Path:
    """Give a folder whose ``node_modules`` hold what the lock pins.

    A test that asks for it is marked ``program("node", "npm")``.
    """
    digest = hashlib.sha256(b"\0".join((HERE / name).read_bytes() for name in FILES)).hexdigest()
    with alone("npm") as store:
        folder = store / digest[:16]
        if not folder.is_dir():
            _install(program_path("npm"), folder)
    return folder


def _install(npm: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft = Path(scratch) / "draft"
        draft.mkdir()
        for name in FILES:
            shutil.copy(HERE / name, draft)
        command = (npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        done = run(*command, cwd=draft)
        assert done.returncode == 0, done.stdout + done.stderr
        draft.rename(folder)  # whole or not at all


@pytest.fixture(scope="session")
def actionlint(program_path: Callable[[str], str]) -> Path:
    """Give actionlint, which its makers publish as source alone.

    A test that asks for it is marked ``program("go")``; Go checks what it gets by its own sums.
    """
    with alone("go") as store:
        folder = store / ACTIONLINT
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=store) as scratch:
                package = f"github.com/rhysd/actionlint/cmd/actionlint@v{ACTIONLINT}"
                done = run(program_path("go"), "install", package, GOBIN=scratch)
                assert done.returncode == 0, done.stdout + done.stderr
                shutil.copytree(scratch, folder)
    return folder / "actionlint"


@pytest.fixture(scope="session")
def node(program_path: Callable[[str], str], npm_folder: Path) -> Callable[..., str]:
    """Give what runs a script of Node.js with the folder as its first argument.

    It has to succeed; what it prints comes back. Scripts import what is installed by its path
    below that folder, as they lie elsewhere themselves.
    """

    def run_script(script: Path, *arguments: str, text: str = "") -> str:
        command = (program_path("node"), str(script), str(npm_folder), *arguments)
        done = run(*command, text=text)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_script
