"""The ledger in PostgreSQL, which several processes share: one at a time writes an account.

Each transaction checks, in the round trip that begins it, that this process still holds the
account, that nobody wrote it since it was loaded, and that the tables are this release's. It must
not decide who holds an account. Every method raises StateError.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Boolean, Connection, Float, Integer, Table, Text

from exporter.errors import LeaseLostError, StateError
from exporter.ledger.leases import Lease
from exporter.ledger.store.loading import ROW_COLUMNS, account_number
from exporter.ledger.store.postgresql_connections import (
    READ_ONLY,
    Connections,
    begin,
    driver_of,
    execute_all,
    selecting,
)
from exporter.ledger.store.postgresql_errors import CHANGED_TABLES, sqlstate
from exporter.ledger.store.postgresql_schema import (
    VERSION,
    is_current,
    migrate_shared,
    refuse_version,
)
from exporter.ledger.store.sql_store import SqlStore
from exporter.ledger.store.writes import Change, Delete, Insert, Replace, Run

Fence = Callable[[str], Lease]
"""Returns the lease of the account of a name; raises LeaseLostError if it is not held."""

STATEMENT = 10.0
"""Seconds that a statement may take."""

TRANSACTION = 30.0
"""Seconds that a transaction may take, beyond which the server counts as gone."""

# Nobody can renew while it waits for the lock: it gives up long before those who live seem dead.
_ALONE = """
SET LOCAL lock_timeout = 2000;
LOCK TABLE leases, replicas IN ACCESS EXCLUSIVE MODE;
SELECT count(*) FROM replicas WHERE expires_at > extract(epoch FROM clock_timestamp());
"""

COPY = 24 * 3600.0
"""Seconds that a copy of everything may take."""

MIGRATION = 600.0
"""Seconds that a migration may take, and each of its statements."""

AT_ONCE = 8 * 1024 * 1024
"""Characters of statements that are sent at once."""

_FENCE = """
WITH fence AS (
    SELECT 1 FROM leases WHERE account = %s AND holder = %s AND epoch = %s FOR KEY SHARE
), raised AS (
    UPDATE revisions SET revision = revision + 1
    WHERE account_id = %s AND revision = %s AND EXISTS (SELECT FROM fence) RETURNING 1
)
SELECT (SELECT count(*) FROM fence), (SELECT count(*) FROM raised)
"""
"""A claim waits for this lock, a renewal does not: it changes no key."""

_RAISE = """
INSERT INTO revisions (account_id, revision) VALUES (%s, 1)
ON CONFLICT (account_id) DO UPDATE SET revision = revisions.revision + 1 RETURNING revision
"""
_NOBODY = -1
"""The number of no account, and a revision that none has."""


@dataclass(slots=True)
class _Loaded:
    """An account that was loaded: its name, and the revision that memory stands for."""

    name: str
    revision: int


class PostgresqlDatabase:
    """A database that has the tables of the ledger, as one process uses it.

    A connection that breaks is opened anew by the next call. For one thread at a time.
    """

    def __init__(
        self,
        connections: Connections,
        fence: Fence,
        *,
        statement: float = STATEMENT,
        transaction: float = TRANSACTION,
    ) -> None:
        """Store the parts; nothing is opened yet. The times are in seconds."""
        self._connections = connections
        self._fence = fence
        self._statement = statement
        self._transaction = transaction
        self._prepared = False
        self._loaded: dict[int, _Loaded] = {}
        self._session = 0

    @property
    def session(self) -> int:
        """The number of times it was closed. An error does not count.

        Whether memory is stale, each transaction finds out for its account, by the revision: so an
        error of one account makes nobody load a thousand others.
        """
        return self._session

    def close(self) -> None:
        """Close the connection; the next call opens another one."""
        self._connections.close()
        self._session += 1

    def interrupt(self) -> None:
        """End a call that runs, with StateError. For any thread."""
        self._connections.interrupt()

    @contextmanager
    def loading(self, name: str) -> Iterator[Connection]:
        """Run a transaction that reads the account ``name``, which is created if it is new.

        The revision is raised before: a commit in doubt, should it come after all, comes before
        that or not at all. What is read needs no lease, which to build it from a hundred thousand
        rows might outlast: if somebody writes it meanwhile, the next transaction finds out.
        """
        lease = self._fence(name)
        with self._connected() as connection:
            self._begin(connection, name, lease, None)
            account_id = account_number(connection, name)
            revision = connection.exec_driver_sql(_RAISE, (account_id,)).scalar_one()
            driver = driver_of(connection)
            driver.commit()
            execute_all(
                driver, begin(statement=self._statement, mode=READ_ONLY, idle=self._transaction)
            )
            yield connection
            driver.commit()
        self._loaded[account_id] = _Loaded(name, revision)

    @contextmanager
    def transaction(self, account_id: int) -> Iterator[Connection]:
        """Run a transaction that writes an account that was loaded.

        Raises LeaseLostError if the account is not held any more.
        """
        loaded = self._loaded.get(account_id)
        if loaded is None:
            raise StateError(f"the account number {account_id} was not loaded")
        lease = self._fence(loaded.name)
        with self._connected() as connection:
            self._begin(connection, loaded.name, lease, (account_id, loaded.revision))
            yield connection
            driver_of(connection).commit()
        loaded.revision += 1

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection for a single SELECT, which takes one round trip."""
        with self._connected() as connection, selecting(connection, statement=self._statement):
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if not self._prepared:
            prepare(self._connections)
            self._prepared = True
        try:
            with self._connections.connected(self._transaction) as connection:
                yield connection
        except StateError as exc:
            if exc.__cause__ is not None and sqlstate(exc.__cause__) in CHANGED_TABLES:
                self._prepared = False  # the next call says more, or creates them again
            raise

    def _begin(
        self, connection: Connection, name: str, lease: Lease, known: tuple[int, int] | None
    ) -> None:
        """Begin a fenced transaction; ``known`` is the account's number and revision."""
        (versions, fenced) = execute_all(
            driver_of(connection),
            begin(statement=self._statement) + VERSION + _FENCE,
            *(name, lease.holder, lease.epoch, *(known or (_NOBODY, _NOBODY))),
        )
        try:
            refuse_version(versions[0][0] if versions else None)
        except StateError:
            self._prepared = False
            raise
        ((held, raised),) = fenced
        if not held:
            raise LeaseLostError(f"account {name!r} is not held by this process any more")
        if known is not None and not raised:
            raise StateError(
                f"the ledger of account {name!r} is not what was read: a commit was confirmed late,"
                " or the database is an older copy; it is read again"
            )


class PostgresqlStore(SqlStore):
    """A `LedgerStore` in a PostgreSQL database."""

    _database: PostgresqlDatabase

    def __init__(self, database: PostgresqlDatabase) -> None:
        """Store the database; the first call opens it."""
        super().__init__(database)

    def interrupt(self) -> None:
        """End a call that waits for the server, with StateError."""
        self._database.interrupt()

    def write(self, connection: Connection, plan: Iterable[Change]) -> None:
        """Carry out changes, in one round trip for each AT_ONCE characters."""
        write(connection, plan)

    def find_rows(
        self,
        connection: Connection,
        account_id: int,
        column: str,
        values: Collection[str],
        condition: str,
    ) -> Iterable[Any]:
        """Return the actions whose ``column`` is one of the values, in one round trip."""
        wanted = list(dict.fromkeys(values))
        statement = _FIND.format(column=column, condition=condition)
        return connection.exec_driver_sql(statement, (wanted, account_id))


def write(connection: Connection, plan: Iterable[Change]) -> None:
    """Carry out changes within a transaction, in one round trip for each AT_ONCE characters.

    Not in a pipeline: after one the server does not watch for how long a transaction is idle, and
    would keep that of a client that is gone.
    """
    with psycopg.ClientCursor(driver_of(connection)) as cursor:
        made: list[str] = []
        size = 0
        for change in plan:
            if isinstance(change, Run):
                compiled: Any = change.statement.compile(  # type: ignore[attr-defined]
                    dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
                )
                made.append(cursor.mogrify(str(compiled).encode(), compiled.params))
            elif change.rows:
                made.append(cursor.mogrify(_statement(change).encode(), _arrays(change)))
            else:
                continue
            size += len(made[-1])
            if size > AT_ONCE:
                cursor.execute(";".join(made).encode())
                made, size = [], 0
        if made:
            cursor.execute(";".join(made).encode())


def prepare(connections: Connections) -> None:
    """Create or migrate the tables, if need be; raises StateError."""
    # Usually there is none. To look takes no lock: one that is held by a process that was stopped
    # would keep all others from the leases for as long as a migration may take.
    with connections.connected(STATEMENT) as connection:
        driver = driver_of(connection)
        execute_all(driver, begin(statement=STATEMENT))
        current = is_current(connection)
        driver.commit()
    if current:
        return
    with connections.connected(MIGRATION) as connection:
        driver = driver_of(connection)
        execute_all(driver, begin(statement=MIGRATION))
        migrate_shared(connection)
        driver.commit()


@contextmanager
def sole_access(connections: Connections) -> Iterator[Connection]:
    """Run a transaction on the whole ledger; raises StateError if a replica is alive.

    One that starts meanwhile waits for its end.
    """
    prepare(connections)
    with connections.connected(COPY) as connection:
        driver = driver_of(connection)
        ((alive,),), *_ = execute_all(
            driver,
            begin(statement=COPY) + _ALONE,
        )
        if alive:
            raise StateError(
                f"state database {connections.name} is in use by {alive} replicas; stop them first"
            )
        yield connection
        driver.commit()


def open_postgresql(
    url: str, password_file: str | Path | None = None, *, fence: Fence
) -> PostgresqlStore:
    """Return the store of a state URL; the first call opens it. Raises StateError."""
    return PostgresqlStore(PostgresqlDatabase(Connections(url, password_file), fence))


# Each value is looked up by its index: OFFSET keeps the planner from reading all of the account
# instead, which it takes for a few rows as long as it has no statistics.
_FIND = f"""
SELECT found.* FROM unnest(%s::text[]) AS wanted (value), LATERAL (
    SELECT {", ".join(map(str, ROW_COLUMNS))} FROM actions
    WHERE actions.account_id = %s AND actions.{{column}} = wanted.value AND {{condition}} OFFSET 0
) AS found
"""  # noqa: S608 # ours


def _statement(change: Insert | Replace | Delete) -> str:
    """Return the statement that has an array for each column as its parameters."""
    table, columns = change.table, ", ".join(change.columns)
    arrays = ", ".join(f"%s::{_kind(table, name)}[]" for name in change.columns)
    if isinstance(change, Delete):
        equal = " AND ".join(f"{table.name}.{name} = gone.{name}" for name in change.columns)
        return f"DELETE FROM {table.name} USING unnest({arrays}) AS gone ({columns}) WHERE {equal}"  # noqa: S608 # ours
    # The rows come in the order of the arrays, and events are numbered in that order.
    statement = f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608 # ours
    if isinstance(change, Replace):
        key = [column.name for column in table.primary_key]
        changed = ", ".join(f"{n} = excluded.{n}" for n in change.columns if n not in key)
        action = f"UPDATE SET {changed}" if changed else "NOTHING"
        statement += f" ON CONFLICT ({', '.join(key)}) DO {action}"
    return statement


def _arrays(change: Insert | Replace | Delete) -> list[list[object]]:
    """Return the values by column, in the one type that an array has."""
    made: list[list[object]] = []
    for name, values in zip(change.columns, zip(*change.rows, strict=True), strict=True):
        _, convert = _KINDS[_kind(change.table, name)]
        made.append([None if value is None else convert(value) for value in values])
    return made


_KINDS: dict[str, tuple[type, Callable[[Any], object]]] = {
    "bool": (Boolean, bool),
    "float8": (Float, float),
    "int8": (Integer, int),
    # Of a member of an enumeration, which the driver takes for another type. NUL, which a file of
    # an old release may hold, is in no text of PostgreSQL: the reader looks for it as this, too.
    "text": (Text, lambda value: str(value).replace("\0", "\ufffd")),
}


def _kind(table: Table, column: str) -> str:
    """Return the type of a column in PostgreSQL."""
    of_column = table.c[column].type
    return next(kind for kind, (type_, _) in _KINDS.items() if isinstance(of_column, type_))
