"""The state that the settings name: its store, its reader, and its leases if it is shared.

It must not read or write it.
"""

import socket
from dataclasses import dataclass
from uuid import uuid4

from exporter.config import Settings
from exporter.ledger.store.database import Database
from exporter.ledger.store.memory_reader import MemoryReader
from exporter.ledger.store.protocol import ActionReader, LedgerStore, StateFacts, StateReader
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.sqlite_reader import TIMEOUT, sqlite_reader
from exporter.scheduling.lease_keeper import LeaseKeeper
from exporter.scheduling.lease_rules import TTL
from exporter.sinks.event_log import EventLog


@dataclass(frozen=True, slots=True)
class StateAccess:
    """What keeps the state, and what reads it; without a ``keeper`` it is not shared.

    ``store`` belongs to the thread of the ledger, ``reader`` and ``keeper`` to any.
    """

    store: LedgerStore
    reader: StateReader
    keeper: LeaseKeeper | None = None

    def holds(self, account: str) -> bool:
        """Tell whether this process may poll an account now. For any thread."""
        return self.keeper is None or self.keeper.holds(account)


def open_state(settings: Settings, event_log: EventLog, *, visiting: bool = False) -> StateAccess:
    """Return the state that the settings name; nothing is opened before it is used.

    One who is ``visiting`` polls what nobody else does, as `LeaseKeeper` explains.
    """
    url = settings.state.url
    if not settings.state.shared:
        database = Database(url, notices=event_log)
        return StateAccess(SqliteStore(database), sqlite_reader(url) or MemoryReader(database))
    # Only those who share the state have the driver, and need the time that it takes to load.
    from exporter.ledger.store.lease_table import PostgresqlLeaseTable  # noqa: PLC0415
    from exporter.ledger.store.postgresql import open_postgresql  # noqa: PLC0415
    from exporter.ledger.store.postgresql_connections import Connections  # noqa: PLC0415
    from exporter.ledger.store.postgresql_reader import PostgresqlReader  # noqa: PLC0415

    password_file = settings.state.password_file
    keeper = LeaseKeeper(
        PostgresqlLeaseTable(Connections(url, password_file), ttl=TTL),
        f"{socket.gethostname()}-{uuid4().hex[:8]}",
        (account.name for account in settings.accounts),
        event_log,
        visiting=visiting,
    )
    store = open_postgresql(url, password_file, fence=keeper.lease)
    return StateAccess(store, PostgresqlReader(url, password_file, timeout=TIMEOUT), keeper)


def state_facts(settings: Settings, *, timeout: float) -> StateFacts | None:
    """Return what the state is like, changing nothing; None if it is in memory.

    ``timeout`` is in seconds; it may block for longer than that to connect. Raises StateError.
    """
    state = settings.state
    if not state.shared:
        reader = sqlite_reader(state.url, timeout=timeout)
        return None if reader is None else reader.facts()
    from exporter.ledger.store.postgresql_reader import PostgresqlReader  # noqa: PLC0415

    shared = PostgresqlReader(state.url, state.password_file, timeout=timeout)
    try:
        return shared.facts()
    finally:
        shared.close()


def open_reader(settings: Settings, *, timeout: float) -> ActionReader | None:
    """Return a reader of the state; None if it is in the memory of the exporter.

    ``timeout`` is in seconds.
    """
    state = settings.state
    if not state.shared:
        return sqlite_reader(state.url, timeout=timeout)
    from exporter.ledger.store.postgresql_reader import PostgresqlReader  # noqa: PLC0415

    return PostgresqlReader(state.url, state.password_file, timeout=timeout)
