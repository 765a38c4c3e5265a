"""What only a reader of a state in memory meets: its owner, on the same connection."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, text

from exporter.errors import QueryTimeoutError, StateError
from exporter.ledger.queries import ActionQuery, FailureQuery, LedgerView, ProblemQuery
from exporter.ledger.store.database import Database
from exporter.ledger.store.memory_reader import MemoryReader
from exporter.ledger.store.sqlite import SqliteStore
from tests.ledger.store.contract import NOW, a_bare_unit, failed

Opener = Callable[..., Any]
DEADLINE = 30.0

COUNT = "SELECT count(*) FROM accounts"
ENDLESS = text(
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) "
    "SELECT count(*) FROM numbers"
)


@pytest.fixture
def database() -> Iterator[Database]:
    """Give a database in memory, which nobody has opened yet."""
    made = Database("sqlite://")
    yield made
    made.close()


@pytest.fixture
def open_store(database: Database) -> Callable[[], SqliteStore]:
    """Open stores on it, for the accounts of `open_account`."""
    return lambda: SqliteStore(database)


@pytest.fixture
def reader(database: Database) -> MemoryReader:
    """Give a reader of it."""
    return MemoryReader(database)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that are waited for in the end."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def accounts(connection: Connection) -> int:
    """Return how many accounts there are."""
    return int(connection.exec_driver_sql(COUNT).scalar_one())


def test_a_commit_waits_for_a_query_and_a_query_for_a_commit(
    database: Database, reader: MemoryReader, threads: ThreadPoolExecutor
) -> None:
    """Neither fails, and a query sees all of a commit or nothing."""
    store = SqliteStore(database)
    store.load("first")
    with reader.reading() as connection:
        committed = threads.submit(store.load, "second")
        assert accounts(connection) == 1
        assert not committed.done()
        assert accounts(connection) == 1
    assert committed.result(DEADLINE).name == "second"

    began, go_on = Event(), Event()

    def write() -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO accounts (name) VALUES ('third')")
            began.set()
            assert go_on.wait(DEADLINE)
            connection.exec_driver_sql("INSERT INTO accounts (name) VALUES ('fourth')")

    def read() -> int:
        with reader.reading() as connection:
            return accounts(connection)

    written = threads.submit(write)
    assert began.wait(DEADLINE)
    seen = threads.submit(read)
    go_on.set()
    assert seen.result(DEADLINE) == 4
    written.result(DEADLINE)


def test_queries_without_a_pause_hold_up_no_commit(
    database: Database, view: Callable[..., LedgerView], threads: ThreadPoolExecutor
) -> None:
    """Each has its turn, however many read; what was committed is seen by who asks next."""
    store = SqliteStore(database)
    mine = store.load("main").account_id
    reader, over = MemoryReader(database, timeout=DEADLINE), Event()

    def read() -> int:
        for asked in count(1):
            reader.actions(view(), ActionQuery())
            if over.is_set():
                return asked
        raise AssertionError

    readers = [threads.submit(read) for _ in range(3)]
    for number in range(50):
        store.commit(mine, a_bare_unit(baseline_at=float(number + 1)), {})
        assert reader.complete_since(view()) == number + 1
    over.set()
    assert all(each.result(DEADLINE) for each in readers)


async def test_a_query_that_takes_long_says_what_to_do(
    open_account: Opener, database: Database, view: Callable[..., LedgerView]
) -> None:
    """It ends, and what was counted is there for the next one; the limit is not the owner's."""
    account = open_account()
    await account.saw(*(failed(f"a-{n}") for n in range(3000)), at=NOW + 100)
    before = account.store.session
    clock = iter(range(1_000_000))
    slow = MemoryReader(database, timeout=1.0, monotonic=lambda: float(next(clock)))
    with pytest.raises(QueryTimeoutError, match=r"longer than 1 s; narrow the filters"):
        slow.failures(view(), FailureQuery())
    with pytest.raises(QueryTimeoutError), slow.reading() as connection:
        connection.execute(ENDLESS)
    mine = account.kept().account_id
    assert len(account.store.find(mine, [f"a-{n}" for n in range(3000)])) == 3000
    assert len(MemoryReader(database).failures(view(), FailureQuery()).rows) == 3000
    assert account.store.session == before


async def test_to_classify_reasons_is_part_of_a_query(
    open_account: Opener, database: Database, view: Callable[..., LedgerView]
) -> None:
    """It may take longer than to read them, and commits wait for both."""
    reasons = [f"reason {n}" for n in range(3000)]
    await open_account().saw(*(failed(each, reason=each) for each in reasons), at=NOW + 100)
    took = 0

    def classify(_: str | None) -> str:
        nonlocal took
        took += 1
        return "other"

    shown = replace(view(), classify=classify)
    assert len(MemoryReader(database).failure_reasons(shown, NOW)) == 3000
    slow = MemoryReader(database, timeout=1000.0, monotonic=lambda: float(took))
    with pytest.raises(QueryTimeoutError):
        slow.failure_reasons(shown, NOW)
    assert took < 6000


def test_an_error_of_a_query_leaves_the_state_alone(
    database: Database, reader: MemoryReader
) -> None:
    """It is told without the statement; the owner's data is what it was."""
    store = SqliteStore(database)
    store.load("main")
    with (
        pytest.raises(StateError, match=r"^state database in memory: no such table: nowhere$"),
        reader.reading() as connection,
    ):
        connection.exec_driver_sql("SELECT 1 FROM nowhere")
    with reader.reading() as connection:
        assert accounts(connection) == 1
    assert store.session == 0


def test_a_reader_that_waits_too_long_gives_up(database: Database) -> None:
    """As with a file that is locked; the next one is answered."""

    def read() -> None:
        with MemoryReader(database, timeout=0.001).reading():
            pytest.fail("reads within a transaction")

    with (
        ThreadPoolExecutor(1) as thread,
        database.transaction(),
        pytest.raises(StateError, match="state database in memory is busy; try again"),
    ):
        thread.submit(read).result()
    with MemoryReader(database).reading() as connection:
        assert accounts(connection) == 0


def test_a_look_at_the_database_waits_for_its_turn(
    database: Database, threads: ThreadPoolExecutor
) -> None:
    """It opens or closes the database, which nobody may read meanwhile."""
    database.check()
    with database.lent(DEADLINE):
        looking = threads.submit(database.check)
        turns = database._turns._queue  # noqa: SLF001 # nothing else tells that it waits
        while len(turns) < 2 and not looking.done():
            pass
        assert not looking.done()
    looking.result(DEADLINE)


def test_after_an_error_of_its_owner_it_begins_anew(
    database: Database, reader: MemoryReader, view: Callable[..., LedgerView]
) -> None:
    """What was is gone for readers, too; until its owner opens it again, it says so."""
    store = SqliteStore(database)

    def refuses() -> None:
        with pytest.raises(StateError, match="is not open; the next poll opens it"):
            reader.problems(view(), ProblemQuery())

    refuses()
    store.load("main")
    with pytest.raises(StateError), database.transaction():
        raise sqlite3.OperationalError
    assert store.session == 1
    refuses()
    store.load("other")
    assert reader.state("main") is None
    assert reader.state("other") is not None
    store.close()
    refuses()
