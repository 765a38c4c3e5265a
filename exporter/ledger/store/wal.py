"""SQLite's write-ahead log, kept small as far as readers of the database allow it.

It must not know tables, or fail a transaction because of disk usage alone.
"""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from math import inf
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from exporter.ledger.store.file_lock import StateObserver

KEPT = 4 * 1024 * 1024
"""Size in bytes above which the log is written back, and to which it is cut at its next reset."""

LARGE = 16 * 1024 * 1024
"""Size in bytes above which the log is truncated as soon as possible."""

HELD = 64 * 1024 * 1024
"""Size in bytes above which a reader that blocks truncation is reported."""

PAUSE = 10.0
"""Seconds between two attempts to truncate it: each one reads the whole log."""


class WriteAheadLog:
    """Writes the log of one database back into it when it has grown, and truncates it.

    That happens on a thread and a connection of its own: a commit does not wait for it, as it would
    where SQLite does so by itself. What queries hold up is made up for later.
    """

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
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None

    def open(self, file: Path) -> None:
        """Open a connection beside that of the owner. Raises the errors of SQLite."""
        connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous=FULL")  # the log is reused after it
            # Opens the log, too: later, the path may lead to another one.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write-back")

    def close(self) -> None:
        """Close that connection, once what is under way ended; it may be opened again."""
        if self._thread is not None:
            self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._thread = self._running = None

    def grown(self, size: int) -> None:
        """Begin to write the log back if it has more than `KEPT` bytes, ``size`` after a commit."""
        if size <= KEPT or self._thread is None or self._connection is None:
            return
        if self._running is None or self._running.done():
            self._running = self._thread.submit(_write_back, self._connection)

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
        if self._running is not None:  # would be taken for a reader
            self._running.result()
        try:
            held = not write_back(engine, self._busy_timeout_ms)
        except (SQLAlchemyError, sqlite3.Error):
            return
        if held and size > HELD and not self._reported and self._notices is not None:
            self._reported = True
            self._notices.state_log_large(self._file, size)


def _write_back(connection: sqlite3.Connection) -> None:
    """Write back what no reader holds up, without a wait for readers or writers."""
    with suppress(sqlite3.Error):  # transactions that an error affects report it
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


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
