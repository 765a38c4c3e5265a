"""Copies a whole ledger from one database to another, in one transaction of each.

It must not interpret what it copies. What a process keeps to itself (leases, revisions) stays.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, func, make_url, select

from exporter.config import is_postgresql
from exporter.errors import StateError
from exporter.ledger.store.database import Database
from exporter.ledger.store.schema import accounts, metadata, outbox, schema_version, sink_positions
from exporter.ledger.store.sqlite import write as write_sqlite
from exporter.ledger.store.writes import Change, Insert

TABLES = tuple(table for table in metadata.sorted_tables if table is not schema_version)
"""What is copied."""

AT_ONCE = 5000
"""Rows that are read and written at once."""


class Side(NamedTuple):
    """A whole ledger, within a transaction: nobody else reads or writes it.

    ``write`` carries out changes, ``continue_at`` sets the number after which a table goes on.
    """

    connection: Connection
    write: Callable[[Connection, Iterable[Change]], None]
    continue_at: Callable[[Table, int], None]


def copy_ledger(
    source: AbstractContextManager[Side],
    target: AbstractContextManager[Side],
    progress: Callable[[str, int], None],
) -> dict[str, int]:
    """Copy everything; returns the number of rows by table. ``progress`` is told of them.

    Raises StateError, and writes nothing, if the source has no ledger, if the target has one
    already, or if either side is in use.
    """
    with ExitStack() as sides:
        old = sides.enter_context(source)
        if _highest(old.connection, accounts.c.id) == 0:
            raise StateError("the source has no state; check what --from names")
        new = sides.enter_context(target)
        for table in TABLES:
            if new.connection.execute(select(table).limit(1)).first() is not None:
                raise StateError(
                    "the target has a state already, which is not overwritten; name an empty "
                    "database, or a file that does not exist"
                )
        counts = {table.name: _copy(table, old, new, progress) for table in TABLES}
        for table in TABLES:
            found = new.connection.execute(select(func.count()).select_from(table)).scalar_one()
            if found != counts[table.name]:
                raise StateError(
                    f"{found} rows of {counts[table.name]} arrived in the table {table.name}; "
                    "nothing was copied"
                )
        new.continue_at(accounts, _highest(new.connection, accounts.c.id))
        # A position may be above all events: those that every sink was told are removed.
        last = max(_highest(new.connection, each.c.seq) for each in (outbox, sink_positions))
        new.continue_at(outbox, last)
        return counts


def open_side(url: str, password_file: str | None, *, source: bool) -> AbstractContextManager[Side]:
    """Return the side of a copy at a state URL; it is opened when it is entered."""
    if is_postgresql(url):
        return _postgresql(url, password_file)
    return _sqlite(url, source=source)


@contextmanager
def _sqlite(url: str, *, source: bool) -> Iterator[Side]:
    name = make_url(url).database
    if not name or name == ":memory:":
        raise StateError(f"{url}: the state of an exporter in memory cannot be copied; name a file")
    if source and not Path(name).exists():
        raise StateError(f"state database {name} does not exist; check the path")
    database = Database(url)
    try:
        with database.transaction() as connection:

            def continue_at(table: Table, last: int) -> None:
                if table is outbox:  # the other numbers are not kept: the highest row tells them
                    connection.exec_driver_sql(
                        "DELETE FROM sqlite_sequence WHERE name = ?", (table.name,)
                    )
                    connection.exec_driver_sql(
                        "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, last)
                    )

            yield Side(connection, write_sqlite, continue_at)
    finally:
        database.close()


@contextmanager
def _postgresql(url: str, password_file: str | None) -> Iterator[Side]:
    # Only those who use PostgreSQL have its driver.
    from exporter.ledger.store.postgresql import sole_access, write  # noqa: PLC0415
    from exporter.ledger.store.postgresql_connections import Connections  # noqa: PLC0415

    connections = Connections(url, password_file)
    try:
        with sole_access(connections) as connection:

            def continue_at(table: Table, last: int) -> None:
                (key,) = table.primary_key
                connection.exec_driver_sql(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
                    (table.name, key.name, max(last, 1), last > 0),
                )

            yield Side(connection, write, continue_at)
    finally:
        connections.close()


def _copy(table: Table, old: Side, new: Side, progress: Callable[[str, int], None]) -> int:
    columns = [column.name for column in table.columns]
    rows = old.connection.execution_options(yield_per=AT_ONCE).execute(select(table))
    count = 0
    for part in rows.partitions(AT_ONCE):
        new.write(new.connection, [Insert(table, columns, [tuple(row) for row in part])])
        count += len(part)
        progress(table.name, count)
    return count


def _highest(connection: Connection, column: Column[Any]) -> int:
    highest: int | None = connection.execute(select(func.max(column))).scalar_one()
    return highest or 0
