from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, insert, inspect, select, text

from exporter.errors import StateError
from exporter.ledger.store.schema import (
    MIGRATIONS,
    drift,
    list_cursors,
    metadata,
    migrate,
    reason_hash,
    schema_version,
    sums,
    sweeps,
)

NEWEST = 1 + len(MIGRATIONS)

VERSION_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE accounts (
    id INTEGER NOT NULL, name TEXT NOT NULL, baseline_at FLOAT, audit_at FLOAT,
    PRIMARY KEY (id), UNIQUE (name)
);
CREATE TABLE listings (
    account_id INTEGER NOT NULL, action_type TEXT NOT NULL, status TEXT NOT NULL,
    sort_order TEXT NOT NULL, accounted BIGINT NOT NULL, horizon FLOAT, frontier FLOAT,
    pruned BIGINT NOT NULL,
    PRIMARY KEY (account_id, action_type, status)
);
CREATE TABLE actions (
    id TEXT NOT NULL, account_id INTEGER NOT NULL, sim_card_id TEXT NOT NULL,
    action_type TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, created_at FLOAT,
    updated_at FLOAT, seen_at FLOAT NOT NULL, ended_at FLOAT, position BIGINT,
    stuck BOOLEAN NOT NULL,
    PRIMARY KEY (id, account_id)
) WITHOUT ROWID;
CREATE INDEX actions_by_end ON actions (account_id, ended_at);
CREATE INDEX actions_interrupted ON actions (account_id, ended_at) WHERE status = 'interrupted';
CREATE TABLE sums (
    account_id INTEGER NOT NULL, metric TEXT NOT NULL, action_type TEXT NOT NULL,
    label TEXT NOT NULL, value FLOAT NOT NULL, exemplar_action_id TEXT,
    exemplar_sim_card_id TEXT, exemplar_at FLOAT,
    PRIMARY KEY (account_id, metric, action_type, label)
);
CREATE TABLE outbox (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, account_id INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL, logged BOOLEAN NOT NULL
);
INSERT INTO schema_version VALUES (1);
INSERT INTO accounts VALUES
    (1, 'main', 1000.0, 1500.0), (2, 'second', 2000.0, NULL), (3, 'new', NULL, NULL);
INSERT INTO listings VALUES
    (1, '', '', 'newest', 10, 900.0, 1400.0, 0),
    (2, 'enable', 'failed', 'oldest', 20, NULL, NULL, 0),
    (2, 'disable', '', 'none', 30, 1900.0, 1900.0, 5),
    (3, '', '', 'newest', 0, NULL, NULL, 0);
"""
"""What the first version made of a new database, and what it may hold."""


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Give a connection to a database in memory that holds nothing."""
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def version(connection: Connection) -> int:
    """Return the version that the database says it has."""
    return int(connection.execute(select(schema_version.c.version)).scalar_one())


def make_version_1(connection: Connection) -> None:
    """Make the tables as the first version did, and fill them."""
    for statement in VERSION_1.strip().removesuffix(";").split(";"):
        connection.execute(text(statement))


def add_note(connection: Connection) -> None:
    """Change the schema as a later release might."""
    connection.execute(text("ALTER TABLE accounts ADD COLUMN note TEXT"))


def fill_note(connection: Connection) -> None:
    """Change what is kept as a still later release might."""
    connection.execute(text("UPDATE accounts SET note = name || '!'"))


def test_a_new_database_is_made_whole(connection: Connection) -> None:
    """All tables are there, and the version is the newest."""
    migrate(connection)
    assert set(inspect(connection).get_table_names()) == set(metadata.tables)
    assert version(connection) == NEWEST


def test_a_second_time_changes_nothing(connection: Connection) -> None:
    """What is kept stays, and so does the version."""
    migrate(connection)
    connection.execute(text("INSERT INTO accounts (name) VALUES ('main')"))
    migrate(connection)
    assert connection.execute(text("SELECT name FROM accounts")).scalars().all() == ["main"]
    assert version(connection) == NEWEST


def test_an_older_database_is_brought_up_step_by_step(connection: Connection) -> None:
    """Each step runs once, in its order, on what the one before left."""
    migrate(connection)
    connection.execute(text("INSERT INTO accounts (name) VALUES ('main')"))
    migrate(connection, (*MIGRATIONS, add_note))
    assert version(connection) == NEWEST + 1
    migrate(connection, (*MIGRATIONS, add_note, fill_note))
    assert version(connection) == NEWEST + 2
    assert connection.execute(text("SELECT note FROM accounts")).scalar_one() == "main!"


def test_a_new_database_needs_no_steps(connection: Connection) -> None:
    """It is made as the newest release wants it, so steps for older ones do not run."""
    migrate(connection, (fill_note,))  # would fail: a new table has no such column
    assert version(connection) == 2


def test_a_newer_database_is_refused(connection: Connection) -> None:
    """The text says which versions they are, and what to do."""
    migrate(connection, (*MIGRATIONS, add_note))
    with pytest.raises(
        StateError, match=rf"has schema version {NEWEST + 1}.*up to {NEWEST}; run the newer release"
    ):
        migrate(connection)


def test_another_programs_database_is_refused(connection: Connection) -> None:
    """Tables of ours are not put among those of others."""
    connection.execute(text("CREATE TABLE recipes (id INTEGER)"))
    with pytest.raises(StateError, match=r"another program.*'recipes'.*state\.url"):
        migrate(connection)
    assert inspect(connection).get_table_names() == ["recipes"]


@pytest.mark.parametrize(
    "values", ["('1.2.3')", "('5')", "(5.5)", "(NULL)", "(0)", "(-1)", "(1), (2)", "(5), ('x')", ""]
)
def test_a_version_that_is_not_ours_is_refused(connection: Connection, values: str) -> None:
    """Only one row with a positive integer is the version of a state database."""
    connection.execute(text("CREATE TABLE schema_version (version)"))
    if values:
        connection.execute(text(f"INSERT INTO schema_version VALUES {values}"))  # noqa: S608 # ours
    with pytest.raises(StateError, match=r"created by another program.*set state\.url to another"):
        migrate(connection)


def test_a_version_table_with_other_columns_is_refused(connection: Connection) -> None:
    """Migration tools of other programs name theirs the same."""
    connection.execute(text("CREATE TABLE schema_version (installed_rank INTEGER)"))
    with pytest.raises(StateError, match=r"created by another program.*set state\.url to another"):
        migrate(connection)


def test_version_1_learns_when_its_listings_began(connection: Connection) -> None:
    """All that a listing held at the account's first poll came before it; the rest stays."""
    make_version_1(connection)
    migrate(connection)
    kept = connection.execute(select(list_cursors).order_by("account_id", "action_type")).all()
    assert [tuple(each) for each in kept] == [
        (1, "", "", "newest", 10, 900.0, 1400.0, 0, 1000.0),
        (2, "disable", "", "none", 30, 1900.0, 1900.0, 5, 2000.0),
        (2, "enable", "failed", "oldest", 20, None, None, 0, 2000.0),
        (3, "", "", "newest", 0, None, None, 0, None),
    ]
    assert version(connection) == NEWEST


def test_control_state_leaves_the_sums(connection: Connection) -> None:
    """Drift and running sweeps of version 2 are kept; sweeps that had ended are not."""
    make_version_1(connection)
    rows = [
        ("created", "enable", "", 7),
        ("known", "enable", "failed", 5),
        ("unexplained", "enable", "failed", -2),
        ("unexplained", "disable", "completed", 3),
        ("sweep_page", "enable", "completed", 48),
        ("sweep_missing", "enable", "completed", 5),
        ("sweep_page", "disable", "failed", 0),
        ("sweep_missing", "disable", "failed", 0),
    ]
    for row in rows:
        connection.execute(
            insert(sums).values(
                account_id=1,
                **dict(zip(("metric", "action_type", "label", "value"), row, strict=True)),
            )
        )
    migrate(connection)
    assert connection.execute(select(drift).order_by("action_type")).all() == [
        (1, "disable", "completed", 3),
        (1, "enable", "failed", -2),
    ]
    assert connection.execute(select(sweeps)).all() == [(1, "enable", "completed", 48, 5)]
    assert sorted(connection.execute(select(sums.c.metric)).scalars()) == ["created", "known"]


VERSION_2 = """
ALTER TABLE listings ADD COLUMN cutoff FLOAT;
UPDATE schema_version SET version = 2;
INSERT INTO accounts VALUES (4, 'quiet', 1000.0, 1500.0);
INSERT INTO outbox VALUES
    (3, 1, 'sim_card_action_failed', 'a', 1), (4, 2, 'sim_card_action_failed', 'b', 1),
    (6, 1, 'sim_card_action_interrupted', 'c', 0), (7, 2, 'sim_card_action_failed', 'd', 1),
    (8, 3, 'sim_card_action_stuck', 'e', 0), (9, 1, 'sim_card_action_failed', 'f', 0)
"""
"""What the second version changed, and what it may hold: of some accounts not all is logged."""


def test_version_2_goes_on_where_the_log_was(connection: Connection) -> None:
    """What was not logged is yet to be delivered to the log, what was is not, and all is kept."""
    make_version_1(connection)
    for statement in VERSION_2.split(";"):
        connection.execute(text(statement))
    migrate(connection)
    assert version(connection) == NEWEST
    waiting = "FROM outbox JOIN sink_positions USING (account_id) WHERE outbox.seq > %s"
    query = f"SELECT body {waiting % 'sink_positions.seq'} AND sink = 'log' ORDER BY outbox.seq"
    assert connection.execute(text(query)).scalars().all() == ["c", "e", "f"]
    kept = connection.execute(text("SELECT seq, account_id, kind, body FROM outbox")).all()
    assert [(seq, account_id, body) for seq, account_id, _, body in kept] == [
        (3, 1, "a"), (4, 2, "b"), (6, 1, "c"), (7, 2, "d"), (8, 3, "e"), (9, 1, "f"),
    ]  # fmt: skip
    positions = connection.execute(text("SELECT * FROM sink_positions ORDER BY account_id")).all()
    assert [tuple(each) for each in positions] == [
        (1, "log", 5), (2, "log", 7), (3, "log", 7), (4, "log", 0),
    ]  # fmt: skip


def test_version_2_goes_on_counting_events(connection: Connection) -> None:
    """No number is given to a second event while the first is there."""
    make_version_1(connection)
    for statement in VERSION_2.split(";"):
        connection.execute(text(statement))
    migrate(connection)
    connection.execute(text("INSERT INTO outbox (account_id, kind, body) VALUES (1, 'x', 'g')"))
    assert connection.execute(text("SELECT max(seq) FROM outbox")).scalar_one() == 10


def test_version_1_gets_the_tables_of_a_new_database(connection: Connection) -> None:
    """The columns and the indexes are those that this release makes."""
    make_version_1(connection)
    migrate(connection)
    tables = inspect(connection)
    for table in metadata.sorted_tables:
        columns = {column["name"] for column in tables.get_columns(table.name)}
        indexes = {index["name"] for index in tables.get_indexes(table.name)}
        assert columns == set(table.columns.keys())
        assert indexes == {index.name for index in table.indexes}


def test_version_5_gets_what_is_searched_by(connection: Connection) -> None:
    """The ICCIDs of the SIM cards that are known, and the hashes of the reasons."""
    make_version_1(connection)
    migrate(connection, MIGRATIONS[:4])
    actions = "id, account_id, sim_card_id, action_type, status, reason, seen_at, stuck"
    for row in ("'a', 1, 's', 'enable', 'failed', 'x', 1, 0", "'b', 1, 's', '', '', NULL, 1, 0"):
        connection.execute(text(f"INSERT INTO actions ({actions}) VALUES ({row})"))  # noqa: S608 # ours
    for number, body in enumerate(('{"id":"0","iccid":"8988"}', '{"id":"1"}')):
        values = {"id": str(number), "body": body}
        connection.execute(text("INSERT INTO sim_cards VALUES (1, :id, 1.0, :body)"), values)
    migrate(connection)
    found = connection.execute(text("SELECT id, reason_hash FROM actions ORDER BY id")).all()
    assert [tuple(each) for each in found] == [("a", reason_hash("x")), ("b", None)]
    cards = connection.execute(text("SELECT iccid FROM sim_cards ORDER BY id")).scalars()
    assert list(cards) == ["8988", ""]
