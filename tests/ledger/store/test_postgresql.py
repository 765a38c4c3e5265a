"""What only a ledger that several processes share meets: leases, revisions, releases, networks."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, text

from exporter.domain import Action
from exporter.errors import LeaseLostError, QueryTimeoutError, StateError
from exporter.ledger.leases import Lease
from exporter.ledger.ledger import Ledger
from exporter.ledger.queries import FailureQuery, LedgerView, ProblemQuery
from exporter.ledger.records import SumKey, SumName
from exporter.ledger.store.postgresql import PostgresqlDatabase, PostgresqlStore, prepare
from exporter.ledger.store.postgresql_connections import Connections, driver_of
from exporter.ledger.store.postgresql_reader import PostgresqlReader
from exporter.ledger.store.postgresql_schema import migrate_shared
from exporter.ledger.store.schema import MIGRATIONS
from exporter.telnyx.schema import decode_page
from tests.ledger.store.contract import NOW, Holder, a_bare_unit, emptied, failed
from tests.support.postgresql import Cluster
from tests.support.relay import Relay, relay

pytestmark = pytest.mark.program("postgres")

CREATED = SumKey(SumName.CREATED, "enable")
COMMIT = b"COMMIT\0"

SHORT = 1.0
"""Seconds that a statement may take in tests that wait for it."""

Opener = Callable[..., PostgresqlStore]


@pytest.fixture
def holder(cluster: Cluster, database: str) -> Iterator[Holder]:
    """Give the fence of one process, on an empty ledger."""
    emptied(cluster, database)
    made = Holder(cluster.url(database), cluster.password_file)
    yield made
    made.table.close()


@pytest.fixture
def open_store(cluster: Cluster, database: str, holder: Holder) -> Iterator[Opener]:
    """Open stores behind a port, with a fence; all are closed in the end."""
    stores: list[PostgresqlStore] = []

    def open_one(
        port: int | None = None, fence: Callable[[str], Lease] = holder, **times: float
    ) -> PostgresqlStore:
        connections = Connections(cluster.url(database, port), cluster.password_file)
        stores.append(PostgresqlStore(PostgresqlDatabase(connections, fence, **times)))
        return stores[-1]

    yield open_one
    for each in stores:
        each.close()


@pytest.fixture
def wire(cluster: Cluster) -> Iterator[Relay]:
    """Give a relay to the server."""
    with relay(cluster.port) as made:
        yield made


@pytest.fixture
def new_database(cluster: Cluster) -> Iterator[str]:
    """Create a database for one test, which changes its tables."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


def count(store: PostgresqlStore, account_id: int, before: float) -> float:
    """Count one more action as created; returns how many there are then."""
    unit = a_bare_unit()
    unit.sums[CREATED] += 1
    return store.commit(account_id, unit, {CREATED: before})[CREATED]


def test_nothing_is_written_without_the_lease(open_store: Opener, holder: Holder) -> None:
    """Neither in an epoch of the past nor as another holder; the other accounts go on."""
    replaced: dict[str, Lease] = {}
    store = open_store(fence=lambda name: replaced.get(name) or holder(name))
    one, two = store.load("one").account_id, store.load("two").account_id
    assert count(store, one, 0) == 1
    session = store.session
    lease = holder("one")
    for wrong in (Lease(lease.holder, lease.epoch - 1), Lease("somebody", lease.epoch)):
        replaced["one"] = wrong
        for call in (
            lambda: count(store, one, 1),
            lambda: store.load("one"),
            lambda: store.delivered(one, "log", 1),
            lambda: store.prune_sim_cards(one, 1e9),
        ):
            with pytest.raises(LeaseLostError, match="'one' is not held by this process"):
                call()
    assert count(store, two, 0) == 1
    assert store.session == session
    replaced.clear()
    assert store.load("one").sums == {CREATED: 1.0}


def test_what_was_never_loaded_is_not_written(open_store: Opener) -> None:
    """There is no memory that what is written could be held to."""
    mine = open_store().load("main").account_id
    with pytest.raises(StateError, match="was not loaded"):
        count(open_store(), mine, 0)


def test_another_process_makes_memory_stale(open_store: Opener) -> None:
    """It loaded the account meanwhile: nothing is written, and read again all is well."""
    store = open_store()
    mine = store.load("main").account_id
    open_store().load("main")
    for _ in range(2):
        with pytest.raises(StateError, match=r"is not what was read: .*; it is read again"):
            count(store, mine, 0)
    assert store.load("main").sums == {}
    assert count(store, mine, 0) == 1


def test_a_commit_that_took_place_without_an_answer(open_store: Opener, wire: Relay) -> None:
    """It is not repeated on top of itself, and found when the account is read again."""
    store = open_store(wire.port)
    mine = store.load("main").account_id
    wire.watched = COMMIT
    with pytest.raises(StateError, match="it is tried again"):
        count(store, mine, 0)
    with pytest.raises(StateError, match="is not what was read"):
        count(store, mine, 0)
    assert store.load("main").sums == {CREATED: 1.0}
    assert count(store, mine, 1) == 2


def test_a_commit_that_never_arrived(open_store: Opener, wire: Relay) -> None:
    """Nothing was written, and the same may be written again."""
    store = open_store(wire.port, statement=SHORT)
    mine = store.load("main").account_id
    wire.watched, wire.carry = COMMIT, False
    with pytest.raises(StateError):
        count(store, mine, 0)
    wire.drop()
    assert count(store, mine, 0) == 1
    assert store.load("main").sums == {CREATED: 1.0}


def test_a_commit_that_arrives_late(open_store: Opener, wire: Relay) -> None:
    """Who reads the account meanwhile waits for it, and says so; then it is found."""
    slow = open_store(wire.port)
    mine = slow.load("main").account_id
    wire.watched, wire.carry = COMMIT, False
    with pytest.raises(StateError):
        count(slow, mine, 0)
    store = open_store(statement=SHORT)
    with pytest.raises(StateError, match="holds a lock for long"):
        store.load("main")
    wire.let_through()
    assert store.load("main").sums == {CREATED: 1.0}


def test_a_commit_that_arrives_too_late(open_store: Opener, wire: Relay) -> None:
    """A process that hangs in a transaction does not keep the account: the server ends that."""
    slow = open_store(wire.port, statement=SHORT)
    mine = slow.load("main").account_id
    wire.watched, wire.carry = COMMIT, False
    with pytest.raises(StateError):
        count(slow, mine, 0)
    assert open_store().load("main").sums == {}
    wire.let_through()
    assert open_store().load("main").sums == {}


@pytest.mark.parametrize("where", ["idle", "in a transaction"])
def test_a_connection_that_ended_is_opened_again(
    open_store: Opener, cluster: Cluster, database: str, where: str
) -> None:
    """By the next call; nobody notices if it was idle, and no other account is read again."""
    store = open_store()
    mine = store.load("main").account_id
    session = store.session

    def terminate() -> None:
        cluster.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"  # noqa: S608 # ours
            f" WHERE datname = '{database}'"
        )

    def break_off() -> None:
        with store._database.transaction(mine) as connection:  # noqa: SLF001  # while it runs
            terminate()
            connection.execute(text("SELECT 1"))

    if where == "idle":
        terminate()
    else:
        with pytest.raises(StateError, match=r"terminating connection .*it is tried again"):
            break_off()
    assert count(store, mine, 0) == 1
    assert store.session == session


def test_a_server_that_does_not_answer(open_store: Opener) -> None:
    """Its connection is alive, but nothing comes: it is given up, and another one opened."""
    store = open_store(transaction=1.5)
    mine = store.load("main").account_id
    with store._database.reading() as connection:  # noqa: SLF001  # who is to be stopped
        backend = driver_of(connection).info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StateError, match=r"no answer within 1.5 s; check the database"):
            store.find(mine, ["a"])
        assert count(store, mine, 0) == 1
    finally:
        os.kill(backend, signal.SIGCONT)


def test_a_password_is_read_again(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """By each new connection, as it may have been replaced."""
    cluster.execute("CREATE ROLE rotating LOGIN PASSWORD 'one' IN ROLE exporter")
    file = tmp_path / "password"
    file.write_text("one\n")
    url = cluster.url(database).replace("exporter@", "rotating@")
    connections = Connections(url, file)

    def who() -> object:
        with connections.connected(5) as connection:
            return connection.execute(text("SELECT current_user")).scalar_one()

    assert who() == "rotating"
    cluster.execute("ALTER ROLE rotating PASSWORD 'two'")
    connections.close()
    with pytest.raises(StateError, match="password authentication failed"):
        who()
    file.write_text("two\n")
    assert who() == "rotating"
    connections.close()
    cluster.execute("DROP ROLE rotating")


def newer(connection: Connection) -> None:
    """Migrate as a release to come might."""
    connection.execute(text("ALTER TABLE sums RENAME COLUMN value TO amount"))


def migrate_to_newer(connections: Connections) -> None:
    """Migrate the database as a newer release would, and close it."""
    with connections.connected(30) as connection:
        connection.execute(text("BEGIN"))
        migrate_shared(connection, (*MIGRATIONS, newer))
        driver_of(connection).commit()
    connections.close()


def test_a_newer_release_ends_the_writing_of_an_older_one(
    cluster: Cluster, new_database: str
) -> None:
    """Which says why, each time, writes nothing, and lets its leases run out."""
    url, password_file = cluster.url(new_database), cluster.password_file
    fence = Holder(url, password_file)
    store = PostgresqlStore(PostgresqlDatabase(Connections(url, password_file), fence))
    mine = store.load("main").account_id
    count(store, mine, 0)
    newest = 2 + len(MIGRATIONS)
    with ThreadPoolExecutor(1) as other:
        with store._database.transaction(mine):  # noqa: SLF001  # a commit that takes its time
            migration = other.submit(migrate_to_newer, Connections(url, password_file))
            with pytest.raises(TimeoutError):
                migration.result(0.3)
        migration.result()
    for call in (lambda: count(store, mine, 1), lambda: store.load("main"), lambda: fence("two")):
        with pytest.raises(StateError, match=rf"version {newest}, .*; run the newer release"):
            call()
    reader = PostgresqlReader(url, password_file)
    with pytest.raises(StateError, match="run the newer release"):
        reader.state("main")
    assert cluster.execute("SELECT amount FROM sums", new_database) == [(1.0,)]
    for each in (store, reader, fence.table):
        each.close()


def test_a_migration_that_a_backup_holds_up(cluster: Cluster, new_database: str) -> None:
    """It gives up before those that wait behind it: the older release goes on."""
    url, password_file = cluster.url(new_database), cluster.password_file
    fence = Holder(url, password_file)
    fence("main")
    end_backup = cluster.lock(new_database, "schema_version", "ACCESS SHARE")
    with ThreadPoolExecutor(1) as other:
        migration = other.submit(migrate_to_newer, Connections(url, password_file))
        while not migration.done():
            fence.table.exchange("me", ["main"], {})
        with pytest.raises(StateError, match="another transaction holds a lock for long"):
            migration.result()
    end_backup()
    migrate_to_newer(Connections(url, password_file))
    fence.table.close()


def test_an_older_copy_is_migrated_again(cluster: Cluster, new_database: str) -> None:
    """A database that went back while it was in use, and had the tables of an older release."""
    url, password_file = cluster.url(new_database), cluster.password_file
    store = PostgresqlStore(
        PostgresqlDatabase(Connections(url, password_file), fence := Holder(url, password_file))
    )
    store.load("main")
    cluster.execute("UPDATE schema_version SET version = version - 1", new_database)
    cluster.execute("DROP INDEX actions_failures_by_sim_card", new_database)
    cluster.execute("ALTER INDEX actions_odd RENAME TO actions_undated", new_database)
    with pytest.raises(StateError, match="which this release migrates"):
        store.load("main")
    assert store.load("main").bulks == {}
    found = "SELECT count(*) FROM pg_indexes WHERE indexname = 'actions_failures_by_sim_card'"
    assert cluster.execute(found, new_database) == [(1,)]
    store.close()
    fence.table.close()


def test_replicas_that_start_at_once(cluster: Cluster, new_database: str) -> None:
    """One of them makes the tables, and all use them."""
    barrier = Barrier(4)

    def start() -> None:
        connections = Connections(cluster.url(new_database), cluster.password_file)
        barrier.wait()
        prepare(connections)
        connections.close()

    with ThreadPoolExecutor(4) as replicas:
        for each in [replicas.submit(start) for _ in range(4)]:
            each.result()
    assert cluster.execute("SELECT count(*) FROM ledger", new_database) == [(1,)]


async def test_round_trips_of_a_poll(
    open_store: Opener, wire: Relay, open_account: Callable[..., Any]
) -> None:
    """250 changes take six, all of them included; a poll at rest one."""
    account = open_account(store=open_store(wire.port))
    ledger: Ledger = account.ledger

    async def poll(*actions: Action) -> int:
        before = wire.turns
        unit = ledger.begin(NOW + 100)
        await ledger.record(unit, actions, account.saw.__kwdefaults__["cursor"])
        await ledger.conclude(unit, NOW + 100)
        await ledger.forget(NOW)
        return wire.turns - before

    running = [failed(f"{n}", f"s{n}", status="in-progress") for n in range(250)]
    await account.saw(*running, at=NOW + 1)
    assert await poll(*(failed(f"{n}", f"s{n}") for n in range(250))) <= 6
    assert await poll(*(failed(f"a{n}", f"s{n}", NOW + 50) for n in range(250))) <= 6
    assert await poll() <= 1
    assert len(ledger.snapshot.problems) == 250
    done = [failed(f"b{n}", f"s{n}", NOW + 60, status="completed") for n in range(250)]
    assert await poll(*done) <= 6
    older = [failed(f"c{n}", f"s{n}", NOW - 60, status="completed") for n in range(250)]
    assert await poll(*older) <= 6
    assert len(ledger.snapshot.problems) == 0
    for status in ("interrupted", "completed"):
        again = [failed(f"d{n}", f"s{n}", NOW + 70, status=status) for n in range(250)]
        assert await poll(*again) <= 6
    assert ledger.snapshot.problems_closed["connectivity", "mended"] == 500


def test_nul_never_reaches_the_database(
    open_store: Opener, cluster: Cluster, database: str, view: Callable[..., LedgerView]
) -> None:
    """PostgreSQL has no text with it: it is replaced while decoding, and looked for as that."""
    page = decode_page(
        rb'{"data": [{"id": "a", "sim_card_id": "s\u0000", "action_type": "enable\u0000",'
        rb' "status": {"value": "failed", "reason": "no\u0000 reason"}}, {"id": "b\u0000"}]}'
    )
    (action,) = page.actions
    assert (action.sim_card_id, action.reason, page.malformed) == ("s\ufffd", "no\ufffd reason", 1)
    store = open_store()
    mine = store.load("main").account_id
    reader = PostgresqlReader(cluster.url(database), cluster.password_file)
    assert reader.problems(view(), ProblemQuery(sim_card_id="s\0")).rows == ()
    after = (1.0, "main\0", "s\0", "c\0")
    assert reader.problems(view(), ProblemQuery(after=after)).rows == ()
    assert reader.failures(view(), FailureQuery(reason="no\0 reason")).rows == ()
    assert not reader.sim_card(view(), "s\0").known
    assert store.find(mine, ["a"]) == {}
    reader.close()


def test_a_query_that_takes_long_says_what_to_do(
    cluster: Cluster, database: str, holder: Holder
) -> None:
    """It ends, and the next one is answered."""
    reader = PostgresqlReader(cluster.url(database), cluster.password_file, timeout=0.2)
    holder("main")
    with (
        pytest.raises(QueryTimeoutError, match=r"longer than 0.2 s; narrow the filters"),
        reader.reading() as connection,
    ):
        connection.execute(text("SELECT pg_sleep(20)"))
    assert reader.state("main") is None
    reader.close()


def test_a_reader_that_is_busy_is_not_ended(
    cluster: Cluster, database: str, holder: Holder
) -> None:
    """Between two statements it may take longer than one statement may."""
    reader = PostgresqlReader(cluster.url(database), cluster.password_file, timeout=0.2)
    holder("main")
    with reader.reading() as connection:
        cluster.execute("SELECT pg_sleep(0.3)")
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    reader.close()


def test_a_query_starts_no_workers_and_compiles_nothing(
    cluster: Cluster, database: str, holder: Holder
) -> None:
    """However much PostgreSQL expects of it; without these settings it does both."""
    reader = PostgresqlReader(cluster.url(database), cluster.password_file)
    holder("main")
    eager = "parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"
    query = text("EXPLAIN (ANALYZE) SELECT count(*) FROM pg_proc WHERE prosrc <> proname")
    with reader.reading() as connection:
        for name in (*eager, "jit_above_cost"):
            connection.execute(text(f"SET LOCAL {name} = 0"))
        plan = "\n".join(connection.execute(query).scalars())
        connection.execute(text("SET LOCAL max_parallel_workers_per_gather = 2"))
        connection.execute(text("SET LOCAL jit = on"))
        other = "\n".join(connection.execute(query).scalars())
        jit = connection.execute(text("SELECT pg_jit_available()")).scalar_one()
    assert "Gather" in other
    assert "JIT" in other or not jit
    assert "Gather" not in plan
    assert "JIT" not in plan
    reader.close()


def test_a_reader_sees_one_state_and_writes_nothing(
    open_store: Opener, cluster: Cluster, database: str
) -> None:
    """Whatever is committed meanwhile."""
    store = open_store()
    mine = store.load("main").account_id
    reader = PostgresqlReader(cluster.url(database), cluster.password_file)
    how_many = text("SELECT count(*) FROM sums")
    with reader.reading() as connection:
        assert connection.execute(how_many).scalar_one() == 0
        count(store, mine, 0)
        assert connection.execute(how_many).scalar_one() == 0
    with (
        pytest.raises(StateError, match="read-only transaction"),
        reader.reading() as connection,
    ):
        connection.execute(text("DELETE FROM sums"))
    reader.close()
