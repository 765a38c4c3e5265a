"""The state of the last release, as its own code wrote it, goes on under this one.

`released/version_2.sql` is that state, with the version of its tables in its name, and
`version_2.metrics` what was exported of it then, without help texts and zeros. `version_2.json`
holds what else there was: the time, the events that were not logged yet, and the actions of the
account `main` as its server listed them, oldest first, three on a page.
"""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import StateError
from exporter.ledger.ledger import Ledger
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, Sweep
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.catalogue import ACCOUNT_METRICS
from exporter.metrics.negotiation import Format
from exporter.metrics.self_metrics import SelfMetrics
from exporter.sinks.delivery import Delivery
from exporter.sinks.log import LogSink
from exporter.sync.cycle import Cycle
from exporter.sync.filters import AccountFilters
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.log_stream import open_log
from tests.metrics.exposed import render_metric
from tests.support.simulation import ManualClock
from tests.sync.odd_server.conftest import Server, ServerTime, stamp

Opener = Callable[..., Any]
Maker = Callable[..., Any]

RELEASED = Path(__file__).parent / "released"
THEN = json.loads((RELEASED / "version_2.json").read_text())
EXPORTED = sorted((RELEASED / "version_2.metrics").read_text().splitlines())
NOW: float = THEN["now"]
PAGE_SIZE = 3
FILTERS = {
    "main": AccountFilters((), ()),
    "second": AccountFilters(("enable", "disable", "set_standby"), ()),
}
REFUSED = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
COMPLETED = ("enable", Status.COMPLETED)


@pytest.fixture(autouse=True)
def released(state_file: Path) -> None:
    """Put the state in the place of the state file."""
    with closing(sqlite3.connect(state_file)) as file:
        file.executescript((RELEASED / "version_2.sql").read_text())


@pytest.fixture
def both(open_account: Opener, open_store: Opener, make_options: Maker) -> Callable[[], Any]:
    """Give the way to make ledgers of both accounts on one store, as a start does."""

    def make() -> list[Any]:
        store = open_store()
        return [
            open_account(name, store, make_options(action_types=filters.action_types))
            for name, filters in FILTERS.items()
        ]

    return make


@pytest.fixture
def log() -> Any:
    """Give a log in memory and what is written to it."""
    return open_log()


def dump(state_file: Path) -> list[str]:
    """Return all that the file holds."""
    with closing(sqlite3.connect(state_file)) as file:
        (commits,) = file.execute("PRAGMA user_version").fetchone()
        return [f"PRAGMA user_version = {commits};", *file.iterdump()]


def query(state_file: Path, statement: str) -> list[Any]:
    """Return the rows that a statement finds in the file."""
    with closing(sqlite3.connect(state_file)) as file:
        return file.execute(statement).fetchall()


async def exported(accounts: list[Any]) -> list[str]:
    """Return what is exported of the accounts in metrics of then, as `version_2.metrics` has it."""
    for account in accounts:
        await account.ledger.open(NOW)
    snapshots = [(each.ledger.name, each.ledger.snapshot) for each in accounts]
    written = [
        render_metric(each, snapshots, Format.OPENMETRICS)
        for each in ACCOUNT_METRICS
        if f"# TYPE {each.name.removesuffix('_total')} {each.metric_type.value}" in EXPORTED
    ]
    lines = b"".join(written).decode().splitlines()
    return sorted(line for line in lines if not line.startswith("# HELP") and line[-4:] != " 0.0")


async def test_everything_is_exported_as_before(both: Opener) -> None:
    """Every counter, gauge, histogram and exemplar of both accounts has the value it had."""
    assert await exported(both()) == EXPORTED


def test_what_is_not_exported_is_kept_too(state_file: Path, open_store: Opener) -> None:
    """Every action, sum, cursor, drift and sweep is there, under its name of today."""
    actions = query(state_file, "SELECT * FROM actions ORDER BY id")
    sums = query(
        state_file,
        "SELECT account_id, metric, action_type, label, value FROM sums"
        " WHERE metric NOT IN ('unexplained', 'sweep_page', 'sweep_missing')",
    )
    store: SqliteStore = open_store()
    states = {state.account_id: state for state in map(store.load, FILTERS)}
    for mine, state in states.items():
        none_failed = [None, ""]
        rows = {id_: rest + none_failed for id_, account_id, *rest in actions if account_id == mine}
        found = store.find(mine, rows)
        assert {
            id_: [getattr(row, name) for name in row.__struct_fields__[1:]]
            for id_, row in found.items()
        } == rows
        assert state.tracked == len(rows)
        assert state.open == {id_: row for id_, row in found.items() if row.ended_at is None}
        assert sorted((mine, *key, value) for key, value in state.sums.items()) == sorted(
            each for each in sums if each[0] == mine
        )
    main, second = states.values()
    assert main.cursors == {
        ListFilter(None, None): ListCursor(
            SortOrder.NEWEST, 121, 1_700_000_060.0, 1_700_000_670.0, 1, 1_699_999_400.0
        )
    }
    assert second.cursors == {
        ListFilter("enable", None): ListCursor(
            SortOrder.OLDEST, 19, 1_699_999_890.0, 1_700_000_220.0, 0, 1_699_999_890.0
        ),
        ListFilter("disable", None): ListCursor(
            SortOrder.UPDATED, 22, 1_699_999_920.0, 1_700_001_178.0, 0, 1_699_999_921.0
        ),
        ListFilter("set_standby", None): ListCursor(
            SortOrder.NONE, 18, 1_700_000_120.0, 1_699_999_860.0, 1, 1_699_999_860.0
        ),
    }
    assert {key: each for key, each in main.drift.items() if each} == {COMPLETED: 4}
    assert second.drift == {("set_standby", Status.COMPLETED): -1}
    assert (main.sweeps, second.sweeps) == ({COMPLETED: Sweep(21, 4)}, {})
    assert (len(main.failures), len(second.failures)) == (7, 4)


async def test_a_running_sweep_goes_on_where_it_was(both: Opener) -> None:
    """It reads its next page, not its first, and what it finds ends the drift."""
    ledger: Ledger = both()[0].ledger
    clock = ManualClock(NOW)
    server = Server(clock)
    server.largest_page = PAGE_SIZE
    server.items = [
        {
            "id": id_,
            "sim_card_id": sim_card_id,
            "action_type": action_type,
            "status": {"value": status, "reason": reason},
            "created_at": stamp(created_at),
            "updated_at": stamp(updated_at),
        }
        for id_, sim_card_id, action_type, status, reason, created_at, updated_at in THEN["items"]
    ]
    client = Client(
        base_url="http://telnyx.test/v2",
        key=lambda: "KEY",
        http=open_http(timeout=10, concurrency=4, transport=server),
        limits=ClientLimits(timeout=10, rate=1e6, concurrency=4),
        observer=SelfMetrics("main"),
        clock=ServerTime(clock),
    )
    cycle = Cycle(
        client=client,
        ledger=ledger,
        clock=ServerTime(clock),
        filters=FILTERS["main"],
        audit_interval=1e9,
        page_size=PAGE_SIZE,
        concurrency=4,
    )
    await ledger.open(NOW)
    before = ledger.snapshot
    assert before.drift["completed"] == 4
    clock.advance(60.0)
    await cycle.run()
    swept = [
        int(params["page[number]"])
        for _, params in server.requests
        if params.get("filter[status]") == "completed" and params["page[size]"] != "1"
    ]
    assert swept[0] == 21
    assert swept == sorted(swept)
    assert not ledger.state.sweeps
    after = ledger.snapshot
    assert after.drift["completed"] == 0
    assert after.created == {**before.created, "enable": before.created["enable"] + 4}
    assert after.completed == {**before.completed, "enable": before.completed["enable"] + 4}
    assert (after.failed, after.interrupted) == (before.failed, before.interrupted)
    assert after.actions == before.actions


@pytest.mark.parametrize(
    ("logged", "expected"),
    [
        pytest.param("", THEN["unlogged"], id="as it is"),
        pytest.param(
            "UPDATE outbox SET logged = true WHERE account_id = 2",
            THEN["unlogged"] | {"second": []},
            id="one is done",
        ),
        pytest.param(
            "UPDATE outbox SET logged = true", {"main": [], "second": []}, id="both are done"
        ),
    ],
)
async def test_what_was_not_logged_is_logged_once(
    state_file: Path, both: Opener, log: Any, logged: str, expected: dict[str, list[str]]
) -> None:
    """The log goes on behind the last event that it was told of; a second start tells nothing."""
    with closing(sqlite3.connect(state_file)) as file:
        file.executescript(logged)
    event_log, stream = log
    found: list[dict[str, list[str]]] = []
    for _ in range(2):
        accounts = both()
        delivery = Delivery([LogSink(event_log)], ServerTime(ManualClock(NOW)), event_log)
        for account in accounts:
            await account.ledger.open(NOW)
            delivery.wake(account.ledger)
        await delivery.settle()
        told: dict[str, list[str]] = {name: [] for name in FILTERS}
        for line in map(json.loads, stream.getvalue().splitlines()):
            told[line["account"]].append(line["action_id"])
        found.append(told)
        accounts[0].store.close()
    assert found == [expected] * 2


async def test_a_second_opening_changes_nothing(state_file: Path, both: Opener) -> None:
    """The tables are brought up once; what is exported and what the file holds stays."""
    dumps, exports = [], []
    for _ in range(2):
        accounts = both()
        exports.append(await exported(accounts))
        accounts[0].store.close()
        dumps.append(dump(state_file))
    assert dumps[0] == dumps[1]
    assert exports[0] == exports[1]


@pytest.mark.parametrize(
    ("obstacle", "removal"),
    [
        pytest.param("CREATE TABLE list_cursors (x)", "DROP TABLE list_cursors", id="first step"),
        pytest.param(
            f"CREATE TRIGGER broken BEFORE DELETE ON sums {REFUSED}",
            "DROP TRIGGER broken",
            id="end of the first step",
        ),
        pytest.param("CREATE TABLE outbox_2 (x)", "DROP TABLE outbox_2", id="second step"),
        pytest.param(
            f"CREATE TRIGGER broken BEFORE UPDATE ON schema_version {REFUSED}",
            "DROP TRIGGER broken",
            id="last statement",
        ),
    ],
)
async def test_a_migration_that_fails_leaves_the_old_file(
    state_file: Path, open_store: Opener, both: Opener, obstacle: str, removal: str
) -> None:
    """The release that wrote it can still use it; this one can once the cause is gone."""
    with closing(sqlite3.connect(state_file)) as file:
        file.execute(obstacle)
    before = dump(state_file)
    store = open_store()
    with pytest.raises(StateError, match=r"refused|already"):
        store.load("main")
    assert dump(state_file) == before
    with closing(sqlite3.connect(state_file)) as file:
        file.execute(removal)
    assert await exported(both()) == EXPORTED
