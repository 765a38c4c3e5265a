"""The ledger in SQLite: what is written row by row there, in the parameter style of its driver.

It must not know how the file is opened. Every method raises StateError.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, literal_column, select

from exporter.ledger.store.database import Database, driver_of
from exporter.ledger.store.loading import IDS_AT_ONCE, ROW_COLUMNS
from exporter.ledger.store.schema import actions
from exporter.ledger.store.sql_store import SqlStore
from exporter.ledger.store.writes import AT_ONCE, Change, Delete, Replace, Run, parts

FIND = str(select(*ROW_COLUMNS).where(actions.c.account_id == literal_column("?")))
"""Finds actions of an account; the condition is appended."""


class SqliteStore(SqlStore):
    """A `LedgerStore` in an SQLite database."""

    _database: Database

    def __init__(self, database: Database) -> None:
        """Store the database; the first call opens it."""
        super().__init__(database)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes on disk by part, `database` and `log`; empty in memory, or before it is opened."""
        sizes = self._database.sizes
        return {} if sizes is None else sizes._asdict()

    def check(self) -> None:
        """Find out whether the file was deleted, replaced or truncated."""
        self._database.check()

    def write(self, connection: Connection, plan: Iterable[Change]) -> None:
        """Carry out changes, row by row."""
        write(connection, plan)

    def find_rows(
        self,
        connection: Connection,
        account_id: int,
        column: str,
        values: Collection[str],
        condition: str,
    ) -> Iterator[Any]:
        """Yield the actions whose ``column`` is one of the values."""
        for part in parts(values, IDS_AT_ONCE):
            # Bypasses SQLAlchemy: its lists and records take longer than the query.
            places = ", ".join("?" * len(part))
            query = f"{FIND} AND {actions.c[column]} IN ({places}) AND {condition}"
            yield from driver_of(connection).execute(query, (account_id, *part))


def write(connection: Connection, plan: Iterable[Change]) -> None:
    """Carry out changes with positional parameters: named ones take as long as the writing."""
    for change in plan:
        if isinstance(change, Run):
            connection.execute(change.statement)
            continue
        if not change.rows:
            continue
        if isinstance(change, Delete):
            _each(connection, _deletion(change.table.name, *change.columns), change.rows)
            continue
        columns = tuple(change.columns)
        if isinstance(change, Replace):
            keys = [column.name for column in change.table.primary_key]
            places = [columns.index(name) for name in keys]
            gone = [tuple(row[place] for place in places) for row in change.rows]
            _each(connection, _deletion(change.table.name, *keys), gone)
        _each(connection, _insertion(change.table.name, *columns), change.rows)


def _each(connection: Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    for part in parts(rows, AT_ONCE):
        connection.exec_driver_sql(statement, list(part))


# The names are those of our tables.
@lru_cache
def _insertion(table: str, *columns: str) -> str:
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608


@lru_cache
def _deletion(table: str, *columns: str) -> str:
    return f"DELETE FROM {table} WHERE {' AND '.join(f'{each} = ?' for each in columns)}"  # noqa: S608
