"""Starts our own program without importing it anew, which takes most of a second.

It must only do so where a new interpreter would make no difference.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

SERVER = Path(__file__).with_name("fork_server.py")
NUMBER = struct.Struct("i")
AT_START = ("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "OPENSSL_", "PSYCOPG_", "PYTHON", "TZ")
"""What variables begin with that the interpreter or a library reads when it is loaded."""


class Forked:
    """A process; as much of `subprocess.Popen` as tests use. Its output is text."""

    def __init__(
        self, words: tuple[str, ...], told: int, out: IO[str] | None, err: IO[str] | None
    ) -> None:
        """Take over its streams, and what tells of it: a pipe, as the fork server writes it."""
        self.args = words
        self.stdout, self.stderr = out, err
        self.returncode: int | None = None
        self._told = told
        self.pid = self._read()

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal, once it has ended."""
        if self.returncode is None and self._told_within(0):
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not self._told_within(timeout):
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _told_within(self, seconds: float | None) -> bool:
        poll = select.poll()  # takes any descriptor, unlike select
        poll.register(self._told, select.POLLIN)
        return bool(poll.poll(None if seconds is None else seconds * 1000))

    def _end(self) -> None:
        self.returncode = self._read()
        os.close(self._told)

    def _read(self) -> int:
        read = os.read(self._told, NUMBER.size)
        assert read, "the fork server has ended"
        return int(NUMBER.unpack(read)[0])


class ForkServer:
    """The process that has imported all of our program (`fork_server.py`)."""

    def __init__(self, requests: socket.socket) -> None:
        """Take over the socket that it reads."""
        self._requests = requests
        self._at_start = read_at_start(os.environ)

    def serves(self, cwd: Path, env: Mapping[str, str]) -> bool:
        """Tell whether a new interpreter would load the same, in the same way."""
        imported_first = (*cwd.glob("*.py"), *cwd.glob("*/__init__.py"))
        return not imported_first and read_at_start(env) == self._at_start

    def start(
        self,
        *words: str,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Forked:
        """Run ``python -m exporter`` with these words; standard input is empty.

        Environment and descriptors are as for `subprocess.Popen`.
        """
        assert self.serves(cwd, env)
        with ExitStack() as passed:

            def opened(opener: int) -> int:
                passed.callback(os.close, opener)
                return opener

            def output(where: int) -> tuple[int, IO[str] | None]:
                if where == subprocess.DEVNULL:
                    return opened(os.open(os.devnull, os.O_WRONLY)), None
                if where != subprocess.PIPE:
                    return where, None
                reading, writing = os.pipe()
                return opened(writing), os.fdopen(reading, encoding="utf-8")

            told, teller = os.pipe()
            out, out_read = output(stdout)
            err, err_read = output(stderr)
            streams = (opened(os.open(os.devnull, os.O_RDONLY)), out, err, opened(teller))
            message = {"words": words, "cwd": str(cwd), "env": dict(env)}
            socket.send_fds(self._requests, [json.dumps(message).encode()], streams)
        return Forked(words, told, out_read, err_read)


def read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a process reads only when it is loaded."""
    return {name: value for name, value in env.items() if name.startswith(AT_START)}


@contextmanager
def new_fork_server() -> Iterator[ForkServer]:
    """Run a fork server; all that it has started is killed in the end, or if this process ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = (sys.executable, str(SERVER), str(theirs.fileno()))
        server = subprocess.Popen(  # noqa: S603 # our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is for the tests
        )
    try:
        with ours:
            yield ForkServer(ours)
    finally:
        server.wait(30)
