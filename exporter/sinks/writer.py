"""Writes the lines of the log, on a thread of its own: whoever logs never waits for a reader.

It must not know what is in a line.
"""

import codecs
import os
import select
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TextIO

from exporter.errors import DeliveryError

LIMIT = 1024 * 1024
"""Characters of lines that may be dropped which wait at most; what comes then is dropped."""

ATOMIC = 4096
"""Bytes that a pipe takes as a whole or not at all, and without blocking once it has room."""

LOOK_MS = 100
"""How often a write that waits for a reader looks whether it is to end, in milliseconds."""


@dataclass(slots=True)
class _QueuedLines:
    """Lines to write; ``done`` is told when they are written, None where they may be dropped."""

    lines: Iterable[str | None]
    size: int = 0
    done: Future[None] | None = None


class LogWriter:
    """Writes lines to a stream in the order in which they come. For any thread."""

    def __init__(self, stream: TextIO, limit: int = LIMIT) -> None:
        """Begin to write to ``stream``; ``limit`` bounds the lines that may be dropped."""
        self._stream = stream
        self._descriptor = _descriptor(stream)
        # One for all lines: some encodings begin with a mark, once.
        encoder = codecs.getincrementalencoder(stream.encoding or "utf-8")
        self._encoder = encoder("backslashreplace")
        self._limit = limit
        self._queue: deque[_QueuedLines] = deque()
        self._size = 0
        self._dropped = 0
        self._changed = threading.Condition()
        self._given_up = False
        self._torn = False
        threading.Thread(target=self._run, name="log", daemon=True).start()

    @property
    def dropped(self) -> int:
        """How many lines were dropped, as the log was not read, or could not be written."""
        return self._dropped

    def write(self, line: str) -> None:
        """Write a line some time; it is dropped if too much waits, or if it cannot be written."""
        with self._changed:
            if self._size and self._size + len(line) > self._limit:
                self._dropped += 1
                return
            self._size += len(line)
            self._queue.append(_QueuedLines((line,), len(line)))
            self._changed.notify()

    def deliver(self, lines: Iterable[str | None]) -> Future[None]:
        """Write lines, and tell when that is done; None stands for one that is left out.

        They are taken from ``lines`` one by one, on the thread that writes. The future raises
        DeliveryError where the log cannot be written.
        """
        done: Future[None] = Future()
        with self._changed:
            self._queue.append(_QueuedLines(lines, done=done))
            self._changed.notify()
        return done

    def flush(self) -> Future[None]:
        """Tell when all that came before is written, or dropped."""
        return self.deliver(())

    def give_up(self) -> None:
        """Wait for no reader any more: what cannot be written at once fails, or is dropped."""
        self._given_up = True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                entry = self._queue.popleft()
                self._size -= entry.size
            self._take(entry)

    def _take(self, entry: _QueuedLines) -> None:
        if entry.done is not None and not entry.done.set_running_or_notify_cancel():
            return
        written = 0
        try:
            for line in entry.lines:
                if line is not None:
                    self._write(line)
                written += 1
        except Exception as exc:  # noqa: BLE001 - a defect in a line must not end the log
            if entry.done is None:
                with self._changed:
                    self._dropped += 1
            elif isinstance(exc, OSError):
                text = f"the log cannot be written: {exc.strerror or exc}"
                entry.done.set_exception(DeliveryError(text, delivered=written))
            else:
                entry.done.set_exception(exc)
        else:
            if entry.done is not None:
                entry.done.set_result(None)

    def _write(self, line: str) -> None:
        if self._descriptor is None:
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except ValueError as exc:
                raise OSError(str(exc)) from exc  # it is closed
            return
        # Half a line that could not be written to its end stays alone.
        text = self._encoder.encode(f"\n{line}\n" if self._torn else f"{line}\n")
        while text:
            self._await_reader(self._descriptor)
            try:
                # Past Python's own buffer: to flush it would wait for whoever writes.
                count = os.write(self._descriptor, text[:ATOMIC])
            except BlockingIOError:
                continue
            text = text[count:]
            self._torn = bool(text)

    def _await_reader(self, descriptor: int) -> None:
        """Wait until something can be written, or it is found out that nothing can."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        while not poll.poll(LOOK_MS):
            if self._given_up:
                raise OSError("nobody reads it")


def _descriptor(stream: TextIO) -> int | None:
    """Return the number of the file behind a stream, None where there is none."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
