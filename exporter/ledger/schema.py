"""The tables of the state database, their version, and how an older version is brought up.

SQL stays within what SQLite and PostgreSQL both have. Sums stand apart from rows, so that
forgetting rows never changes a counter.
"""

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    update,
)

from exporter.errors import StateError

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("baseline_at", Float),
    Column("audit_at", Float),
)

listings = Table(
    "listings",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("action_type", Text, primary_key=True),  # "" for no filter
    Column("status", Text, primary_key=True),  # "" for no filter
    Column("sort_order", Text, nullable=False),
    Column("accounted", BigInteger, nullable=False),
    Column("horizon", Float),
    Column("frontier", Float),
    Column("pruned", BigInteger, nullable=False),
)

actions = Table(
    "actions",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("sim_card_id", Text, nullable=False),
    Column("action_type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("created_at", Float),
    Column("updated_at", Float),
    Column("seen_at", Float, nullable=False),
    Column("ended_at", Float),  # null while open
    Column("position", BigInteger),
    Column("stuck", Boolean, nullable=False),
    # Finds the open actions at the start and the oldest ended ones to forget.
    Index("actions_by_end", "account_id", "ended_at"),
    sqlite_with_rowid=False,
)

sums = Table(
    "sums",
    metadata,
    Column("account_id", Integer, primary_key=True, autoincrement=False),
    Column("metric", Text, primary_key=True),
    Column("action_type", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("value", Float, nullable=False),
    Column("exemplar_action_id", Text),
    Column("exemplar_sim_card_id", Text),
    Column("exemplar_at", Float),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("account_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),  # an Event as JSON
    Column("logged", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

MIGRATIONS: tuple[Callable[[Connection], None], ...] = (metadata.create_all,)
"""Step n brings a database from version n to n + 1; a step that was released never changes."""


def migrate(connection: Connection) -> None:
    """Bring the database to the newest version, within the caller's transaction.

    Raises StateError where a newer release wrote it.
    """
    version = 0
    if inspect(connection).has_table(schema_version.name):
        version = connection.execute(select(schema_version.c.version)).scalar_one()
    if version > len(MIGRATIONS):
        raise StateError(
            f"the state database has version {version}, this release knows up to "
            f"{len(MIGRATIONS)}: run the newer release, or set state.url to another file"
        )
    for step in MIGRATIONS[version:]:
        step(connection)
    if version == 0:
        connection.execute(schema_version.insert().values(version=len(MIGRATIONS)))
    elif version < len(MIGRATIONS):
        connection.execute(update(schema_version).values(version=len(MIGRATIONS)))
