"""Opening the state database: SQLite with the settings that durability needs, and one owner.

It must not know tables. Every error of the database becomes a StateError at this boundary.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from exporter.errors import StateError
from exporter.ledger.place import Place
from exporter.ledger.schema import migrate

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for another reader or writer (a backup, say), in milliseconds."""

_ROOM = "make room on its disk"
_RIGHTS = "let this user write to the file and to its directory"
_DISK = "look after its disk"
_MENDS = {
    sqlite3.SQLITE_FULL: _ROOM,
    sqlite3.SQLITE_BUSY: "end the program that holds it",
    sqlite3.SQLITE_CORRUPT: "put a copy in its place, or move it away to begin at 0",
    sqlite3.SQLITE_NOTADB: "put a copy in its place, or move it away to begin at 0",
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_IOERR: _DISK,
}
"""What helps, by SQLite's primary result code."""

_SYSTEM_MENDS = {
    errno.ENOENT: "create its directory",
    errno.ENOTDIR: "create its directory",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EIO: _DISK,
}
"""What helps, by the operating system's error number."""


class Database:
    """The one connection to the state database, and the lock that says whose it is.

    Opened at first use and again after any error, so that it recovers when the disk does.
    For one thread at a time.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        """Keep the SQLAlchemy ``url``; nothing is opened yet. Raises StateError if unreadable."""
        try:
            parsed = make_url(url)
        except ArgumentError as exc:
            raise StateError(f"state.url: {exc}") from exc
        name = parsed.database
        self._url = url
        self._busy_timeout_ms = busy_timeout_ms
        self._file = Path(name) if name and name != ":memory:" else None
        self._place = Place(self._file) if self._file is not None else None
        self._engine: Engine | None = None
        self._session = 0

    @property
    def session(self) -> int:
        """The number of times it was closed: what was read in an earlier session may be stale."""
        return self._session

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
            raise StateError(f"state database {self._name()}: {_wording(exc)}") from exc
        except StateError:
            self.close()
            raise

    def close(self) -> None:
        """Close the database and give up the lock; it may be opened again."""
        if self._engine is not None:
            with suppress(SQLAlchemyError, sqlite3.Error):
                self._engine.dispose()
            self._engine = None
        if self._place is not None:
            self._place.leave()
        self._session += 1

    def _opened(self) -> Engine:
        if self._engine is None:
            if self._place is not None:
                self._place.take()
            engine = create_engine(
                self._url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            event.listen(engine, "connect", self._set_up)
            event.listen(engine, "begin", _begin)
            self._engine = engine
            with engine.begin() as connection:
                migrate(connection)
            if self._place is not None:
                self._place.remember()
        elif self._place is not None:
            self._place.check()
        return self._engine

    def _set_up(self, connection: sqlite3.Connection, _record: object) -> None:
        try:
            connection.execute(f"PRAGMA busy_timeout={self._busy_timeout_ms}")
            # Transactions are ours (`_begin`): the driver's own would leave table changes out.
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: what was committed survives a power loss, not only a crash of the process.
            connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error:
            connection.close()  # the pool does not know it yet
            raise

    def _name(self) -> str:
        return str(self._file) if self._file is not None else "in memory"


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _wording(exc: BaseException) -> str:
    """Return what went wrong and what helps, without the statement and its parameters."""
    original = getattr(exc, "orig", None) or exc
    mend = None
    if isinstance(original, OSError):
        mend = _SYSTEM_MENDS.get(original.errno or 0)
        text = original.strerror or str(original)
    else:
        # The low byte is the primary code, the others say more closely what it is.
        mend = _MENDS.get((getattr(original, "sqlite_errorcode", None) or 0) & 0xFF)
        text = str(original).partition("\n")[0]
    text = text or type(original).__name__
    return f"{text}: {mend}" if mend else text
