"""Opening the state database: SQLite with the settings that durability needs, and one owner.

It must not know tables. Every error of the database becomes a StateError at this boundary.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from exporter.errors import StateError
from exporter.ledger.schema import migrate

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for another reader or writer (a backup, say), in milliseconds."""


class Database:
    """The one connection to the state database, and the lock that says whose it is.

    Opened at first use and again after any error, so that it recovers when the disk does.
    For one thread at a time.
    """

    def __init__(self, url: str) -> None:
        """Keep the SQLAlchemy ``url``; nothing is opened yet. Raises StateError if unreadable."""
        try:
            parsed = make_url(url)
        except ArgumentError as exc:
            raise StateError(f"state.url: {exc}") from exc
        name = parsed.database
        self._url = url
        self._file = Path(name) if name and name != ":memory:" else None
        self._engine: Engine | None = None
        self._lock: IO[str] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run one transaction: committed at the end, rolled back on any error.

        Raises StateError; whatever is open is closed then, and opened again the next time.
        """
        try:
            with self._opened().begin() as connection:
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
            self.close()
            raise StateError(f"state database {self._name()}: {_first_line(exc)}") from exc
        except StateError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database and give up the lock; it may be opened again."""
        if self._engine is not None:
            with suppress(SQLAlchemyError, sqlite3.Error):
                self._engine.dispose()
            self._engine = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _opened(self) -> Engine:
        if self._engine is None:
            self._take_lock()
            engine = create_engine(
                self._url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            event.listen(engine, "connect", _set_up)
            event.listen(engine, "begin", _begin)
            self._engine = engine
            with engine.begin() as connection:
                migrate(connection)
        return self._engine

    def _take_lock(self) -> None:
        """Make sure that no other process counts into the same file: it would count twice."""
        if self._file is None or self._lock is not None:
            return
        path = self._file.with_name(self._file.name + ".lock")
        lock = path.open("w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise StateError(
                f"state database {self._name()} is in use by another process: stop that one, "
                "or give each its own state.url"
            ) from exc
        self._lock = lock

    def _name(self) -> str:
        return str(self._file) if self._file is not None else "in memory"


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    # Transactions are ours (`_begin`): the driver's own would leave table changes out of them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: what was committed survives a power loss, not only a crash of the process.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _first_line(exc: BaseException) -> str:
    """Return what the database said, without the statement and its parameters."""
    original = getattr(exc, "orig", None) or exc
    return str(original).partition("\n")[0] or type(original).__name__
