"""Read a file that somebody else puts in place: bounded in time, in size and in kind.

Each configuration, key and certificate is read through here, as a pipe or a mount that is gone
would otherwise keep the program waiting for ever. It must not know what a file is for.
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

LARGEST = 1024 * 1024
"""Bytes of a file that are read at most; a bundle of all public authorities is a quarter of it."""

PATIENCE = 2.0
"""Seconds that one reading may take."""

IMPATIENCE = 0.5
"""Seconds that it may take while another hangs: files on one dead mount must not add up."""

AGAIN = 30.0
"""Seconds until what hangs is tried once more, and twice as many after each further attempt."""


def read_file(path: str | Path, largest: int = LARGEST) -> bytes:
    """Return what a regular file holds, ``largest`` bytes at most.

    Raises ValueError with what is wrong and how to mend it; the text quotes no content. Takes some
    0.1 ms, PATIENCE at most; a file that hangs is an error at once until it answers, or
    until it is time to look whether the path leads elsewhere by now.
    """
    try:
        return within(str(path), lambda: _read(path, largest))
    except OSError as exc:
        text = f"cannot be read ({exc.strerror}); check the path and permissions"
        if exc.errno == errno.ENXIO:  # of a socket
            text = _NO_FILE
    # Raised here: an error of the system would be dragged along, and shown with it.
    raise ValueError(text)


def within(
    name: str,
    call: Callable[[], T],
    patience: float = PATIENCE,
    monotonic: Callable[[], float] = time.monotonic,
) -> T:
    """Return what ``call`` does, which may block; its errors come out as they are.

    Raises ValueError if it takes longer than ``patience`` seconds. It cannot be broken off: the
    thread it runs on stays until it ends by itself, and until then the same ``name`` is an error at
    once, but for a new attempt after AGAIN: a mount that is replaced never lets the thread go. The
    thread does not keep the process from ending.
    """
    hanging = [each for each in threading.enumerate() if isinstance(each, _Call) and each.late]
    same = [each.began for each in hanging if each.what == name]
    if same and monotonic() < max(same) + AGAIN * 2 ** (len(same) - 1):
        raise ValueError(_NO_ANSWER)
    running = _Call(name, call, monotonic())
    try:
        running.start()
    except RuntimeError as exc:
        raise ValueError("cannot be read (no thread can be started); raise its limit") from exc
    running.join(min(IMPATIENCE, patience) if hanging else patience)
    if running.is_alive():
        running.late = True
        raise ValueError(_NO_ANSWER)
    if running.error is not None:
        raise running.error
    return running.results[0]


_NO_ANSWER = "cannot be read (it does not answer); check its disk or network mount"
_NO_FILE = "is not a regular file; name one"


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


def _read(path: str | Path, largest: int) -> bytes:
    # Without O_NONBLOCK a pipe that nobody writes to would not even be opened.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(_NO_FILE)
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"is longer than {largest} bytes; name another file")
    return content
