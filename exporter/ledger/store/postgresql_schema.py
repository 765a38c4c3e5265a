"""The tables that only a shared ledger has, and the migration of a PostgreSQL database.

The tables of the ledger itself are those of `schema.py`. Only imported where PostgreSQL is used.
"""

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    MetaData,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
)

from exporter.errors import StateError
from exporter.ledger.store.schema import (
    MIGRATIONS,
    NUMBER,
    TEXT,
    Step,
    metadata,
    migrate,
    schema_version,
)

shared_metadata = MetaData()

leases = Table(
    "leases",
    shared_metadata,
    Column("account", TEXT, primary_key=True),
    Column("holder", TEXT, nullable=False),  # "" for none
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", Float, nullable=False),  # by the clock of the database, as all here
)

replicas = Table(
    "replicas",
    shared_metadata,
    Column("holder", TEXT, primary_key=True),
    Column("started_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)

revisions = Table(
    "revisions",
    shared_metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    # Raised by each transaction that loads or writes the account.
    Column("revision", BigInteger, nullable=False),
)

ledger = Table(
    "ledger",
    shared_metadata,
    Column("generation", TEXT, primary_key=True),  # the random ID of this database, in one row
)

VERSION = f"SELECT version FROM {schema_version.name};"  # noqa: S608 # ours
"""The statement that a transaction begins with, for `refuse_version`."""

_LOCK = 0x7465_6C6E_7978  # "telnyx"
"""The number of the advisory lock that a migration holds, until its transaction ends."""

_LOCK_TIMEOUT = 800
"""Milliseconds that a migration waits for a table: less than a renewal waits for the migration."""


def is_current(connection: Connection) -> bool:
    """Tell whether there is nothing to migrate; raises StateError if a newer release did."""
    if not {schema_version.name, ledger.name} <= set(inspect(connection).get_table_names()):
        return False
    version = connection.execute(select(func.max(schema_version.c.version))).scalar_one()
    if version == 1 + len(MIGRATIONS):
        return connection.execute(select(ledger)).first() is not None
    if version is not None and version > 1 + len(MIGRATIONS):
        refuse_version(version)
    return False


def migrate_shared(connection: Connection, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Create or migrate all tables, within the caller's transaction; one process at a time.

    Each transaction of the ledger reads the version first, and so keeps the table of the version
    from being locked until it ends: a migration waits for all that run, and those that come later
    wait for it, and find the newer version. Meanwhile nobody renews a lease: where a backup holds
    the migration up, it gives up soon, with the driver's error, for the caller to try again. Raises
    StateError as `migrate` does.
    """
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if inspect(connection).has_table(schema_version.name):
        version = connection.execute(select(func.max(schema_version.c.version))).scalar_one()
        if version is not None and version < 1 + len(steps):
            connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT}"))
            connection.execute(text(f"LOCK TABLE {schema_version.name} IN ACCESS EXCLUSIVE MODE"))
    for table in metadata.tables.values():
        for index in table.indexes:
            # Partial here too. Said here, as to say it there would import PostgreSQL's dialect.
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
    migrate(connection, steps)
    shared_metadata.create_all(connection)
    if connection.execute(select(ledger)).first() is None:
        connection.execute(insert(ledger).values(generation=uuid4().hex))


def refuse_version(version: int | None) -> None:
    """Raise StateError unless ``version`` is that of this release's tables; None: there is none.

    A lower one is that of a database that went back to an older copy: to be migrated again.
    """
    newest = 1 + len(MIGRATIONS)
    if version is not None and version > newest:
        raise StateError(
            f"a newer release has migrated the state database to schema version {version}, but "
            f"this release supports up to {newest}: nothing was written; run the newer release"
        )
    if version != newest:
        raise StateError(
            f"the state database has schema version {version}, which this release migrates to "
            f"{newest} at the next attempt"
        )
