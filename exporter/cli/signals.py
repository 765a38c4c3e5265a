"""How a signal ends the program: in order if that can be had in time, else all the same.

A thread that hangs in the kernel cannot be broken off, so the process is what has to end. It must
not know what is stopped. Light, as the program needs it before it has loaded anything.
"""

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ORDERLY = 8.0
"""Seconds that an end in order may take: containers are given ten."""

LAST_WORD = 0.5
"""Seconds to say that it took too long; where the log hangs, it ends without."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping(ask: Callable[[int], None], tell: Callable[[float], None]) -> Iterator[None]:
    """Call ``ask`` with the first signal to stop that comes; a second one ends the process at once.

    ``ask`` runs between any two steps of the main thread, so it must only take note. If the process
    is still there after ORDERLY seconds, ``tell`` is called with them, on another thread, and the
    process ends with 1.
    """
    stop = _Stop(ask, tell)
    before = [(each, signal.signal(each, stop)) for each in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class _Stop:
    """A signal handler, and the thread that sees to it that the process ends."""

    def __init__(self, ask: Callable[[int], None], tell: Callable[[float], None]) -> None:
        self._ask = ask
        self._tell = tell
        self._asked = False
        # The one thing that a handler may use which is interrupted by another.
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        threading.Thread(target=self._watch, name="stopping", daemon=True).start()

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self._asked:
            os._exit(128 + number)
        self._asked = True
        self._signals.put(number)
        self._ask(number)

    def _watch(self) -> None:
        self._signals.get()
        threading.Event().wait(ORDERLY)
        word = threading.Thread(target=self._tell, args=(ORDERLY,), daemon=True)
        word.start()
        word.join(LAST_WORD)
        os._exit(1)
