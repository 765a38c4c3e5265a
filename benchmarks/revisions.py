"""A revision of the project in a folder of its own, and its benchmarks run there as processes.

Its own exporter is what they measure. It must not judge the figures.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, read

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0
"""Seconds that a benchmark may take to end the programs it started, once it is told to stop."""

LAST_LINES = 5

WHERE = "import benchmarks, exporter; print(benchmarks.__file__, exporter.__file__, sep='\\n')"


class RevisionError(Exception):
    """A revision cannot be had, or its benchmark gave no figures."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The files of one revision; its name says which."""

    name: str
    folder: Path

    def measure(self, benchmark: str) -> Mapping[str, Figure]:
        """Run a benchmark of this revision; raises RevisionError if it gives no figures."""
        found = self.folder.with_suffix(".json")
        found.unlink(missing_ok=True)
        code, output = self._python("-m", "benchmarks", benchmark, "--json", str(found))
        if not found.exists():  # where it does, 1 says that a bound was missed
            told = "\n".join(f"  {line}" for line in output.splitlines()[-LAST_LINES:])
            raise RevisionError(f"{benchmark} of {self.name}: no figures, exit code {code}\n{told}")
        return read(found)

    def check(self) -> None:
        """Raise RevisionError if Python would import other files than this revision's."""
        code, output = self._python("-c", WHERE)
        files = output.split()
        if code or not all(Path(each).is_relative_to(self.folder) for each in files):
            raise RevisionError(f"{self.name}: its own code is not what runs:\n{output}")

    def _python(self, *words: str) -> tuple[int, str]:
        """Run Python in the folder; returns its exit code and both its outputs.

        The folder comes first on its path then, before what is installed, the package in
        development included. It is in a group of its own: Ctrl-C reaches us, and it is told
        once, by us, and has the time to end what it started.
        """
        process = subprocess.Popen(  # noqa: S603 # the project's own programs
            [sys.executable, *words],
            cwd=self.folder,
            env=_environment("PYTHON"),  # some change what comes first on the path
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            text=True,
        )
        try:
            output, _ = process.communicate()
        except BaseException:
            _end(process)
            raise
        return process.returncode, output


@contextmanager
def check_out(revision: str | None, folder: Path) -> Iterator[Checkout]:
    """Put a revision into ``folder`` while the context lasts; None is the files as they are.

    Raises RevisionError if there is no such revision.
    """
    if revision is None:
        _copy(folder)
        checkout = Checkout("as is", folder)
        checkout.check()
        yield checkout
        return
    commit = _git("rev-parse", "--short", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    try:
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        checkout = Checkout(f"{revision} ({commit})", folder)
        checkout.check()
        yield checkout
    finally:
        if folder.exists():
            _git("worktree", "remove", "--force", "--force", str(folder))  # half made ones, too


def _copy(folder: Path) -> None:
    """Copy what git has or would take, as it is now: who edits on does not disturb the run."""
    for name in _git("ls-files", "-z", "-co", "--exclude-standard").split("\0"):
        source = ROOT / name
        if name and source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)


def _git(*words: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise RevisionError("git is not installed")
    run = subprocess.run(  # noqa: S603 # our own words
        [git, *words],
        cwd=ROOT,
        env=_environment("GIT_"),  # a hook's would name its own repository
        check=False,
        capture_output=True,
        process_group=0,  # Ctrl-C does not leave its work half done
        text=True,
    )
    if run.returncode:
        raise RevisionError(f"git {words[0]}: {run.stderr.strip()}")
    return run.stdout.strip()


def _environment(without: str) -> dict[str, str]:
    return {name: each for name, each in os.environ.items() if not name.startswith(without)}


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
