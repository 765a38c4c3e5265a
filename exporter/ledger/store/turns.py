"""A lock that threads get in the order in which they asked for it.

With that of Python, one that asks again and again may keep the others waiting. It must not know
what it guards.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, get_ident


class Turns:
    """Lets one thread in at a time; for one that is in, to ask again raises RuntimeError."""

    def __init__(self) -> None:
        """Nobody is in."""
        self._changed = Condition()
        self._queue: deque[object] = deque()
        self._inside: int | None = None

    @contextmanager
    def turn(self, seconds: float | None = None) -> Iterator[None]:
        """Wait for a turn, and have it while the context lasts.

        Raises TimeoutError if it does not come within ``seconds``.
        """
        own = object()
        if self._inside == get_ident():
            raise RuntimeError("this thread has its turn already, and would wait for itself")
        with self._changed:
            self._queue.append(own)
            if not self._changed.wait_for(lambda: self._queue[0] is own, seconds):
                self._queue.remove(own)
                raise TimeoutError
            self._inside = get_ident()
        try:
            yield
        finally:
            with self._changed:
                self._inside = None
                self._queue.popleft()
                self._changed.notify_all()
