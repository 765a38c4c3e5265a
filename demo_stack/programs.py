"""Foreign programs and our own as processes on loopback: found, started, awaited, ended.

Each runs in a process group of its own, so that Ctrl-C reaches it only through its owner.
It must not know what the programs are for.
"""

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

PAUSE = 0.05
"""Seconds between two looks at a program that is starting."""

PATIENCE = 30.0
"""Seconds that a program may take to start."""

GRACE = 10.0
"""Seconds that a program may take to stop before it is killed."""


class StackError(Exception):
    """Something is not there, or does not start; the text is one line for the user."""


class StoppedError(Exception):
    """The user wants no more."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process with the file of its output."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    def wait_for(self, url: str, stop: threading.Event) -> None:
        """Wait until a GET of ``url`` is answered with 200.

        Raises StackError if the program ends or takes too long, StoppedError if ``stop`` is set.
        """
        end = time.monotonic() + PATIENCE
        with httpx.Client(trust_env=False, timeout=5) as http:
            while not _answers(http, url):
                self.check()
                if time.monotonic() > end:
                    raise StackError(f"{self.name} does not answer within {PATIENCE:g} s at {url}")
                if stop.wait(PAUSE):
                    raise StoppedError

    def check(self) -> None:
        """Raise StackError, with the last line of the output, if the program has ended."""
        code = self.process.poll()
        if code is not None:
            lines = self.output.read_text("utf-8", "replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "nothing")
            raise StackError(
                f"{self.name} ended by itself, with code {code}; it last said: {last.strip()}"
            )

    def end(self) -> None:
        """Ask the program to end, and kill it if it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, command: Sequence[str], folder: Path) -> Program:
    """Start a program in ``folder``, where its output goes too."""
    output = folder / f"{name}.log"
    with output.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own programs, Prometheus, Alertmanager
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    return Program(name, process, output)


def find(package: str, *names: str) -> str:
    """Return the path of a program by the names that it goes by; raises StackError."""
    path = next((path for name in names if (path := shutil.which(name))), None)
    if path is None:
        raise StackError(f"{names[0]} is missing; on Debian and Ubuntu: apt-get install {package}")
    return path


def claim(what: str, port: int) -> int:
    """Return ``port``, or a free one for 0; raises StackError if somebody listens there."""
    try:
        with socket.create_server(("127.0.0.1", port)) as found:
            return int(found.getsockname()[1])
    except OSError as exc:
        raise StackError(f"port {port}, for {what}, is taken: {exc.strerror}") from exc


def shown(*urls: str) -> str:
    """Return the first of several addresses at which there is a page, or else the first."""
    with httpx.Client(trust_env=False, timeout=5) as http:
        return next((url for url in urls if _answers(http, url)), urls[0])


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
