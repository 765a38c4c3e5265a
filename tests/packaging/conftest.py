"""Install the tools that no Python package brings; it must not know what they are for."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packaging.running import run
from tests.support.downloads import alone

ACTIONLINT = "1.7.7"
"""The last that the Go of Debian 12 can build."""


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
