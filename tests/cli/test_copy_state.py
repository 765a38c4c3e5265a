"""`copy-state`: from a file to a real server and back, with everything that is in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select

from exporter.domain import Action, BulkAction, BulkCounts, SimCard
from exporter.ledger.leases import Lease
from exporter.ledger.problem_tracking import note_problems
from exporter.ledger.reasons import Reasons
from exporter.ledger.rules import observe
from exporter.ledger.snapshot import SnapshotOptions, build
from exporter.ledger.store.copying import TABLES, open_side
from exporter.ledger.store.database import Database
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.postgresql import open_postgresql
from exporter.ledger.store.postgresql_connections import Connections
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork
from tests.support.postgresql import Cluster

Invoke = Callable[..., Result]

pytestmark = pytest.mark.program("postgres")

OPTIONS = SnapshotOptions((), (), {}, 900.0, ())
NOW = 1_000_000.0


def failed(store: Any, name: str, number: int) -> int:
    """Commit a failure of a SIM card, which is told to the log; returns the account's number."""
    state = store.load(name)
    store.attach_sinks(state.account_id, ["log"])
    unit = UnitOfWork(name, Reasons.with_configured(()), str, NOW + number)
    unit.baseline_at = NOW
    action = Action(
        id=f"{name}-{number}",
        sim_card_id=f"sim-{number}",
        action_type="enable",
        status="failed",
        reason="SIM card is blocked: 100 %",
        created_at=NOW - 100,
        updated_at=NOW - 50,
    )
    unit.apply(observe(None, action, history=False, now=NOW), new_row=True)
    unit.sim_cards[f"sim-{number}"] = SimCard(f"sim-{number}", "8988", "", "Fleet", ("a",))
    bulk = f"bulk-{number}"
    unit.bulks[bulk] = BulkAction(
        bulk, "bulk_enable_voice", 1.0, NOW, NOW, NOW, None, BulkCounts(5)
    )
    unit.bulk_members[bulk] = (action.id,)
    unit.bulks_at = unit.bulks_since = NOW
    note_problems(unit, state, OPTIONS, lambda *_, **__: {})
    store.commit(state.account_id, unit, state.sums)
    account_id: int = state.account_id
    return account_id


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Keep the state of two accounts in a file; of one, all events were logged."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    store = SqliteStore(Database(url))
    mine = failed(store, "told", 1)
    ((seq, _),) = store.undelivered(mine, "log", 10)
    store.delivered(mine, "log", seq)
    failed(store, "untold", 2)
    store.close()
    return url


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Create an empty database on the server, and give its URL."""
    name = cluster.new_database()
    yield cluster.url(name)
    cluster.drop_database(name)


def rows(url: str, password_file: str | None) -> dict[str, list[Any]]:
    """Read all that is copied, by table."""
    with open_side(url, password_file, source=True) as side:
        return {
            table.name: sorted(map(tuple, side.connection.execute(select(table))), key=str)
            for table in TABLES
        }


def test_there_and_back(
    invoke: Invoke, cluster: Cluster, file: str, database: str, tmp_path: Path
) -> None:
    """All tables are the same, and the file that it came from stays as it was."""
    password = ("--password-file", cluster.password_file)
    before = rows(file, None)
    there = invoke("copy-state", "--from", file, "--to", database, *password)
    assert (there.exit_code, there.stderr) == (0, "")
    assert "copied" in there.stdout
    assert "2 accounts, 2 actions" in there.stdout
    assert rows(database, cluster.password_file) == before
    back = f"sqlite:///{tmp_path / 'new.db'}"
    assert invoke("copy-state", "--from", database, "--to", back, *password).exit_code == 0
    assert rows(back, None) == before == rows(file, None)
    assert before["problems"]
    assert before["sim_cards"]
    assert before["bulk_actions"]
    assert before["bulk_members"]


def test_it_goes_on_where_it_was(
    invoke: Invoke, cluster: Cluster, file: str, database: str, tmp_path: Path
) -> None:
    """New events come after those that were told, though no event of those is left."""
    with open_side(file, None, source=True) as side:  # as if the outbox had been emptied since
        side.connection.exec_driver_sql("DELETE FROM outbox")
    password = ("--password-file", cluster.password_file)
    assert invoke("copy-state", "--from", file, "--to", database, *password).exit_code == 0
    table = PostgresqlLeaseTable(Connections(database, cluster.password_file), ttl=60.0)
    table.exchange("me", ["told"], {})
    lease: Lease = table.claim("me", ["told"])["told"]
    store = open_postgresql(database, cluster.password_file, fence=lambda _: lease)
    mine = failed(store, "told", 3)
    assert [event.action_id for _, event in store.undelivered(mine, "log", 10)] == ["told-3"]
    snapshot = build(store.load("told"), OPTIONS, NOW + 5)
    assert sum(snapshot.failed.values()) == 2
    table.leave("me")
    table.close()
    store.close()
    back = f"sqlite:///{tmp_path / 'new.db'}"
    assert invoke("copy-state", "--from", database, "--to", back, *password).exit_code == 0
    again = SqliteStore(Database(back))
    mine = failed(again, "told", 4)
    assert [event.action_id for _, event in again.undelivered(mine, "log", 10)] == [
        "told-3",
        "told-4",
    ]
    again.close()


def test_a_state_is_not_overwritten(
    invoke: Invoke, cluster: Cluster, file: str, database: str
) -> None:
    """A second copy to the same place says what to do, and changes nothing."""
    words = ("--from", file, "--to", database, "--password-file", cluster.password_file)
    assert invoke("copy-state", *words).exit_code == 0
    again = invoke("copy-state", *words)
    assert again.exit_code == 1
    assert "the target has a state already, which is not overwritten" in again.stderr
    assert again.stderr.count("\n") == 1


def test_neither_side_may_be_in_use(
    invoke: Invoke, cluster: Cluster, file: str, database: str
) -> None:
    """By an exporter that has the file open, or by a replica that lives."""
    words = ("--from", file, "--to", database, "--password-file", cluster.password_file)
    store = SqliteStore(Database(file))
    store.load("told")
    used = invoke("copy-state", *words)
    assert used.exit_code == 1
    assert "use" in used.stderr
    store.close()
    table = PostgresqlLeaseTable(Connections(database, cluster.password_file), ttl=60.0)
    table.exchange("me", [], {})
    used = invoke("copy-state", *words)
    assert (used.exit_code, used.stdout) == (1, "")
    assert "is in use by 1 replicas; stop them first" in used.stderr
    table.leave("me")
    table.close()
    assert invoke("copy-state", *words).exit_code == 0


def test_a_backup_does_not_make_a_replica_seem_dead(
    invoke: Invoke, cluster: Cluster, file: str, database: str, tmp_path: Path
) -> None:
    """It keeps the copy from the tables, which in turn would keep the replica from its leases."""
    password = ("--password-file", cluster.password_file)
    assert invoke("copy-state", "--from", file, "--to", database, *password).exit_code == 0
    table = PostgresqlLeaseTable(Connections(database, cluster.password_file), ttl=10.0)
    table.exchange("me", ["told"], {})
    end_backup = cluster.lock(database.rpartition("/")[2], "leases", "ACCESS SHARE")
    target = f"sqlite:///{tmp_path / 'new.db'}"
    refused = invoke("copy-state", "--from", database, "--to", target, *password)
    end_backup()
    assert refused.exit_code == 1
    assert "another transaction holds a lock for long" in refused.stderr
    seen = table.exchange("another", ["told"], None)
    assert [each.expires_at > seen.now for each in seen.replicas] == [True]
    table.close()


def test_text_that_only_a_file_can_hold(
    invoke: Invoke, cluster: Cluster, file: str, database: str
) -> None:
    """PostgreSQL has no NUL, which the first releases kept: it becomes what the later ones keep."""
    with open_side(file, None, source=True) as side:
        side.connection.exec_driver_sql("UPDATE actions SET reason = 'no' || char(0) || 'reason'")
    words = ("--from", file, "--to", database, "--password-file", cluster.password_file)
    assert invoke("copy-state", *words).exit_code == 0
    with open_side(database, cluster.password_file, source=True) as side:
        reasons = side.connection.exec_driver_sql("SELECT DISTINCT reason FROM actions")
        assert list(reasons.scalars()) == ["no\ufffdreason"]


def test_what_has_no_state_is_not_copied(
    invoke: Invoke, cluster: Cluster, database: str, tmp_path: Path
) -> None:
    """As when another database is named by mistake; no file is made of it."""
    new = tmp_path / "new.db"
    words = ("--from", database, "--to", f"sqlite:///{new}")
    found = invoke("copy-state", *words, "--password-file", cluster.password_file)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "the source has no state; check what --from names" in found.stderr
    assert not new.exists()


@pytest.mark.parametrize(
    ("source", "target", "more", "says"),
    [
        ("sqlite:///x", "mysql://x", (), "--to: is not an SQLite or PostgreSQL URL"),
        ("x", "sqlite:///x", (), "--from: is not an SQLite or PostgreSQL URL"),
        ("sqlite:///none", "sqlite:///x", (), "state database none does not exist"),
        ("sqlite:///a", "sqlite:///a", (), "--to: is what --from names"),
        ("sqlite://", "sqlite:///a", (), "in memory cannot be copied"),
        ("sqlite:///a", "sqlite:///b", ("--password-file", "p"), "--password-file: is for"),
        (
            "sqlite:///a",
            "postgresql://x@127.0.0.1:1/x",
            ("--password-file", "none"),
            "--password-file: ",
        ),
    ],
)
def test_mistakes(
    invoke: Invoke, source: str, target: str, more: tuple[str, ...], says: str
) -> None:
    """Each is one line, and no file is left behind."""
    found = invoke("copy-state", "--from", source, "--to", target, *more)
    assert (found.exit_code, found.stdout) == (1, "")
    assert says in found.stderr
    assert found.stderr.count("\n") == 1
    assert not list(Path.cwd().iterdir())
