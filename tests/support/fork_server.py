"""Runs our own program in processes forked from one that has imported all of it.

A program, not a module: its argument is the descriptor of a Unix socket. Each message is a JSON
object, with three descriptors for standard input, output and error, and one that gets the process
id and, when the process has ended, its exit code. The end of the socket ends all processes.
"""

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import exporter
import exporter.__main__

NUMBER = struct.Struct("i")
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What to run, in the form of the message, and its descriptors."""

    message: dict[str, Any]
    descriptors: list[int]


def main() -> None:
    """Serve; in a child, be what was asked for: it ends as the interpreter ends a program."""
    for found in pkgutil.walk_packages(exporter.__path__, "exporter."):
        import_module(found.name)
    # What a child must not inherit, if an import should ever leave it behind.
    assert threading.active_count() == 1
    assert tempfile.tempdir is None
    gc.collect()
    gc.freeze()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        become(request)
        exporter.__main__.main()


def serve(requests: socket.socket) -> Request | None:
    """Fork for each request; returns it in the child, and nothing at the end of the requests."""
    children: dict[int, tuple[int, int]] = {}  # by its descriptor: its id, and whom to tell
    while True:
        ready, _, _ = select.select([requests.fileno(), *children], (), ())
        for each in ready:
            if each in children:
                pid, teller = children.pop(each)
                tell(teller, ended(pid))
                os.close(teller)
                os.close(each)
                continue
            text, descriptors, _, _ = socket.recv_fds(requests, LARGEST, 4)
            if not text:
                for pid, teller in children.values():
                    os.kill(pid, signal.SIGKILL)
                    tell(teller, ended(pid))
                return None
            *streams, teller = descriptors
            pid = os.fork()
            if not pid:
                return Request(json.loads(text), streams)
            children[os.pidfd_open(pid)] = (pid, teller)
            tell(teller, pid)
            for stream in streams:
                os.close(stream)


def ended(pid: int) -> int:
    """Wait for the end of a child and return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def tell(teller: int, number: int) -> None:
    """Write a number, unless nobody wants to know it any more."""
    with suppress(BrokenPipeError):
        os.write(teller, NUMBER.pack(number))


def become(request: Request) -> None:
    """Give this process what a new one would have."""
    for number, descriptor in enumerate(request.descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.chdir(request.message["cwd"])
    os.environ.clear()
    os.environ.update(request.message["env"])
    # As `python -m exporter`: click names the program by its main module.
    main_module = sys.modules["__main__"] = exporter.__main__
    sys.path[0] = str(Path.cwd())
    sys.argv = [main_module.__file__, *request.message["words"]]
    sys.stdin = stream(0, "r", sys.stdin)
    sys.stdout = stream(1, "w", sys.stdout)
    sys.stderr = stream(2, "w", sys.stderr, buffering=1)


def stream(number: int, mode: str, like: Any, buffering: int = -1) -> Any:
    """Open a standard stream as the interpreter does, with what it chose at its own start."""
    return open(
        number,
        mode,
        buffering,
        encoding=like.encoding,
        errors=like.errors,
        newline="\n",
        closefd=False,
    )


if __name__ == "__main__":
    main()
