"""The write-ahead log stays small, or it is told why it does not."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine, text

from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.wal import HELD, KEPT, LARGE, WriteAheadLog

DEADLINE = 60.0
"""Seconds that the thread of a log may take on a busy machine."""


@dataclass
class FilledDatabase:
    """A database whose log can be filled."""

    database: Database
    file: Path

    def write(self, size: int) -> None:
        """Write that many bytes in one transaction."""
        with self.database.transaction() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS filler (content BLOB)"))
            connection.execute(text("DELETE FROM filler"))
            filled = text("INSERT INTO filler VALUES (zeroblob(:size))")
            connection.execute(filled, {"size": size})

    def page_read(self) -> int:
        """Go through a transaction that writes nothing; returns the size of the log."""
        with self.database.transaction():
            pass
        return self.file.with_name("state.db-wal").stat().st_size

    def until(self, holds: Callable[[int], object]) -> None:
        """Go through transactions that write nothing until the size of the log is as wanted."""
        end, pause = monotonic() + DEADLINE, Event()
        while not holds(size := self.page_read()):
            assert monotonic() < end, f"the log has {size} bytes"
            pause.wait(0.01)


@pytest.fixture
def state(state_file: Path, heard: Any) -> Iterator[FilledDatabase]:
    """Give an open database."""
    database = Database(f"sqlite:///{state_file}", notices=heard)
    yield FilledDatabase(database, state_file)
    database.close()


@pytest.fixture
def reader(state: FilledDatabase) -> Iterator[sqlite3.Connection]:
    """Give a reader of the database that stays in one transaction."""
    state.page_read()
    with closing(sqlite3.connect(state.file, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM accounts").fetchone()
        yield connection


@pytest.fixture
def no_threads() -> Iterator[None]:
    """Let the system refuse new threads: it has no room for their stacks."""
    before = threading.stack_size(1 << 60)
    yield
    threading.stack_size(before)


@pytest.mark.parametrize("size", [LARGE, HELD])
def test_a_large_log_is_emptied(state: FilledDatabase, heard: Any, size: int) -> None:
    """A burst leaves nothing behind: neither in the log, nor in what is told."""
    state.write(size + 1)
    state.until(lambda found: found == 0)
    state.page_read()
    assert state.database.sizes is not None
    assert state.database.sizes.database > size
    assert heard.losses == []


def test_a_log_that_is_begun_anew_gives_back_what_it_took(state: FilledDatabase) -> None:
    """It is not truncated at each commit, which would cost more than it saves."""
    state.write(KEPT + 1)
    state.until(lambda found: found > KEPT)

    def written(_: int) -> bool:
        state.write(1)
        return state.page_read() == KEPT

    state.until(written)


def test_a_reader_holds_the_log_and_is_told_of_once(
    state: FilledDatabase, reader: sqlite3.Connection, heard: Any
) -> None:
    """Polls go on without a wait; the log is emptied as soon as the reader is gone."""
    state.write(HELD)
    state.until(lambda _: heard.losses)
    for _ in range(3):
        assert state.page_read() > HELD
    assert [name for name, size in heard.losses if size > HELD] == ["log large"]
    reader.execute("COMMIT")
    state.until(lambda found: found == 0)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM accounts").fetchone()
    state.write(HELD)
    state.until(lambda _: len(heard.losses) > 1)


def test_a_reader_holds_up_no_end(state: FilledDatabase, reader: sqlite3.Connection) -> None:
    """To close the database does not wait until a reader allows to write its log back."""
    state.write(LARGE)
    state.database.close()
    assert reader.in_transaction


def test_what_cannot_be_written_back_fails_nothing(heard: Any, tmp_path: Path) -> None:
    """It only takes room: it is tried again later, and no reader is blamed."""
    log = WriteAheadLog("state.db", 0, heard)
    broken = create_engine(f"sqlite:///{tmp_path}/none/state.db")
    closed = create_engine("sqlite://", poolclass=StaticPool)
    with closing(closed.raw_connection()) as connection:
        assert isinstance(connection.driver_connection, sqlite3.Connection)
        connection.driver_connection.close()
    for engine in (broken, closed):
        log.keep_small(engine, HELD + 1)
    assert heard.losses == []


def test_a_log_is_written_back_beside_the_commits(state_file: Path) -> None:
    """A commit writes the log only; the database follows on another thread."""
    log = WriteAheadLog(str(state_file), 0, None)
    with closing(sqlite3.connect(state_file, isolation_level=None)) as owner:
        owner.execute("PRAGMA journal_mode=WAL")
        owner.execute("PRAGMA wal_autocheckpoint=0")
        owner.execute("CREATE TABLE filler (content BLOB)")
        log.open(state_file)
        owner.execute("INSERT INTO filler VALUES (zeroblob(?))", (KEPT,))
        before = state_file.stat().st_size
        log.committed(KEPT)
        log.close()
        assert state_file.stat().st_size == before
        log.open(state_file)
        log.committed(KEPT + 1)
        log.close()
        assert state_file.stat().st_size > KEPT > before


def test_no_attempt_begins_with_nothing_to_write_back(state_file: Path) -> None:
    """SQLite before 3.51.3 may lose a commit that begins the log anew during such an attempt."""
    log = WriteAheadLog(str(state_file), 0, None)
    engine = create_engine(f"sqlite:///{state_file}")
    with closing(sqlite3.connect(state_file, isolation_level=None)) as owner:
        owner.execute("PRAGMA journal_mode=WAL")
        owner.execute("PRAGMA wal_autocheckpoint=0")
        owner.execute("CREATE TABLE filler (content BLOB)")
        log.open(state_file)

        def write(size: int) -> int:
            """Write that many bytes in one transaction; returns the size of the database then."""
            owner.execute("INSERT INTO filler VALUES (zeroblob(?))", (size,))
            log.committed(KEPT + 1)
            for each in threading.enumerate():
                if each.name == "write-back":
                    each.join(DEADLINE)
            return state_file.stat().st_size

        assert write(KEPT) > KEPT
        before = state_file.stat().st_size
        # The attempt ended during this transaction, so it may have had the commit of it.
        assert write(KEPT) == before
        log.keep_small(engine, KEPT + 1)
        assert write(1) > before
        log.close()
    engine.dispose()


@pytest.mark.usefixtures("no_threads")
def test_without_threads_the_log_is_emptied_between_commits(
    state: FilledDatabase, heard: Any
) -> None:
    """No commit fails, or writes the log back itself; the database can be closed."""
    state.page_read()
    state.write(HELD + 1)
    assert state.file.stat().st_size < HELD
    assert state.page_read() == 0
    assert state.file.stat().st_size > HELD
    state.write(KEPT + 1)
    state.database.close()
    assert not state.file.with_name("state.db-wal").exists()
    assert heard.losses == []


def test_the_sizes_are_those_of_the_files(state: FilledDatabase) -> None:
    """They are known from the first transaction on."""
    store = SqliteStore(state.database)
    assert store.sizes == {}
    state.page_read()
    log = state.page_read()
    assert store.sizes == {"database": state.file.stat().st_size, "log": log}
