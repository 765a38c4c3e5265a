"""Our own programs as processes, each with its output in a file; it must not judge what they say.

Each runs in a process group of its own, so that Ctrl-C reaches them only through their owner.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE = 0.05
"""Seconds between two looks at an output."""

PATIENCE = 30.0
"""Seconds that a program may take to start, and to stop."""


class ProgramError(Exception):
    """A program did not do what the run cannot go on without."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process, and the file that holds both of its output streams."""

    process: subprocess.Popen[bytes]
    output: Path

    def find(self, pattern: str) -> str | None:
        """Return the first group of ``pattern`` in the output so far, None if it is not there."""
        found = re.search(pattern, self.output.read_text("utf-8", "replace"))
        return found[1] if found else None

    def wait_for(self, pattern: str, patience: float = PATIENCE) -> str:
        """Wait until ``pattern`` is in the output; returns its first group.

        Raises ProgramError if the program ends, or takes too long.
        """
        end = time.monotonic() + patience
        while (found := self.find(pattern)) is None:
            if self.process.poll() is not None:
                raise ProgramError(f"ended by itself:\n{self.output.read_text('utf-8', 'replace')}")
            if time.monotonic() > end:
                raise ProgramError(f"nothing like {pattern!r} in {self.output} in {patience:g} s")
            time.sleep(PAUSE)
        return found

    def end(self, how: signal.Signals) -> int:
        """End the process with a signal, or by force if it takes too long; returns its code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has taken, its threads included."""
    stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    # The name of the program, in parentheses, is the second field and may hold spaces.
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Return the bytes that a process holds in memory, libraries included."""
    pages = Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def start(*words: str, output: Path, env: Mapping[str, str] | None = None) -> Program:
    """Start our own program with these command line ``words``."""
    return run([sys.executable, "-m", "exporter", *words], output=output, env=env)


def run(command: Sequence[str], *, output: Path, env: Mapping[str, str] | None = None) -> Program:
    """Start any program."""
    with output.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 # those of a benchmark
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    return Program(process, output)
