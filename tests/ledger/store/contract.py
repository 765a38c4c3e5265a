"""The stores that have to pass the tests of the contract, and what these put into them.

A new store needs a place here, a name in `conftest.py`, and no test.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.domain import Action, Event, EventType
from exporter.ledger.leases import Lease
from exporter.ledger.reasons import Reasons
from exporter.ledger.store.database import Database
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.memory_reader import MemoryReader
from exporter.ledger.store.postgresql import open_postgresql
from exporter.ledger.store.postgresql_connections import Connections
from exporter.ledger.store.postgresql_reader import PostgresqlReader
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.store.sql_reader import SqlReader
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.sqlite_reader import SqliteReader
from exporter.ledger.unit_of_work import UnitOfWork
from tests.support.postgresql import Cluster

NOW = 1_000_000.0


@dataclass
class StatePlace:
    """Where a state is kept, whichever stores are opened on it and closed.

    ``make`` gives a store on it, ``make_reader`` a reader, with a limit in seconds. While
    ``refuse_end`` is entered, the database refuses the last statement of a commit that notes a
    baseline, after all others of it.
    """

    make: Callable[[], LedgerStore]
    make_reader: Callable[[float], SqlReader]
    refuse_end: Callable[[], AbstractContextManager[None]]
    opened: list[LedgerStore] = field(default_factory=list)

    def reopen(self) -> LedgerStore:
        """Open a store, as a new process would; the one before is closed."""
        self.close()
        self.opened.append(self.make())
        return self.opened[0]

    def close(self) -> None:
        """Close the store that is open, if any."""
        while self.opened:
            self.opened.pop().close()


@contextmanager
def sqlite_place() -> Iterator[StatePlace]:
    """Keep a state in an SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "state.db")

        def make() -> LedgerStore:
            return SqliteStore(Database(f"sqlite:///{file}"))

        def make_reader(timeout: float) -> SqlReader:
            return SqliteReader(file, timeout=timeout)

        place = StatePlace(make, make_reader, partial(_refuse_end, file))
        try:
            yield place
        finally:
            place.close()


@contextmanager
def memory_place() -> Iterator[StatePlace]:
    """Keep a state in memory, as long as its store is open."""
    database = Database("sqlite://")

    def make_reader(timeout: float) -> SqlReader:
        return MemoryReader(database, timeout=timeout)

    place = StatePlace(partial(SqliteStore, database), make_reader, _refuse_nothing)
    try:
        yield place
    finally:
        place.close()


def _refuse_nothing() -> AbstractContextManager[None]:
    raise NotImplementedError("what a commit left behind is lost with a state in memory")


@contextmanager
def _refuse_end(file: Path) -> Iterator[None]:
    raised = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"CREATE TRIGGER refusing BEFORE UPDATE ON accounts {raised}")
        yield
        other.execute("DROP TRIGGER refusing")


STORES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.program("postgres")))
"""The stores that the contract is tested with, by the names that `conftest.py` knows."""

READABLE = ("memory", *STORES)
"""Those that have a reader: a state in memory does not outlive its store."""


class Holder:
    """Holds every account that it is asked for, by real leases: the fence of one process."""

    def __init__(self, url: str, password_file: str, name: str = "holder") -> None:
        """Open the table of leases; nothing is held yet."""
        self.table = PostgresqlLeaseTable(Connections(url, password_file), ttl=3600.0)
        self.name = name
        self.held: dict[str, Lease] = {}

    def __call__(self, account: str) -> Lease:
        """Return the lease of an account; the first time it is claimed."""
        if account not in self.held:
            self.table.exchange(self.name, [account], None)
            self.held.update(self.table.claim(self.name, [account]))
        return self.held[account]


def emptied(cluster: Cluster, database: str) -> None:
    """Empty the tables that a database has, but for what every new one has in them.

    A TRUNCATE makes new files, for each index too, which takes longer than to delete a few rows.
    """
    cluster.execute(
        """
        DO $$
        DECLARE
            each text;
            many boolean;
        BEGIN
            FOR each IN SELECT tablename FROM pg_tables
                WHERE schemaname = 'public' AND tablename NOT IN ('schema_version', 'ledger')
            LOOP
                EXECUTE format('SELECT count(*) = 1000 FROM (SELECT FROM %I LIMIT 1000) AS x', each)
                    INTO many;
                EXECUTE format(CASE WHEN many THEN 'TRUNCATE %I' ELSE 'DELETE FROM %I' END, each);
            END LOOP;
            PERFORM setval(oid::regclass, 1, false) FROM pg_class
                WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
        END $$
        """,
        database,
    )


@contextmanager
def postgresql_place(
    cluster: Cluster, database: str, port: int | None = None
) -> Iterator[StatePlace]:
    """Keep a state in a database of a server, behind ``port``."""
    emptied(cluster, database)
    url = cluster.url(database, port)
    fence = Holder(url, cluster.password_file)
    readers: list[PostgresqlReader] = []

    def make() -> LedgerStore:
        return open_postgresql(url, cluster.password_file, fence=fence)

    def make_reader(timeout: float) -> SqlReader:
        readers.append(PostgresqlReader(url, cluster.password_file, timeout=timeout))
        return readers[-1]

    place = StatePlace(make, make_reader, partial(_refuse_end_there, cluster, database))
    try:
        yield place
    finally:
        place.close()
        fence.table.close()
        for each in readers:
            each.close()


@contextmanager
def _refuse_end_there(cluster: Cluster, database: str) -> Iterator[None]:
    cluster.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
        CREATE TRIGGER refusing BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
        database,
    )
    yield
    cluster.execute("DROP FUNCTION refuse CASCADE", database)


def an_event(action_id: str, event_type: EventType = EventType.FAILED, **fields: Any) -> Event:
    """Return an event of an action."""
    usual: dict[str, Any] = {
        "account": "main",
        "sim_card_id": "s",
        "action_type": "enable",
        "status": "failed",
        "reason": "",
        "reason_class": "other",
        "created_at": None,
        "updated_at": None,
        "duration_seconds": None,
    }
    return Event(event_type=event_type, action_id=action_id, **(usual | fields))


def a_bare_unit(**fields: Any) -> UnitOfWork:
    """Return a unit of work that holds what is given."""
    return UnitOfWork("main", Reasons(()), str, 0.0, **fields)


def failed(name: str, sim: str = "sim", at: float = NOW, **fields: Any) -> Action:
    """Return an action that failed ten seconds after it was created."""
    usual: dict[str, Any] = {
        "sim_card_id": sim,
        "action_type": "enable",
        "status": "failed",
        "reason": "SIM card is blocked",
        "created_at": at,
        "updated_at": at + 10,
    }
    return Action(id=name, **(usual | fields))
