"""Stops the program on a signal: gracefully, or forcibly after a timeout.

A thread that hangs in the kernel cannot be interrupted, so the whole process exits. It must not
know what is stopped, and must import little, because it is needed before anything else is loaded.
"""

import asyncio
import os
import queue
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ORDERLY = 8.0
"""Seconds allowed for a graceful stop: containers are given ten."""

LAST_WORD = 0.5
"""Seconds allowed for logging that the stop is forced; the log may hang."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stopping(ask: Callable[[int], None], tell: Callable[[float], None]) -> Iterator[None]:
    """Call ``ask`` on the first SIGTERM or SIGINT; a second one ends the process at once.

    ``ask`` runs as a signal handler of the main thread, so it must only record the request. If the
    process is still running after ORDERLY seconds, ``tell`` is called with that number on another
    thread, and the process exits with 1.
    """
    stop = _Stop(ask, tell)
    before = [(each, signal.signal(each, stop)) for each in SIGNALS]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class _Stop:
    """A signal handler, and the thread that enforces the timeout."""

    def __init__(self, ask: Callable[[int], None], tell: Callable[[float], None]) -> None:
        self._ask = ask
        self._tell = tell
        self._asked = False
        # Reentrant, so it can be used in a signal handler that another signal interrupts.
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


@contextmanager
def on_signals(
    reload: Callable[[], Awaitable[object]] | None, on_forced: Callable[[float], None]
) -> Iterator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set; SIGHUP reloads if it can, or sets it too."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    reloads: set[asyncio.Future[object]] = set()

    def start_reload() -> None:
        if reload is None:  # closing the terminal stops the demo
            stop.set()
            return
        task = asyncio.ensure_future(reload())
        reloads.add(task)  # the loop only keeps weak references to tasks
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, start_reload)

    def ask(_: int) -> None:
        loop.call_soon_threadsafe(stop.set)

    with stopping(ask, on_forced):
        yield stop
