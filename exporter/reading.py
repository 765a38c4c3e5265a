"""Reads files that users provide, with limits on time, size and file type.

All configuration, key and certificate files are read here, because a pipe or an unreachable mount
would otherwise block the program forever. It must not know what a file is for.
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
"""Maximum size of a file; a bundle of all public CAs is a quarter of it."""

TIMEOUT = 2.0
"""Seconds that reading a file may take."""

SHORT_TIMEOUT = 0.5
"""The same while another call hangs: the files of one dead mount must not add up."""

RETRY_DELAY = 30.0
"""Seconds until a hanging call is retried; doubled after each further attempt."""


def read_file(path: str | Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file, at most ``max_bytes``.

    Raises ValueError with what is wrong and how to fix it; the text quotes no content. Takes some
    0.1 ms, at most TIMEOUT. A file that hangs is an error immediately until the call returns, or
    until it is time to check whether the path leads elsewhere now.
    """
    try:
        return with_timeout(str(path), lambda: _read(path, max_bytes))
    except OSError as exc:
        text = f"cannot be read ({exc.strerror}); check the path and permissions"
        if exc.errno == errno.ENXIO:  # of a socket
            text = _NOT_REGULAR
    # Raised here, so that the system's error does not become its context and is not shown.
    raise ValueError(text)


def with_timeout(
    name: str,
    call: Callable[[], T],
    timeout: float = TIMEOUT,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Return the result of ``call``, which may block; its errors are raised unchanged.

    Raises ValueError if it takes longer than ``timeout`` seconds. It cannot be interrupted: its
    thread continues until the call returns, and until then the same ``name`` is an error
    immediately, except for a retry after RETRY_DELAY, because a call on a replaced mount never
    returns. The thread does not prevent the process from exiting.
    """
    hanging = [each for each in threading.enumerate() if isinstance(each, _Call) and each.late]
    same = [each.began for each in hanging if each.what == name]
    if same and monotonic() < max(same) + RETRY_DELAY * 2 ** (len(same) - 1):
        raise ValueError(_NO_ANSWER)
    running = _Call(name, call, monotonic())
    try:
        running.start()
    except RuntimeError as exc:
        text = "cannot be read (no thread can be started); raise the limit on threads"
        raise ValueError(text) from exc
    running.join(min(SHORT_TIMEOUT, timeout) if hanging else timeout)
    if running.is_alive():
        running.late = True
        raise ValueError(_NO_ANSWER)
    if running.error is not None:
        raise running.error
    return running.results[0]


_NO_ANSWER = "cannot be read (it does not respond); check the disk or network mount"
_NOT_REGULAR = "is not a regular file; set it to one"


class _Call(threading.Thread, Generic[T]):
    """A call that may hang, on its own thread."""

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
        except Exception as exc:  # noqa: BLE001 - raised in the calling thread
            self.error = exc


def _read(path: str | Path, max_bytes: int) -> bytes:
    # Without O_NONBLOCK, opening a pipe without a writer would block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(_NOT_REGULAR)
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"is longer than {max_bytes} bytes; check that it is the right file")
    return content
