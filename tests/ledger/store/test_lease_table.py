from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.errors import LeaseLostError, StateError
from exporter.ledger.leases import Lease, LeaseRow
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.postgresql import PostgresqlDatabase, PostgresqlStore
from exporter.ledger.store.postgresql_connections import Connections
from tests.ledger.store.contract import a_bare_unit, emptied
from tests.support.postgresql import Cluster
from tests.support.relay import Relay, relay

pytestmark = pytest.mark.program("postgres")

TTL = 3600.0
GONE = -1.0
"""A time to live that has passed at once: a lease that its holder does not renew any more."""

Opener = Callable[..., PostgresqlLeaseTable]


@pytest.fixture
def wire(cluster: Cluster) -> Iterator[Relay]:
    """Give a relay to the server."""
    with relay(cluster.port) as made:
        yield made


@pytest.fixture
def open_table(cluster: Cluster, database: str) -> Iterator[Opener]:
    """Open tables of leases as several processes would, on an empty database."""
    emptied(cluster, database)
    tables: list[PostgresqlLeaseTable] = []

    def open_one(ttl: float = TTL, port: int | None = None) -> PostgresqlLeaseTable:
        connections = Connections(cluster.url(database, port), cluster.password_file)
        tables.append(PostgresqlLeaseTable(connections, ttl=ttl))
        return tables[-1]

    yield open_one
    for each in tables:
        each.close()


def test_new_accounts_are_free(open_table: Opener) -> None:
    """They have a row that is expired; what was not asked for is not told."""
    table = open_table()
    view = table.exchange("a", ["one", "two"], None)
    assert view.leases == {name: LeaseRow("", 0, 0.0) for name in ("one", "two")}
    assert view.now > 1e9
    assert view.generation
    assert not view.replicas
    assert table.exchange("a", ["two", "two"], None).leases.keys() == {"two"}
    assert table.exchange("a", [], None).leases == {}


def test_a_lease_is_claimed_once(open_table: Opener) -> None:
    """Until it expires or is let go; each claim is another epoch."""
    one, two = open_table(), open_table()
    one.exchange("a", ["x", "y"], None)
    assert one.claim("a", ["x", "y", "nobody"]) == {"x": Lease("a", 1), "y": Lease("a", 1)}
    assert two.claim("b", ["x", "y"]) == {}
    view = two.exchange("b", ["x", "y"], {})
    assert {row.holder for row in view.leases.values()} == {"a"}
    assert all(view.now < row.expires_at <= view.now + TTL for row in view.leases.values())
    one.release({"x": Lease("a", 1), "y": Lease("a", 0), "z": Lease("a", 1)})
    assert two.claim("b", ["x", "y"]) == {"x": Lease("b", 2)}
    one.release({"x": Lease("a", 2)})
    one.release({})
    assert two.exchange("b", ["x"], None).leases["x"].holder == "b"


def test_what_expired_is_taken_over(open_table: Opener) -> None:
    """And is not renewed by who had it."""
    late, table = open_table(GONE), open_table()
    late.exchange("a", ["x"], None)
    assert late.claim("a", ["x"]) == {"x": Lease("a", 1)}
    assert table.claim("b", ["x"]) == {"x": Lease("b", 2)}
    before = table.exchange("b", ["x"], None).leases["x"]
    assert open_table(2 * TTL).exchange("a", ["x"], {"x": 1}).leases["x"] == before


def test_a_renewal(open_table: Opener) -> None:
    """It puts off the end of what is renewed, and of the heartbeat; no heartbeat without one."""
    table, longer = open_table(), open_table(2 * TTL)
    table.exchange("a", ["x", "y"], None)
    table.claim("a", ["x", "y"])
    table.exchange("a", ["x", "y"], {})
    view = longer.exchange("a", ["x", "y"], {"x": 1})
    assert view.leases["x"].expires_at > view.now + TTL > view.leases["y"].expires_at
    (replica,) = view.replicas
    assert (replica.holder, replica.expires_at > view.now + TTL) == ("a", True)
    assert replica.started_at < view.now
    assert len(table.exchange("b", [], None).replicas) == 1


def test_who_leaves_lets_go_of_all(open_table: Opener) -> None:
    """At once, and counts as a replica no longer."""
    table = open_table()
    table.exchange("a", ["x", "y"], {})
    table.claim("a", ["x", "y"])
    table.leave("a")
    assert table.exchange("b", [], None).replicas == ()
    assert table.claim("b", ["x", "y"]).keys() == {"x", "y"}


def test_an_account_that_is_being_written_is_not_claimed(
    open_table: Opener, cluster: Cluster, database: str
) -> None:
    """Its lease may be renewed or let go meanwhile; afterwards the late holder writes nothing."""
    late, table = open_table(GONE), open_table(GONE)
    late.exchange("a", ["x"], None)
    (lease,) = late.claim("a", ["x"]).values()
    connections = Connections(cluster.url(database), cluster.password_file)
    database_ = PostgresqlDatabase(connections, lambda _: lease)
    store = PostgresqlStore(database_)
    mine = store.load("x").account_id
    with database_.transaction(mine):
        assert table.claim("b", ["x"]) == {}
        late.exchange("a", ["x"], {"x": 1})
        late.release({"x": lease})
        assert table.claim("b", ["x"]) == {}
    assert table.claim("b", ["x"]) == {"x": Lease("b", 2)}
    with pytest.raises(LeaseLostError):
        store.commit(mine, a_bare_unit(baseline_at=1.0), {})
    assert cluster.execute("SELECT baseline_at FROM accounts", database) == [(None,)]
    store.close()


def test_many_that_claim_at_once(open_table: Opener) -> None:
    """Each lease goes to one of them."""
    names = [f"account {n}" for n in range(50)]
    open_table().exchange("a", names, None)
    tables = {f"holder {n}": open_table() for n in range(4)}
    with ThreadPoolExecutor(4) as replicas:
        claims = [replicas.submit(table.claim, who, names) for who, table in tables.items()]
    taken = [name for claim in claims for name in claim.result()]
    assert sorted(taken) == sorted(names)


def test_round_trips(open_table: Opener, wire: Relay) -> None:
    """One for a look, two to renew, two more for accounts that are new."""
    table = open_table(port=wire.port)
    table.exchange("a", [], None)
    for renewed, names, most in (
        (None, ["x"], 3),
        (None, ["x"], 1),
        ({}, ["x"], 2),
        ({}, ["x", "y"], 4),
    ):
        before = wire.turns
        table.exchange("a", names, renewed)
        assert wire.turns - before <= most


def test_a_broken_connection_is_opened_again(open_table: Opener, wire: Relay) -> None:
    """After one error."""
    table = open_table(port=wire.port)
    table.exchange("a", ["x"], None)
    wire.watched = b"FOR UPDATE SKIP LOCKED"
    with pytest.raises(StateError):
        table.claim("a", ["x"])
    wire.drop()
    assert table.claim("a", ["x"]).keys() == {"x"}
