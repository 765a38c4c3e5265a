"""Keep a library that logs the same again and again from filling the log.

It is not for what the exporter itself logs: each of its events counts.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SECONDS = 1.0
"""Time between two lines of the same."""

_MOST = 256
"""Kinds of lines that are told apart; of more, the one seen first is forgotten."""

_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")

_Kind = tuple[str, int, str]


@dataclass(slots=True)
class _Repeats:
    written_at: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """Lets one record a second of each kind through; a kind is logger, level and first line.

    Numbers in the line make no difference. The next record of the kind says in ``left_out`` how
    many were left out before it; where none comes, a record of its own does, at the next
    `write_overdue`.
    """

    def __init__(
        self,
        handler: logging.Handler,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Filter for ``handler``."""
        super().__init__()
        self._handler = handler
        self._monotonic = monotonic
        self._seen: OrderedDict[_Kind, _Repeats] = OrderedDict()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether ``record`` is to be written."""
        with self._lock:
            passes = self._passes(record, self._monotonic())
        self.write_overdue()
        return passes

    def write_overdue(self) -> None:
        """Write how many records were left out, of each kind of which none has followed."""
        with self._lock:
            overdue = list(self._overdue(self._monotonic()))
        for each in overdue:
            self._handler.acquire()
            try:
                self._handler.emit(each)
            finally:
                self._handler.release()

    def _passes(self, record: logging.LogRecord, now: float) -> bool:
        try:
            line = record.getMessage().partition("\n")[0]
        except Exception:  # noqa: BLE001 # the handler reports it; here it would reach the library
            line = str(record.msg)
        kind = record.name, record.levelno, _VARYING.sub("0", line)
        seen = self._seen.get(kind)
        if seen is not None and now - seen.written_at < SECONDS:
            seen.left_out += 1
            return False
        if seen is not None and seen.left_out:
            record.left_out = seen.left_out
        self._seen[kind] = _Repeats(now)
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        return True

    def _overdue(self, now: float) -> Iterator[logging.LogRecord]:
        for (name, level, line), seen in self._seen.items():
            if seen.left_out and now - seen.written_at >= SECONDS:
                record = logging.LogRecord(name, level, "", 0, line, None, None)
                record.left_out = seen.left_out
                seen.written_at, seen.left_out = now, 0
                yield record
