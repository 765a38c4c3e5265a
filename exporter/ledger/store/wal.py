"""SQLite's write-ahead log: kept small as far as those who read the database let it be.

It must not know tables, or fail a transaction for what only takes room.
"""

import sqlite3
from collections.abc import Callable
from math import inf

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from exporter.ledger.store.file_lock import StateObserver

KEPT = 4 * 1024 * 1024
"""Bytes that the log keeps when it is begun anew: it grows so far by itself where nobody reads."""

LARGE = 16 * 1024 * 1024
"""Bytes from which on it is emptied as soon as that can be."""

HELD = 64 * 1024 * 1024
"""Bytes from which on a reader that holds the log is told of."""

PAUSE = 10.0
"""Seconds between two attempts to empty it: each reads the whole of it."""


class WriteAheadLog:
    """Empties the write-ahead log of one database when it has grown."""

    def __init__(
        self,
        file: str,
        busy_timeout_ms: int,
        notices: StateObserver | None,
        monotonic: Callable[[], float],
    ) -> None:
        """Keep what to tell, and whom; ``busy_timeout_ms`` is what the connection waits else."""
        self._file = file
        self._busy_timeout_ms = busy_timeout_ms
        self._notices = notices
        self._monotonic = monotonic
        self._next = -inf
        self._told = False

    def keep_small(self, engine: Engine, size: int) -> None:
        """Empty the log of ``size`` bytes if it is large; not within a transaction.

        Tells once that a reader does not let it, and again when it was emptied in between.
        What SQLite refuses is left for the next attempt: a transaction that it concerns says so.
        """
        if size <= LARGE:
            self._told = False
            return
        now = self._monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        try:
            held = not write_back(engine, self._busy_timeout_ms)
        except (SQLAlchemyError, sqlite3.Error):
            return
        if held and size > HELD and not self._told and self._notices is not None:
            self._told = True
            self._notices.state_log_large(self._file, size)


def write_back(engine: Engine, busy_timeout_ms: int = 0) -> bool:
    """Write the log into the database that is open, and empty it; tells whether all of it went.

    It goes into that very file, also where its path names another by now. ``busy_timeout_ms`` is
    what the connection waits else. Raises what SQLite raises.
    """
    driver = engine.raw_connection()
    try:
        cursor = driver.cursor()
        # Readers are not waited for: polls would wait with it.
        cursor.execute("PRAGMA busy_timeout=0")
        try:
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
            cursor.close()
    finally:
        driver.close()
    return not busy
