"""SQLite's write-ahead log, kept small as far as readers of the database allow it.

It must not know tables, or fail a transaction because of disk usage alone.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from exporter.ledger.store.file_lock import StateObserver

KEPT = 4 * 1024 * 1024
"""Size in bytes above which the log is written back, and to which it is cut when begun anew."""

LARGE = 16 * 1024 * 1024
"""Size in bytes above which the log is truncated once it is written back."""

HELD = 64 * 1024 * 1024
"""Size in bytes above which a transaction waits for an attempt, and a reader is reported."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 10.0
"""Seconds between two attempts to write back what a reader holds up: each costs more than that."""


class WriteAheadLog:
    """Writes the log of one database back into it when it has grown.

    That happens on a thread and a connection of its own: no commit waits for it, as it would where
    SQLite does so by itself, and longer where queries have held it up before.

    Each attempt begins with commits that are in the log only, and nobody else writes it back
    meanwhile. Otherwise a commit may begin the log anew during an attempt, which SQLite before
    3.51.3 does not notice: it loses commits, or the database (sqlite.org/wal.html#walresetbug).
    """

    def __init__(self, file: str, busy_timeout_ms: int, notices: StateObserver | None) -> None:
        """Store the parameters; ``busy_timeout_ms`` is the usual timeout of the owner."""
        self._file = file
        self._busy_timeout_ms = busy_timeout_ms
        self._notices = notices
        self._held = self._reported = False
        self._connection: sqlite3.Connection | None = None
        self._thread: Thread | None = None
        self._attempt = Lock()
        self._closing = Event()

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

    def close(self) -> None:
        """Close that connection, once the attempt under way ended; it may be opened again."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._connection is not None:
            self._connection.close()
        self._connection = self._thread = None
        self._held = False
        self._closing.clear()

    def committed(self, size: int) -> None:
        """Begin to write the log back if it has more than `KEPT` bytes, ``size`` after a commit.

        Not if the last attempt ended after `keep_small`: it may have had this commit already.
        """
        if size > KEPT and self._connection is not None and self._thread is None:
            # A daemon: a reader that holds it up does not hold up the end of the process.
            thread = Thread(
                target=self._write_back, args=(self._connection,), name="write-back", daemon=True
            )
            with suppress(RuntimeError):  # too many threads: the next commit tries it again
                thread.start()
                self._thread = thread

    def keep_small(self, engine: Engine, size: int) -> None:
        """Truncate a large log of ``size`` bytes if it was written back; before each transaction.

        Reports once that a reader holds it up, and again if it was smaller in between. Errors of
        SQLite are left to the next attempt: transactions that they affect report them.
        """
        if size > HELD:  # commits without a pause are faster than what writes them back
            with self._attempt:
                pass
        if self._thread is not None and not self._thread.is_alive():
            self._thread = None
        if size <= HELD:
            self._reported = False
        elif self._held and not self._reported and self._notices is not None:
            self._reported = True
            self._notices.state_log_large(self._file, size)
        if size > LARGE and not self._held and self._thread is None:
            with suppress(SQLAlchemyError, sqlite3.Error):
                truncate(engine, self._busy_timeout_ms)

    def _write_back(self, connection: sqlite3.Connection) -> None:
        """Write back the whole log, as soon as readers allow it: no commit waits for that."""
        pause = FIRST_PAUSE
        with suppress(sqlite3.Error):  # transactions that an error affects report it
            while True:
                with self._attempt:
                    found = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                    self._held = found[1] != found[2]  # what it has, and what was written back
                if not self._held or self._closing.wait(pause):
                    return
                pause = min(2 * pause, LONGEST_PAUSE)


def truncate(engine: Engine, busy_timeout_ms: int = 0) -> None:
    """Checkpoint the log into the open database and truncate it, as far as readers allow it.

    It is written to the open file, even if the path leads to another one now. ``busy_timeout_ms``
    is the usual timeout of the connection. Raises the errors of SQLite.
    """
    driver = engine.raw_connection()
    try:
        cursor = driver.cursor()
        # Without waiting for readers, because polls would wait too.
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
            cursor.close()
    finally:
        driver.close()
