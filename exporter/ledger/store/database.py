"""The connection to the state database: SQLite with durable settings, and one owner.

It must not know tables. Every database error becomes a StateError at this boundary.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from exporter.errors import StateError
from exporter.ledger.store.commit_record import MAX_COMMITS
from exporter.ledger.store.file_lock import RESTORE, FileSizes, StateFileLock, StateObserver
from exporter.ledger.store.schema import is_new, migrate
from exporter.ledger.store.turns import Turns
from exporter.ledger.store.wal import KEPT, WriteAheadLog, truncate

_READING = "reading"
"""The execution option of connections that only read."""

BUSY_TIMEOUT_MS = 5000
"""How long SQLite waits for another reader or writer (a backup, say), in milliseconds."""

CACHE_KIB = 8 * 1024
"""Pages of the database that are kept in memory at most, in KiB.

Ids are random: with less, rows that are written in a long catch-up push out each other's pages.
More of it costs that much memory, and saves little.
"""

_SPACE = "free disk space"
_INODES = "the file system has no free inodes; delete files on it"
_PERMISSIONS = (
    "check the path and permissions; this user needs write access to the file and its directory"
)
_READ_PERMISSIONS = (
    "check the path and permissions; run this as the user of the exporter, or as root"
)
_DISK = "check the disk"
_REMEDIES = {
    sqlite3.SQLITE_FULL: _SPACE,
    sqlite3.SQLITE_BUSY: "stop the process that has it open",
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_NOTADB: RESTORE,
    sqlite3.SQLITE_READONLY: _PERMISSIONS,
    sqlite3.SQLITE_CANTOPEN: _PERMISSIONS,
    sqlite3.SQLITE_PERM: _PERMISSIONS,
    sqlite3.SQLITE_IOERR: _DISK,
}
"""The remedy for each primary result code of SQLite."""

_SYSTEM_REMEDIES = {
    errno.ENOENT: "create its directory",
    errno.ENOTDIR: "create its directory",
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: _PERMISSIONS,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EIO: _DISK,
    errno.ELOOP: "check the symbolic links in the path",
    errno.ENAMETOOLONG: "shorten the path",
}
"""The remedy for each error number of the operating system."""


class Database:
    """The only connection to the state database, and the lock that makes it exclusive.

    Opened at first use and reopened after any error, so that it recovers when the disk does; one
    in memory is then empty. Threads that use it take turns, in the order in which they ask.
    """

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        notices: StateObserver | None = None,
    ) -> None:
        """Store the SQLAlchemy ``url``; nothing is opened yet. Raises StateError if it is invalid.

        ``notices`` is called, on the calling thread of a transaction, about losses and warnings.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as exc:
            raise StateError(f"state.url: {exc}") from exc
        name = parsed.database
        self._url = url
        self._busy_timeout_ms = busy_timeout_ms
        self._file = Path(name) if name and name != ":memory:" else None
        self._file_lock = StateFileLock(self._file, notices) if self._file is not None else None
        self._log = WriteAheadLog(str(self._file), busy_timeout_ms, notices)
        self._turns = Turns()
        self._engine: Engine | None = None
        self._session = 0
        self._commits = 0
        self._sizes: FileSizes | None = None

    @property
    def session(self) -> int:
        """The number of times it was closed; data read in an earlier session may be stale."""
        return self._session

    @property
    def sizes(self) -> FileSizes | None:
        """File sizes at the last transaction; None in memory, or before the first one."""
        return self._sizes

    @contextmanager
    def transaction(self, _account_id: int | None = None) -> Iterator[Connection]:
        """Run one transaction: committed at the end, rolled back on any error.

        Raises StateError; the database is then closed, and reopened by the next transaction. Which
        account it writes does not matter: all of them are this process'.
        """
        with self._turns.turn(), self._guarded():
            with self._opened().begin() as connection:
                before = _changes(connection)
                yield connection
                written = _changes(connection) != before
                if written:
                    self._commits = (self._commits + 1) % MAX_COMMITS
                    connection.exec_driver_sql(f"PRAGMA user_version = {self._commits}")
            if written and self._file_lock is not None:
                self._file_lock.note(self._commits)
                self._log.committed(self._file_lock.sizes().log)

    def loading(self, _name: str) -> AbstractContextManager[Connection]:
        """Run the transaction that loads an account."""
        return self.transaction()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for a single SELECT, which needs no transaction.

        Raises StateError; the database is then closed, and reopened by the next call.
        """
        with self._turns.turn(), self._guarded(), _reading(self._opened()) as connection:
            yield connection

    def check(self) -> None:
        """Find out whether the file is the one that was opened; opens it if none is.

        Raises StateError; the database is then closed.
        """
        with self._turns.turn(), self._guarded():
            self._opened()

    @contextmanager
    def lent(self, seconds: float) -> Iterator[Connection]:
        """Give the connection for queries of others, whose errors are theirs: it stays open.

        Raises StateError if it is not open, or in use for longer than ``seconds``.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._turns.turn(seconds))
            except TimeoutError:
                raise StateError(f"state database {self._name()} is busy; try again") from None
            if self._engine is None:
                raise StateError(
                    f"state database {self._name()} is not open; the next poll opens it"
                )
            yield stack.enter_context(_reading(self._engine))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
            self._close()
            message = error_text(exc, self._file)
            raise StateError(f"state database {self._name()}: {message}") from exc
        except StateError:
            self._close()
            raise

    def close(self) -> None:
        """Close the database and release the lock; it may be opened again."""
        with self._turns.turn():
            self._close()

    def _close(self) -> None:
        self._log.close()
        if self._engine is not None:
            if self._file_lock is not None and self._file_lock.moved:
                with suppress(SQLAlchemyError, sqlite3.Error):
                    truncate(self._engine)
            with suppress(SQLAlchemyError, sqlite3.Error):
                self._engine.dispose()
            self._engine = None
        if self._file_lock is not None:
            self._file_lock.release()
        self._session += 1

    def _opened(self) -> Engine:
        if self._engine is None:
            url: str | URL = self._url
            if self._file_lock is not None:
                url = URL.create("sqlite", database=str(self._file_lock.acquire()))
            engine = create_engine(
                url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
            event.listen(engine, "connect", self._set_up)
            event.listen(engine, "begin", _begin)
            self._engine = engine
            with engine.begin() as connection:
                self._commits = self._migrated(connection)
            if self._file_lock is not None:
                self._log.open(self._file_lock.acquire())
                self._file_lock.remember(self._commits)
                self._sizes = self._file_lock.sizes()
        elif self._file_lock is not None:
            self._sizes = self._file_lock.check()
            self._log.keep_small(self._engine, self._sizes.log)
        return self._engine

    def _migrated(self, connection: Connection) -> int:
        """Migrate the tables to the current version; returns the number of commits afterwards."""
        counted: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        new = is_new(connection)
        if self._file_lock is not None:
            self._file_lock.refuse_loss(None if new else counted)
        migrate(connection)
        if new:  # one commit distinguishes it from a truncated file
            counted = 1
            connection.exec_driver_sql("PRAGMA user_version = 1")
        return counted

    def _set_up(self, connection: sqlite3.Connection, _record: object) -> None:
        try:
            connection.execute(f"PRAGMA busy_timeout={self._busy_timeout_ms}")
            # Transactions are managed here (`_begin`); the driver's would exclude DDL.
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: commits survive a power failure, not only a crash of the process.
            connection.execute("PRAGMA synchronous=FULL")
            # The log is truncated to this size when it is reset.
            connection.execute(f"PRAGMA journal_size_limit={KEPT}")
            # `WriteAheadLog` writes it back, and nobody else may.
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA cache_size={-CACHE_KIB}")
        except sqlite3.Error:
            connection.close()  # it is not in the pool yet
            raise

    def _name(self) -> str:
        return str(self._file) if self._file is not None else "in memory"


def _reading(engine: Engine) -> Connection:
    """Return a connection that begins no transaction."""
    return engine.execution_options(**{_READING: True}).connect()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get(_READING):
        return
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _changes(connection: Connection) -> int:
    """Return how many rows have been changed on this connection so far."""
    return driver_of(connection).total_changes


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's connection of a connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 # no other driver is used
    return driver


def error_text(exc: BaseException, file: Path | None, *, reads: bool = False) -> str:
    """Return the error and its remedy, without the statement and its parameters.

    ``reads``: only to read, which needs fewer permissions.
    """
    original = getattr(exc, "orig", None) or exc
    if isinstance(original, OSError):
        remedy = _SYSTEM_REMEDIES.get(original.errno or 0)
        text = original.strerror or str(original)
    else:
        # The low byte is the primary code; the others are details of it.
        remedy = _REMEDIES.get((getattr(original, "sqlite_errorcode", None) or 0) & 0xFF)
        text = str(original).partition("\n")[0]
    if not reads and file is not None and remedy in {_SPACE, _PERMISSIONS, _DISK}:
        # SQLite does not say why it cannot open a file, and ENOSPC means blocks or inodes.
        remedy = _exhausted(file) or remedy
    if reads and remedy == _PERMISSIONS:
        remedy = _READ_PERMISSIONS
    text = text or type(original).__name__
    return f"{text}; {remedy}" if remedy else text


def _exhausted(file: Path) -> str | None:
    """Return the remedy if the file system is full, None if it is not."""
    try:
        found = os.statvfs(file.parent)
    except OSError:
        return None
    if found.f_files and not found.f_favail:
        return _INODES
    return None if found.f_bavail else _SPACE
