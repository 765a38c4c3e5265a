from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, inspect, select, text

from exporter.errors import StateError
from exporter.ledger.schema import MIGRATIONS, metadata, migrate, schema_version

NEWEST = 1 + len(MIGRATIONS)


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
        StateError, match=rf"has version {NEWEST + 1}.*up to {NEWEST}: run the newer release"
    ):
        migrate(connection)


def test_another_programs_database_is_refused(connection: Connection) -> None:
    """Tables of ours are not put among those of others."""
    connection.execute(text("CREATE TABLE recipes (id INTEGER)"))
    with pytest.raises(StateError, match=r"another program.*'recipes'.*state\.url"):
        migrate(connection)
    assert inspect(connection).get_table_names() == ["recipes"]
