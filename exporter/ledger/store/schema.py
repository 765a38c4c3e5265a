"""The tables of the state database, their version, and the migrations from older versions.

Only SQL that both SQLite and PostgreSQL support. Sums are separate from rows, so that pruning rows
never changes a counter.
"""

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

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
    text,
    update,
)

from exporter.errors import StateError

metadata = MetaData()

# In the order of their bytes in both databases: PostgreSQL's order is that of a language otherwise.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows itself in columns of this very name; its integers have 64 bits anyway.
NUMBER = Integer().with_variant(BigInteger(), "postgresql")

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

accounts = Table(
    "accounts",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("baseline_at", Float),
    Column("audit_at", Float),
    Column("sim_card_total", BigInteger),
    Column("bulks_at", Float),
    Column("bulks_since", Float),
)


def _by_type_and_status() -> tuple[Column[int], Column[str], Column[str]]:
    """Return the key of control state: one row by account, action type and status."""
    return (
        Column("account_id", NUMBER, primary_key=True, autoincrement=False),
        Column("action_type", TEXT, primary_key=True),
        Column("status", TEXT, primary_key=True),
    )


list_cursors = Table(
    "list_cursors",
    metadata,
    *_by_type_and_status(),  # "" for no filter
    Column("sort_order", TEXT, nullable=False),
    Column("seen_count", BigInteger, nullable=False),
    Column("baseline_cutoff", Float),
    Column("high_watermark", Float),
    Column("dropped", BigInteger, nullable=False),
    Column("baseline_time", Float),
)

drift = Table(
    "drift",
    metadata,
    *_by_type_and_status(),
    Column("difference", BigInteger, nullable=False),  # API total minus ledger total
)

sweeps = Table(
    "sweeps",
    metadata,
    *_by_type_and_status(),
    Column("next_page", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),  # actions still to be found
)

FAILED = "status IN ('failed', 'interrupted')"
"""The condition of the index of failures: a query has to repeat it word for word to use it."""

SKEW = 60
"""Seconds by which an action may seem to have ended before it was created."""

ODD = f"(created_at IS NULL OR updated_at IS NULL OR updated_at < created_at - {SKEW})"
"""The condition of the index of the few actions without times in that order, likewise."""

FAILURES = "failure_at IS NOT NULL"
"""The condition of the index of what went wrong after the baseline, by SIM card, likewise."""

DECISIVE = f"({FAILURES} OR status = 'completed')"
"""The condition of actions that may open, keep or close a problem."""

_REASON = "reason_hash IS NOT NULL"
_FIRST = "status", "action_type"
_KEY = "id", "account_id"

actions = Table(
    "actions",
    metadata,
    # First in the key: with the account first, SQLite would scan all rows for the open ones.
    Column("id", TEXT, primary_key=True),
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("sim_card_id", TEXT, nullable=False),
    Column("action_type", TEXT, nullable=False),
    Column("status", TEXT, nullable=False),
    Column("reason", TEXT),
    Column("created_at", Float),
    Column("updated_at", Float),
    Column("seen_at", Float, nullable=False),
    Column("ended_at", Float),  # null while open
    Column("position", BigInteger),
    Column("stuck", Boolean, nullable=False),
    Column("failure_at", Float),
    Column("failure_status", TEXT, nullable=False, server_default=""),
    Column("reason_hash", BigInteger),  # null without a reason
    # For the open actions at startup, and the oldest ended ones for pruning.
    Index("actions_by_end", "account_id", "ended_at"),
    # For what happened to one SIM card.
    Index("actions_by_sim_card", "account_id", "sim_card_id"),
    # For what went wrong with one: whether an older success comes between.
    Index(
        "actions_failures_by_sim_card",
        "account_id",
        "sim_card_id",
        sqlite_where=text(FAILURES),
    ),
    # For the few actions that may be resumed.
    Index(
        "actions_interrupted",
        "account_id",
        "ended_at",
        sqlite_where=text("status = 'interrupted'"),
    ),
    # For the latest failures, of which there may be one among a million actions. Here and below,
    # what follows the id is there to be compared without a look at the row.
    Index(
        "actions_failed",
        "ended_at",
        "id",
        "account_id",
        "status",
        "action_type",
        "reason_hash",
        "failure_status",
        sqlite_where=text(FAILED),
    ),
    # For lists of any filters, in either order: each status and type is a part of its own.
    Index("actions_created", *_FIRST, "created_at", *_KEY, "updated_at", "reason_hash"),
    Index("actions_updated", *_FIRST, "updated_at", *_KEY, "created_at", "reason_hash"),
    Index("actions_odd", "account_id", sqlite_where=text(ODD)),
    # For lists of reasons, which few actions have.
    Index(
        "actions_reasons_created",
        *("created_at", *_KEY, "updated_at", *_FIRST, "reason_hash"),
        sqlite_where=text(_REASON),
    ),
    Index(
        "actions_reasons_updated",
        *("updated_at", *_KEY, "created_at", *_FIRST, "reason_hash"),
        sqlite_where=text(_REASON),
    ),
    # For the different reasons.
    Index("actions_by_reason", "reason_hash", sqlite_where=text(_REASON)),
    sqlite_with_rowid=False,
)

sums = Table(
    "sums",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("metric", TEXT, primary_key=True),
    Column("action_type", TEXT, primary_key=True),
    Column("label", TEXT, primary_key=True),
    Column("value", Float, nullable=False),
    Column("exemplar_action_id", TEXT),
    Column("exemplar_sim_card_id", TEXT),
    Column("exemplar_at", Float),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=True),
    Column("account_id", NUMBER, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("body", TEXT, nullable=False),  # an Event as JSON
    # For the undelivered events of an account, however many others have.
    Index("outbox_by_account", "account_id", "seq"),
    sqlite_autoincrement=True,
)

sink_positions = Table(
    "sink_positions",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("sink", TEXT, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the last event delivered to the sink
)

problems = Table(
    "problems",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("sim_card_id", TEXT, primary_key=True),
    Column("concern", TEXT, primary_key=True),
    Column("status", TEXT, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("action_id", TEXT, nullable=False),  # of the latest failure, as all below
    Column("action_type", TEXT, nullable=False),
    Column("reason", TEXT, nullable=False),
    Column("reason_class", TEXT, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
)

resolved_problems = Table(
    "resolved_problems",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("sim_card_id", TEXT, primary_key=True),
    Column("concern", TEXT, primary_key=True),
    Column("status", TEXT, primary_key=True),
    Column("resolved_at", Float, nullable=False),
    Column("body", TEXT, nullable=False),  # a Problem as JSON
)

sim_cards = Table(
    "sim_cards",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("id", TEXT, primary_key=True),
    Column("looked_up_at", Float, nullable=False),
    Column("body", TEXT, nullable=False),  # a SimCard as JSON
    Column("iccid", TEXT, nullable=False, server_default=""),  # as in there
    Index("sim_cards_by_iccid", "iccid"),
)

bulk_actions = Table(
    "bulk_actions",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("id", TEXT, primary_key=True),
    Column("action_type", TEXT, nullable=False),
    Column("created_at", Float),
    Column("seen_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("read_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("in_progress", BigInteger, nullable=False),  # members by status, as all below
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("interrupted", BigInteger, nullable=False),
    Column("other", BigInteger, nullable=False),
    Column("members_page", BigInteger, nullable=False),  # the next to read, 0: all were
    Column("drift", BigInteger, nullable=False),  # interrupted: the API's count minus ours
)

bulk_members = Table(
    "bulk_members",
    metadata,
    Column("account_id", NUMBER, primary_key=True, autoincrement=False),
    Column("bulk_id", TEXT, primary_key=True),
    Column("action_id", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

Step = Callable[[Connection], None]


@lru_cache(500)
def reason_hash(reason: str | None) -> int | None:
    """Return the number by which a reason is found, whatever its length; None without one."""
    if not reason:
        return None
    digest = blake2b(reason.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _add_cutoff(connection: Connection) -> None:
    """Migrate version 1 to 2."""
    connection.execute(text("ALTER TABLE listings ADD COLUMN cutoff FLOAT"))
    connection.execute(
        text(
            "UPDATE listings SET cutoff = "
            "(SELECT baseline_at FROM accounts WHERE accounts.id = listings.account_id)"
        )
    )


def _separate_control_state(connection: Connection) -> None:
    """Migrate version 2 to 3: current names for cursors, and tables for drift and sweeps."""
    renamed = {
        "accounted": "seen_count",
        "horizon": "baseline_cutoff",
        "frontier": "high_watermark",
        "pruned": "dropped",
        "cutoff": "baseline_time",
    }
    for old, new in renamed.items():
        connection.execute(text(f"ALTER TABLE listings RENAME COLUMN {old} TO {new}"))
    connection.execute(text("ALTER TABLE listings RENAME TO list_cursors"))
    key = "account_id INTEGER NOT NULL, action_type TEXT NOT NULL, status TEXT NOT NULL"
    end = "PRIMARY KEY (account_id, action_type, status)"
    for statement in (
        f"CREATE TABLE drift ({key}, difference BIGINT NOT NULL, {end})",
        f"CREATE TABLE sweeps ({key}, next_page BIGINT NOT NULL, missing BIGINT NOT NULL, {end})",
        """
        INSERT INTO drift SELECT account_id, action_type, label, CAST(value AS BIGINT) FROM sums
        WHERE metric = 'unexplained'
        """,
        """
        INSERT INTO sweeps
        SELECT page.account_id, page.action_type, page.label,
            CAST(page.value AS BIGINT), CAST(missing.value AS BIGINT)
        FROM sums page JOIN sums missing ON missing.account_id = page.account_id
            AND missing.action_type = page.action_type AND missing.label = page.label
        WHERE page.metric = 'sweep_page' AND missing.metric = 'sweep_missing' AND page.value > 0
        """,
        "DELETE FROM sums WHERE metric IN ('unexplained', 'sweep_page', 'sweep_missing')",
    ):
        connection.execute(text(statement))


_SINK_POSITIONS = """
CREATE TABLE sink_positions (
    account_id INTEGER NOT NULL, sink TEXT NOT NULL, seq BIGINT NOT NULL,
    PRIMARY KEY (account_id, sink)
);
INSERT INTO sink_positions SELECT id, 'log', COALESCE(
    (SELECT MIN(seq) - 1 FROM outbox WHERE account_id = accounts.id AND NOT logged),
    (SELECT MAX(seq) FROM outbox WHERE account_id = accounts.id),
    0
) FROM accounts;
ALTER TABLE outbox RENAME TO outbox_2;
CREATE TABLE outbox (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, account_id INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL
);
INSERT INTO outbox SELECT seq, account_id, kind, body FROM outbox_2;
DROP TABLE outbox_2;
CREATE INDEX outbox_by_account ON outbox (account_id, seq)
"""


def _add_sink_positions(connection: Connection) -> None:
    """Migrate version 3 to 4: the log, the only sink so far, keeps its position.

    The events that version 3 marked as logged are always the oldest. The table is copied, because
    SQLite before 3.35 cannot drop columns.
    """
    for statement in _SINK_POSITIONS.split(";"):
        connection.execute(text(statement))


_PROBLEMS = """
ALTER TABLE accounts ADD COLUMN sim_card_total BIGINT;
ALTER TABLE actions ADD COLUMN failure_at FLOAT;
ALTER TABLE actions ADD COLUMN failure_status TEXT NOT NULL DEFAULT '';
CREATE INDEX actions_by_sim_card ON actions (account_id, sim_card_id);
CREATE INDEX actions_failed ON actions (ended_at, id, account_id)
    WHERE status IN ('failed', 'interrupted');
CREATE TABLE problems (
    account_id INTEGER NOT NULL, sim_card_id TEXT NOT NULL, concern TEXT NOT NULL,
    status TEXT NOT NULL, opened_at FLOAT NOT NULL, attempts BIGINT NOT NULL,
    action_id TEXT NOT NULL, action_type TEXT NOT NULL, reason TEXT NOT NULL,
    reason_class TEXT NOT NULL, started_at FLOAT NOT NULL, changed_at FLOAT NOT NULL,
    PRIMARY KEY (account_id, sim_card_id, concern)
);
CREATE TABLE resolved_problems (
    account_id INTEGER NOT NULL, sim_card_id TEXT NOT NULL, concern TEXT NOT NULL,
    status TEXT NOT NULL, resolved_at FLOAT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (account_id, sim_card_id, concern, status)
);
CREATE TABLE sim_cards (
    account_id INTEGER NOT NULL, id TEXT NOT NULL, looked_up_at FLOAT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (account_id, id)
)
"""


def _add_problems(connection: Connection) -> None:
    """Migrate version 4 to 5: no SIM card has a problem yet, whatever failed before."""
    for statement in _PROBLEMS.split(";"):
        connection.execute(text(statement))


_SEARCHES = """
ALTER TABLE sim_cards ADD COLUMN iccid TEXT NOT NULL DEFAULT '';
CREATE INDEX sim_cards_by_iccid ON sim_cards (iccid);
ALTER TABLE actions ADD COLUMN reason_hash BIGINT;
DROP INDEX actions_failed;
CREATE INDEX actions_failed ON actions
    (ended_at, id, account_id, status, action_type, reason_hash, failure_status)
    WHERE status IN ('failed', 'interrupted');
CREATE INDEX actions_created ON actions
    (status, action_type, created_at, id, account_id, updated_at, reason_hash);
CREATE INDEX actions_updated ON actions
    (status, action_type, updated_at, id, account_id, created_at, reason_hash);
CREATE INDEX actions_undated ON actions (account_id)
    WHERE (created_at IS NULL OR updated_at IS NULL);
CREATE INDEX actions_reasons_created ON actions
    (created_at, id, account_id, updated_at, status, action_type, reason_hash)
    WHERE reason_hash IS NOT NULL;
CREATE INDEX actions_reasons_updated ON actions
    (updated_at, id, account_id, created_at, status, action_type, reason_hash)
    WHERE reason_hash IS NOT NULL;
CREATE INDEX actions_by_reason ON actions (reason_hash) WHERE reason_hash IS NOT NULL
"""


def _add_searches(connection: Connection) -> None:
    """Migrate version 5 to 6: ICCIDs, hashes of the reasons, indexes for lists of any filters."""
    cards, by_iccid, hashes, *indexes = _SEARCHES.split(";")
    for statement in (cards, by_iccid, hashes):
        connection.execute(text(statement))
    # Not by a type of today: a migration is not to change with it.
    for each in connection.execute(text("SELECT account_id, id, body FROM sim_cards")).all():
        connection.execute(
            text("UPDATE sim_cards SET iccid = :iccid WHERE account_id = :account AND id = :id"),
            {
                "iccid": json.loads(each.body).get("iccid", ""),
                "account": each.account_id,
                "id": each.id,
            },
        )
    after = "", 0
    while rows := connection.execute(
        text(
            "SELECT id, account_id, reason FROM actions WHERE reason IS NOT NULL"
            " AND (id, account_id) > (:id, :account) ORDER BY id, account_id LIMIT 10000"
        ),
        dict(zip(("id", "account"), after, strict=True)),
    ).all():
        connection.execute(
            text("UPDATE actions SET reason_hash = :hash WHERE id = :id AND account_id = :account"),
            [
                {"hash": reason_hash(each.reason), "id": each.id, "account": each.account_id}
                for each in rows
            ],
        )
        after = rows[-1].id, rows[-1].account_id
    for statement in indexes:
        connection.execute(text(statement))


_BULK_ACTIONS = """
ALTER TABLE accounts ADD COLUMN bulks_at FLOAT;
ALTER TABLE accounts ADD COLUMN bulks_since FLOAT;
CREATE TABLE bulk_actions (
    account_id {number} NOT NULL, id {text} NOT NULL, action_type {text} NOT NULL,
    created_at FLOAT, seen_at FLOAT NOT NULL, changed_at FLOAT NOT NULL,
    read_at FLOAT NOT NULL, ended_at FLOAT,
    in_progress BIGINT NOT NULL, completed BIGINT NOT NULL, failed BIGINT NOT NULL,
    interrupted BIGINT NOT NULL, other BIGINT NOT NULL, members_page BIGINT NOT NULL,
    drift BIGINT NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE TABLE bulk_members (
    account_id {number} NOT NULL, bulk_id {text} NOT NULL, action_id {text} NOT NULL,
    PRIMARY KEY (account_id, bulk_id, action_id)
){without_rowid}
"""


def _add_bulk_actions(connection: Connection) -> None:
    """Migrate version 6 to 7: no bulk action is known yet."""
    postgresql = connection.dialect.name == "postgresql"
    statements = _BULK_ACTIONS.format(
        number="BIGINT" if postgresql else "INTEGER",
        text='TEXT COLLATE "C"' if postgresql else "TEXT",
        without_rowid="" if postgresql else " WITHOUT ROWID",
    )
    for statement in statements.split(";"):
        connection.execute(text(statement))


_MORE_INDEXES = """
CREATE INDEX actions_failures_by_sim_card ON actions (account_id, sim_card_id)
    WHERE failure_at IS NOT NULL;
DROP INDEX actions_undated;
CREATE INDEX actions_odd ON actions (account_id)
    WHERE (created_at IS NULL OR updated_at IS NULL OR updated_at < created_at - 60)
"""


def _add_more_indexes(connection: Connection) -> None:
    """Migrate version 7 to 8: failures by SIM card; what ended before its creation is odd, too."""
    for statement in _MORE_INDEXES.split(";"):
        connection.execute(text(statement))


MIGRATIONS: tuple[Step, ...] = (
    _add_cutoff,
    _separate_control_state,
    _add_sink_positions,
    _add_problems,
    _add_searches,
    _add_bulk_actions,
    _add_more_indexes,
)
"""The first one migrates version 1 to 2, and so on; a released migration never changes.

A new database needs none: it is created from the tables above. A later one than these has to give
text columns the order of TEXT in PostgreSQL, which no version before 5 was in.
"""


def migrate(connection: Connection, steps: Sequence[Step] = MIGRATIONS) -> None:
    """Migrate the database to the newest version, within the caller's transaction.

    Raises StateError if a newer release or another program wrote it.
    """
    newest = 1 + len(steps)
    version = _version(connection)
    if version is None:
        metadata.create_all(connection)
        connection.execute(schema_version.insert().values(version=newest))
        return
    if version > newest:
        raise StateError(
            f"the state database has schema version {version}, but this release supports up to "
            f"{newest}; run the newer release, or set state.url to another database"
        )
    for step in steps[version - 1 :]:
        step(connection)
    if version < newest:
        connection.execute(update(schema_version).values(version=newest))


def is_new(connection: Connection) -> bool:
    """Tell whether the database has no tables yet."""
    return not inspect(connection).get_table_names()


def stored_version(connection: Connection) -> int | None:
    """Return the version in the table `schema_version`; None if it is not one of the exporter's.

    Ours has exactly one row with a positive integer; the table of another program may have any
    columns, values and number of rows.
    """
    columns = {each["name"] for each in inspect(connection).get_columns(schema_version.name)}
    if schema_version.c.version.name not in columns:
        return None
    found = connection.execute(select(schema_version.c.version).limit(2)).scalars().all()
    # SQLite keeps values of any type in a column of integers that another program declared.
    versions: list[object] = list(found)
    match versions:
        case [int(version)] if version > 0:
            return version
    return None


def _version(connection: Connection) -> int | None:
    """Return the version of the database, None if it is new."""
    tables = inspect(connection).get_table_names()
    if schema_version.name in tables:
        version = stored_version(connection)
        if version is None:
            raise StateError(
                "the state database was created by another program (its table "
                f"{schema_version.name!r} is not the exporter's); set state.url to another database"
            )
        return version
    if tables:
        raise StateError(
            f"the state database was created by another program (it has a table {tables[0]!r}); "
            "set state.url to another database"
        )
    return None
