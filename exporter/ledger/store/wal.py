"""SQLite's write-ahead log, kept small as far as readers of the database allow it.

It must not know tables, or fail a transaction because of disk usage alone.
"""

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

from sqlalchemy import Engine

from exporter.ledger.store.file_lock import StateObserver

KEPT = 4 * 1024 * 1024
"""Size in bytes above which the log is written back, and to which it is cut when begun anew."""

LARGE = 16 * 1024 * 1024
"""Size in bytes above which the log is truncated once it is written back."""

HELD = 64 * 1024 * 1024
"""Size in bytes above which a reader that holds it up is reported, and commits write it back."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 10.0
"""Seconds between two attempts to write back what a reader holds up: each costs more than that."""


class WriteAheadLog:
    """Writes the log of one database back into it when it has grown.

    That happens on a thread and a connection of its own: no commit waits for it, as it would where
    SQLite does so by itself, and longer where queries have held it up before.
    """

    def __init__(self, file: str, notices: StateObserver | None) -> None:
        """Store the parameters; ``notices`` is told that a reader holds up a large log."""
        self._file = file
        self._notices = notices
        self._held = self._reported = False
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._closing = Event()

    def open(self, file: Path) -> None:
        """Open a connection beside that of the owner. Raises the errors of SQLite."""
        connection = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA synchronous=FULL")  # the log is reused after it
            # Opens the log, too: later, the path may lead to another one.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write-back")
        self._closing.clear()

    def close(self) -> None:
        """Close that connection, once the attempt under way ended; it may be opened again."""
        self._closing.set()
        if self._thread is not None:
            self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._thread = self._running = None

    def committed(self, size: int) -> None:
        """Begin to write the log back if it has more than `KEPT` bytes, ``size`` after a commit."""
        if size <= KEPT or self._thread is None or self._connection is None:
            return
        if self._running is None or self._running.done():
            self._running = self._thread.submit(
                self._write_back, self._connection, truncated=size > LARGE
            )

    def report(self, size: int) -> None:
        """Report once that a reader holds up a log of ``size`` bytes, if one does.

        It is reported again if the log was smaller in between.
        """
        if size <= HELD:
            self._reported = False
        elif self._held and not self._reported and self._notices is not None:
            self._reported = True
            self._notices.state_log_large(self._file, size)

    def _write_back(self, connection: sqlite3.Connection, *, truncated: bool) -> None:
        """Write back the whole log, as soon as readers allow it: no commit waits for that."""
        pause = FIRST_PAUSE
        with suppress(sqlite3.Error):  # transactions that an error affects report it
            while True:
                _, size, written = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self._held = size != written
                if not self._held:
                    break
                if self._closing.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)
            if truncated:  # commits wait for it, but next to nothing is left to write back
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def write_back(engine: Engine) -> None:
    """Checkpoint the log into the open database and truncate it, as far as readers allow it.

    It is written to the open file, even if the path leads to another one now. Raises the errors of
    SQLite; the engine's connection does not wait for others any more.
    """
    driver = engine.raw_connection()
    try:
        cursor = driver.cursor()
        cursor.execute("PRAGMA busy_timeout=0")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        cursor.close()
    finally:
        driver.close()
