"""Read a file that somebody else provides: bounded in time, in size and in kind.

Each configuration, key and certificate file is read here, as a pipe or an unreachable mount would
otherwise block the program for ever. It must not know what a file is for.
"""

import errno
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_BYTES = 1024 * 1024
"""The most that is read of a file; a bundle of all public authorities is a quarter of it."""

TIMEOUT = 2.0
"""Seconds that reading a file may take."""

SHORT_TIMEOUT = 0.5
"""The same while another call hangs: the files of one dead mount must not add up."""

RETRY_DELAY = 30.0
"""Seconds until a call that hangs is tried again; doubled after each further attempt."""


def read_file(path: str | Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file, at most ``max_bytes``.

    Raises ValueError with what is wrong and how to fix it; the text quotes no content. Takes some
    0.1 ms, at most TIMEOUT; a file that hangs is an error at once until it answers, or until it is
    time to check whether the path leads elsewhere by now.
    """
    try:
        return with_timeout(str(path), lambda: _read(path, max_bytes))
    except OSError as exc:
        text = f"cannot be read ({exc.strerror}); check the path and permissions"
        if exc.errno == errno.ENXIO:  # of a socket
            text = _NOT_REGULAR
    # Raised here: the system's error would become its context, and be shown with it.
    raise ValueError(text)


def with_timeout(
    name: str,
    call: Callable[[], T],
    timeout: float = TIMEOUT,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Return the result of ``call``, which may block; its errors come out as they are.

    Raises ValueError if it takes longer than ``timeout`` seconds. It cannot be interrupted: its
    thread stays until it ends by itself, and until then the same ``name`` is an error at once,
    except for a new attempt after RETRY_DELAY, as a mount that was replaced never lets the thread
    go. The thread does not keep the process from ending.
    """
    hanging = [each for each in threading.enumerate() if isinstance(each, _Call) and each.late]
    same = [each.began for each in hanging if each.what == name]
    if same and monotonic() < max(same) + RETRY_DELAY * 2 ** (len(same) - 1):
        raise ValueError(_NO_ANSWER)
    running = _Call(name, call, monotonic())
    try:
        running.start()
    except RuntimeError as exc:
        text = "cannot be read (no thread can be started); raise the limit of threads"
        raise ValueError(text) from exc
    running.join(min(SHORT_TIMEOUT, timeout) if hanging else timeout)
    if running.is_alive():
        running.late = True
        raise ValueError(_NO_ANSWER)
    if running.error is not None:
        raise running.error
    return running.results[0]


_NO_ANSWER = "cannot be read (it does not answer); check its disk or network mount"
_NOT_REGULAR = "is not a regular file; name one"


class _Call(threading.Thread, Generic[T]):
    """A call that may hang, on a thread of its own."""

    def __init__(self, what: str, call: Callable[[], T], began: float) -> None:
        super().__init__(name=f"reading {what}", daemon=True)
        self.what = what
        self.began = began
        self.late = False
        self.results: list[T] = []
        self.error: Exception | None = None
        self._call = call

    def run(self) -> None:
        try:
            self.results.append(self._call())
        except Exception as exc:  # noqa: BLE001 - raised where it was asked for
            self.error = exc


def _read(path: str | Path, max_bytes: int) -> bytes:
    # Without O_NONBLOCK a pipe that nobody writes to would not even be opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(_NOT_REGULAR)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"is longer than {max_bytes} bytes; name another file")
    return content
