"""SQLite's write-ahead log, kept small as far as readers of the database allow it.

It must not know tables, or fail a transaction because of disk usage alone.
"""

import sqlite3
from collections.abc import Callable
from math import inf

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from exporter.ledger.store.file_lock import StateObserver

KEPT = 4 * 1024 * 1024
"""Size in bytes of the log after a reset: without readers it grows to this size anyway."""

LARGE = 16 * 1024 * 1024
"""Size in bytes above which the log is truncated as soon as possible."""

HELD = 64 * 1024 * 1024
"""Size in bytes above which a reader that blocks truncation is reported."""

PAUSE = 10.0
"""Seconds between two attempts to truncate it: each one reads the whole log."""


class WriteAheadLog:
    """Truncates the write-ahead log of one database when it has grown."""

    def __init__(
        self,
        file: str,
        busy_timeout_ms: int,
        notices: StateObserver | None,
        monotonic: Callable[[], float],
    ) -> None:
        """Store the parameters; ``busy_timeout_ms`` is the usual timeout of the connection."""
        self._file = file
        self._busy_timeout_ms = busy_timeout_ms
        self._notices = notices
        self._monotonic = monotonic
        self._next = -inf
        self._reported = False

    def keep_small(self, engine: Engine, size: int) -> None:
        """Truncate the log of ``size`` bytes if it is large; not within a transaction.

        Reports once that a reader prevents it, and again if it was truncated in between. Errors of
        SQLite are left to the next attempt: transactions that they affect report them.
        """
        if size <= LARGE:
            self._reported = False
            return
        now = self._monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        try:
            held = not write_back(engine, self._busy_timeout_ms)
        except (SQLAlchemyError, sqlite3.Error):
            return
        if held and size > HELD and not self._reported and self._notices is not None:
            self._reported = True
            self._notices.state_log_large(self._file, size)


def write_back(engine: Engine, busy_timeout_ms: int = 0) -> bool:
    """Checkpoint the log into the open database and truncate it; returns whether that succeeded.

    It is written to the open file, even if the path leads to another one now. ``busy_timeout_ms``
    is the usual timeout of the connection. Raises the errors of SQLite.
    """
    driver = engine.raw_connection()
    try:
        cursor = driver.cursor()
        # Without waiting for readers, because polls would wait too.
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
            cursor.close()
    finally:
        driver.close()
    return not busy
