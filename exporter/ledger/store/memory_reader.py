"""A `LedgerReader` of an SQLite database in memory, on the connection of its owner.

Queries and the owner's calls take turns. With a connection of its own, by SQLite's VFS `memdb`, it
would wait for commits all the same, and see half of one where SQLite is old: its first releases
with that VFS let a database be written while it is read. It must not write.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from exporter.ledger.store.database import Database, driver_of
from exporter.ledger.store.sql_reader import SqlReader
from exporter.ledger.store.sqlite_reader import STEPS, TIMEOUT, query_error


class MemoryReader(SqlReader):
    """A `LedgerReader` of a database in memory that this process has."""

    def __init__(
        self,
        database: Database,
        *,
        timeout: float = TIMEOUT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store the database; ``timeout`` is in seconds, for a query and for its turn each."""
        self._database = database
        self._timeout = timeout
        self._monotonic = monotonic

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one committed state; raises StateError."""
        try:
            with self._database.lent(self._timeout) as connection:
                end = self._monotonic() + self._timeout
                driver = driver_of(connection)
                driver.set_progress_handler(lambda: self._monotonic() > end, STEPS)
                try:
                    yield connection
                finally:
                    driver.set_progress_handler(None, STEPS)
        except (SQLAlchemyError, sqlite3.Error) as exc:
            raise query_error(exc, self._timeout) from exc
