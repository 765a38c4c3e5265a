"""The thread that keeps the leases of a process, on a real database."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exporter.errors import LeaseLostError
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.postgresql_connections import Connections
from exporter.scheduling.lease_keeper import LeaseKeeper, elapsed
from exporter.scheduling.lease_rules import TTL
from tests.support.postgresql import Cluster

pytestmark = pytest.mark.program("postgres")

ACCOUNTS = ("a", "b")


class Log:
    """Notes what is written down."""

    def __init__(self) -> None:
        """Begin empty."""
        self.lines: list[tuple[str, str]] = []

    def leases_unavailable(self, error: str) -> None:
        """Note that the leases cannot be read."""
        self.lines.append(("unavailable", error))

    def leases_available(self) -> None:
        """Note that they can again."""
        self.lines.append(("available", ""))

    def ledger_replaced(self, reason: str) -> None:
        """Note that it is another ledger."""
        self.lines.append(("replaced", reason))

    def crashed(self, account: str, error: BaseException) -> None:
        """Note a defect."""
        self.lines.append(("crashed", f"{account}: {error!r}"))


class Kept:
    """A keeper with its log, and a clock that can be moved."""

    def __init__(self, url: str, password_file: str, holder: str, *, visiting: bool) -> None:
        """Build the keeper, and start it."""
        self.log = Log()
        self.ahead = 0.0
        self.changed = threading.Event()
        self.keeper = LeaseKeeper(
            PostgresqlLeaseTable(Connections(url, password_file), ttl=TTL),
            holder,
            ACCOUNTS,
            self.log,
            visiting=visiting,
            clock=lambda: elapsed() + self.ahead,
        )
        self.keeper.start(self.changed.set)

    @property
    def held(self) -> set[str]:
        """The accounts that it holds."""
        return set(self.keeper.held())

    def eventually(self, ask: Callable[[], object]) -> None:
        """Wait until the answer is true: something changes, or the keeper looks again."""
        for _ in range(150):
            if ask():
                return
            self.changed.wait(0.1)
            self.changed.clear()
        raise AssertionError((self.held, self.keeper.lost(), self.log.lines))

    def stop(self) -> None:
        """Let go of everything."""
        with suppress(asyncio.InvalidStateError):
            asyncio.run(self.keeper.stop(5))


Keep = Callable[..., Kept]


def waiting(cluster: Cluster) -> bool:
    """Tell whether anybody waits for a lock."""
    return cluster.execute("SELECT FROM pg_locks WHERE NOT granted") != []


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Create a database; gives its name."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


@pytest.fixture
def keep(cluster: Cluster, database: str) -> Iterator[Keep]:
    """Give a starter of keepers."""
    kept: list[Kept] = []

    def start(holder: str = "one", *, visiting: bool = False) -> Kept:
        url = cluster.url(database)
        kept.append(Kept(url, cluster.password_file, holder, visiting=visiting))
        return kept[-1]

    yield start
    for each in kept:
        each.stop()


def test_who_stops_is_followed_at_once(keep: Keep) -> None:
    """All accounts are held by the first, and by the second when that lets go."""
    first = keep()
    first.eventually(lambda: first.held == set(ACCOUNTS))
    assert first.keeper.lease("a").holder == "one"
    assert first.keeper.takeovers == {"a": 0, "b": 0}
    second = keep("two")
    second.eventually(lambda: second.keeper.holders == {"a": "one", "b": "one"})
    assert second.held == set()
    assert second.keeper.unheld == 0
    with pytest.raises(LeaseLostError):
        second.keeper.lease("a")
    first.stop()
    assert first.held == set()
    second.eventually(lambda: second.held == set(ACCOUNTS))
    assert second.keeper.takeovers == {"a": 1, "b": 1}
    assert second.keeper.lease("a").epoch == 2
    assert first.log.lines == second.log.lines == []


def test_a_process_that_was_paused_gives_up_by_itself(
    keep: Keep, cluster: Cluster, database: str
) -> None:
    """Before it asks anybody; it claims again only when nothing is done under the old lease."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    one.ahead += TTL
    assert one.held == set()
    assert not one.keeper.holds("a")
    assert {name: each.reason for name, each in one.keeper.lost().items()} == dict.fromkeys(
        ACCOUNTS, "expired"
    )
    one.keeper.dropped("a")
    # The database's clock does not jump.
    cluster.execute("UPDATE leases SET expires_at = 0", database)
    one.eventually(lambda: "a" in one.held)
    assert "b" not in one.held


def test_a_lease_that_another_one_has_is_lost(keep: Keep, cluster: Cluster, database: str) -> None:
    """As after a pause that was longer than this process believes."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    cluster.execute("UPDATE leases SET holder = 'x', epoch = 9 WHERE account = 'a'", database)
    one.eventually(lambda: "a" in one.keeper.lost())
    assert one.keeper.lost()["a"].reason == "taken"
    assert one.held == {"b"}
    assert one.keeper.takeovers == {"a": 0, "b": 0}


def test_what_is_released_is_free_at_once(keep: Keep, cluster: Cluster, database: str) -> None:
    """For another one; the other lease stays."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    one.keeper.configure(["b"])  # else it would take it again
    one.eventually(lambda: one.keeper.to_let_go() == {"a": "removed"})
    assert "a" in one.held  # until no poll of it runs
    one.keeper.release("a")
    assert one.held == {"b"}
    free = "SELECT holder FROM leases WHERE account = 'a'"
    one.eventually(lambda: cluster.execute(free, database) == [("",)])


def test_an_account_that_comes_back_during_a_look_is_not_lost(
    keep: Keep, cluster: Cluster, database: str
) -> None:
    """What was read of the leases before says nothing of it."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    one.keeper.configure(["b"])
    one.eventually(lambda: one.keeper.to_let_go() == {"a": "removed"})
    unlock = cluster.lock(database, "leases")
    one.eventually(lambda: waiting(cluster))
    one.keeper.configure(ACCOUNTS)
    unlock()
    one.eventually(lambda: one.keeper.to_let_go() == {})
    assert (one.held, one.keeper.lost()) == (set(ACCOUNTS), {})


def test_who_waits_no_longer_for_the_end_does_not_disturb_it(
    keep: Keep, cluster: Cluster, database: str
) -> None:
    """All is let go of when the database answers, a moment later."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    unlock = cluster.lock(database, "leases")
    one.eventually(lambda: waiting(cluster))
    asyncio.run(one.keeper.stop(0.0))
    unlock()
    asyncio.run(one.keeper.stop(5.0))
    assert cluster.execute("SELECT DISTINCT holder FROM leases", database) == [("",)]
    assert one.log.lines == []


def test_a_visitor_takes_what_is_free_and_no_more(
    keep: Keep, cluster: Cluster, database: str
) -> None:
    """It announces itself to nobody while it holds nothing."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    visitor = keep("visitor", visiting=True)
    asyncio.run(visitor.keeper.looked())
    assert visitor.held == set()
    assert cluster.execute("SELECT holder FROM replicas", database) == [("one",)]
    one.stop()
    visitor.eventually(lambda: visitor.held == set(ACCOUNTS))


def test_a_database_that_is_away_is_told_once(keep: Keep, cluster: Cluster, database: str) -> None:
    """And that nobody is known to hold anything; then that it is back."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    cluster.execute(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
    cluster.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'exporter'"
    )
    one.eventually(lambda: one.log.lines)
    one.ahead += TTL + 1
    assert one.keeper.unheld == len(ACCOUNTS)
    assert (one.keeper.readable, one.held) == (False, set())
    for name in ACCOUNTS:
        one.keeper.dropped(name)
    cluster.execute(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')
    one.eventually(lambda: one.log.lines[-1] == ("available", ""))
    one.eventually(lambda: one.keeper.readable)
    told = [name for name, _ in one.log.lines]
    assert told.count("available") == 1
    assert len({text for _, text in one.log.lines}) == len(one.log.lines)


def test_another_ledger_is_told_once(keep: Keep, cluster: Cluster, database: str) -> None:
    """As after a restore into the same place."""
    one = keep()
    one.eventually(lambda: one.held == set(ACCOUNTS))
    cluster.execute("UPDATE ledger SET generation = 'other'", database)
    one.eventually(lambda: one.keeper.replaced == 1)
    cluster.execute("UPDATE leases SET epoch = 0, holder = '' WHERE account = 'a'", database)
    one.eventually(lambda: one.keeper.replaced == 2)
    assert one.log.lines == [("replaced", "replaced"), ("replaced", "went back")]
