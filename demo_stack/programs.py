"""Starts and stops programs that listen on loopback, ours and others.

Each runs in a process group of its own, so that Ctrl-C does not reach it directly.
It must not know what the programs are for.
"""

import errno
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx

RETRY_INTERVAL = 0.05
"""Seconds between two attempts to reach a program that is starting."""

START_TIMEOUT = 30.0
"""Seconds that a program may take to start."""

STOP_TIMEOUT = 10.0
"""Seconds that a program may take to stop before it is killed."""


_FREE_PORTS = range(20_000, 30_000)
"""Where free ports are looked for: by default, no system gives these to who asks for any port."""

_given: set[int] = set()
"""Ports that were given already, and may not be listened on yet."""

LAST_LINES = 10
"""Lines of a program's output that are shown if it fails."""


class StackError(Exception):
    """A program is missing, does not start or exited; the text is for the user.

    It is one line, followed by the end of the program's output if there is one.
    """


class StoppedError(Exception):
    """The user stopped it."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process and the file with its output."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    def wait_for(self, url: str, stop: threading.Event) -> None:
        """Wait until a GET of ``url`` is answered with 200.

        Raises StackError if the program exits or takes too long, StoppedError if ``stop`` is set.
        """
        deadline = time.monotonic() + START_TIMEOUT
        with httpx.Client(trust_env=False, timeout=5) as http:
            while not _answers(http, url):
                self.check()
                if time.monotonic() > deadline:
                    self._fail(f"did not answer at {url} within {START_TIMEOUT:g} s")
                if stop.wait(RETRY_INTERVAL):
                    raise StoppedError

    def check(self) -> None:
        """Raise StackError if the program has exited."""
        code = self.process.poll()
        if code is not None:
            self._fail(f"exited with code {code}")

    def stop(self) -> None:
        """Stop the program; kill it if it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _fail(self, how: str) -> NoReturn:
        output = self.output.read_text("utf-8", "replace").splitlines()
        lines = [line for line in output if line.strip()][-LAST_LINES:]
        raise StackError("\n".join([f"{self.name} {how}; the end of its output:", *lines]))


def start(name: str, command: Sequence[str], folder: Path) -> Program:
    """Start a program in ``folder``, with its output in ``<name>.log`` there."""
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
    """Return the path of a program, by any of its ``names``.

    Raises StackError, which names the ``package``, if there is none.
    """
    path = next((path for name in names if (path := shutil.which(name))), None)
    if path is None:
        raise StackError(f"{names[0]} is missing; on Debian and Ubuntu: apt-get install {package}")
    return path


def free_port() -> int:
    """Return a port on loopback that nobody listens on, nor gets without having named it.

    Raises OSError if none is found.
    """
    left: list[int] = sorted({*_FREE_PORTS} - _given)
    for port in random.SystemRandom().sample(left, 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            _given.add(port)
            return port
    raise OSError(errno.EADDRINUSE, "no port is free")


def reserve_port(program: str, port: int, remedy: str = "") -> int:
    """Return ``port``, or a free one for 0.

    Raises StackError, which ends with the ``remedy``, if it is in use.
    """
    try:
        if port == 0:
            return free_port()
        with socket.create_server(("127.0.0.1", port)):
            return port
    except OSError as exc:
        message = f"port {port}, for {program}, is not available: {exc.strerror}"
        raise StackError(f"{message}; {remedy}" if remedy else message) from exc


def first_available(*urls: str) -> str:
    """Return the first URL that is answered with 200, or else the first."""
    with httpx.Client(trust_env=False, timeout=5) as http:
        return next((url for url in urls if _answers(http, url)), urls[0])


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
