"""A `LedgerReader` of an SQLite file: read-only, on a connection of its own for each call.

It must not write, lock the file or open it other than through SQLite: its owner may be this very
process, and closing another descriptor of the file would drop the locks of that. SQLite would write
an empty log and an index of it beside a file that has none, and leave them there. Such a file is
complete and nobody has it open, so it is read as one that cannot change; that it did not is seen
by its time of change.
"""

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from exporter.errors import QueryTimeoutError, StateError
from exporter.ledger.store.database import error_text
from exporter.ledger.store.inspection import inspect_file
from exporter.ledger.store.protocol import StateFacts
from exporter.ledger.store.schema import MIGRATIONS, schema_version, stored_version
from exporter.ledger.store.sql_reader import SqlReader

TIMEOUT = 2.0
"""Seconds that a query may take, and wait for a locked file."""

STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the clock: some tenths of a millisecond."""

_UNWRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""What SQLite reports where it cannot write its index of the log."""


class SqliteReader(SqlReader):
    """A `LedgerReader` of the SQLite file at a path."""

    def __init__(
        self,
        file: Path,
        *,
        timeout: float = TIMEOUT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the path; nothing is opened yet. ``timeout`` is in seconds."""
        self._file = file
        self._timeout = timeout
        self._monotonic = monotonic
        self._engines = {
            immutable: self._engine(immutable=immutable) for immutable in (False, True)
        }

    def facts(self) -> StateFacts:
        """Return what the file is like, and who uses it; raises StateError if it is unusable."""
        try:
            found = inspect_file(self._file)
        except OSError as exc:
            raise StateError(f"state database {self._file}: {exc.strerror}") from exc
        if found.exists:
            with self.reading():
                pass
        return found

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one committed state; raises StateError."""
        try:
            with self._opened() as connection:
                self._refuse_version(connection)
                yield connection
        except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
            raise query_error(exc, self._timeout, self._file) from exc
        except (ValueError, msgspec.MsgspecError) as exc:
            raise StateError(
                f"state database {self._file} contains values that this release cannot read "
                f"({exc}); run the release that wrote it"
            ) from exc

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        try:
            regular = stat.S_ISREG(self._file.stat().st_mode)
        except FileNotFoundError:
            raise StateError(
                f"state database {self._file} does not exist; check state.url (a relative path is "
                "from the working directory), or start the exporter first"
            ) from None
        if not regular:  # SQLite would wait for the writer of a pipe
            raise StateError(f"state database {self._file} is not a regular file; check state.url")
        before, log = self._version(), self._log()
        immutable = log is None
        try:
            connection = self._engines[immutable].connect()
        except DBAPIError as exc:
            # A log that was left over is only read beside an index of it, which has to be written.
            code = getattr(exc.orig, "sqlite_errorcode", 0) & 0xFF
            if log or code not in _UNWRITABLE:
                raise
            immutable = True
            connection = self._engines[immutable].connect()
        try:
            with connection, connection.begin():
                yield connection
        finally:
            # An exporter was started meanwhile, and wrote its log back: what was read may be mixed.
            if immutable and self._version() != before:
                raise StateError(
                    f"state database {self._file} was written while it was read; try again"
                )

    def _version(self) -> tuple[int, ...]:
        """Return what changes with each write to the file itself."""
        found = self._file.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    def _log(self) -> int | None:
        """Return the size of the log of what is not in the file yet; None if there is no log."""
        sizes = []
        for suffix in ("-wal", "-journal"):
            with suppress(OSError):
                sizes.append(Path(f"{os.path.realpath(self._file)}{suffix}").stat().st_size)
        return sum(sizes) if sizes else None

    def _engine(self, *, immutable: bool) -> Engine:
        mode = "mode=ro&immutable=1" if immutable else "mode=ro"
        uri = f"file:{quote(str(self._file.absolute()))}?{mode}"
        engine = create_engine("sqlite://", creator=lambda: self._connect(uri), poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    def _connect(self, uri: str) -> sqlite3.Connection:
        end = self._monotonic() + self._timeout
        connection = sqlite3.connect(
            uri, uri=True, timeout=self._timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.set_progress_handler(lambda: self._monotonic() > end, STEPS)
            # SQLite opens the file and its log at the first read only.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _refuse_version(self, connection: Connection) -> None:
        newest = 1 + len(MIGRATIONS)
        tables = inspect(connection).get_table_names()
        version = stored_version(connection) if schema_version.name in tables else None
        if version is None:
            what = "was created by another program" if tables else "is empty"
            raise StateError(
                f"state database {self._file} {what}; set state.url to the exporter's file"
            )
        if version != newest:
            remedy = (
                "start the exporter of this release to migrate it"
                if version < newest
                else "run the newer release"
            )
            raise StateError(
                f"state database {self._file} has schema version {version}, but this release "
                f"reads {newest}; {remedy}"
            )


def query_error(exc: Exception, timeout: float, file: Path | None = None) -> StateError:
    """Return the error of a query of a file, or in memory, which may take ``timeout`` seconds."""
    original = getattr(exc, "orig", None) or exc
    if getattr(original, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return QueryTimeoutError(f"the query takes longer than {timeout:g} s; narrow the filters")
    return StateError(f"state database {file or 'in memory'}: {error_text(exc, file, reads=True)}")


def sqlite_reader(url: str, *, timeout: float = TIMEOUT) -> SqliteReader | None:
    """Return the reader of the file that a state URL names; None if the state is in memory."""
    name = make_url(url).database
    return SqliteReader(Path(name), timeout=timeout) if name and name != ":memory:" else None
