"""A thousand accounts, each filtered in a way of its own, are read like one."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, combinations, islice, product
from typing import Any

import pytest

from exporter.domain import KNOWN_ACTION_TYPES, SimCard, Status
from exporter.ledger.queries import (
    AccountAction,
    AccountScope,
    ActionQuery,
    FailureQuery,
    LedgerView,
    ProblemQuery,
)
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.reading import find_actions
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.sqlite_reader import SqliteReader
from tests.ledger.conftest import a_row, an_options
from tests.ledger.store.contract import a_bare_unit
from tests.views import a_problem

REASONS = Reasons.with_configured(())
NAMES = [f"account-{number:04}" for number in range(1000)]
CARD = SimCard("sim", "8988")


def some_of(values: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every choice of the values, none last."""
    return chain.from_iterable(combinations(values, size) for size in range(len(values), -1, -1))


def each_filtered() -> dict[str, SnapshotOptions]:
    """Return filters for the accounts, no two alike."""
    filters = product(some_of(tuple(Status)), some_of(KNOWN_ACTION_TYPES))
    apart = islice(filters, 0, None, 3)
    return {
        name: an_options(statuses=tuple(map(Status, statuses)), action_types=types)
        for name, (statuses, types) in zip(NAMES, apart, strict=False)
    }


FILTERS = each_filtered()
VIEW = LedgerView(
    tuple(AccountScope(name, options) for name, options in FILTERS.items()),
    REASONS.classify,
    REASONS.classes,
)
ACTIONS = [*product((Status.IN_PROGRESS, Status.FAILED), ("enable", "set_public_ip"))]
"""What each account has, all of one SIM card."""

Shown = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> SqliteReader:
    """Read a ledger in which each account has what the others have."""
    file = tmp_path_factory.mktemp("many") / "state.db"
    store = SqliteStore(Database(f"sqlite:///{file}"))
    rows = [
        a_row(f"{status}-{kind}", status, action_type=kind, failure_at=1.0, failure_status=failure)
        for status, kind in ACTIONS
        for failure in ("failed" if status is Status.FAILED else "",)
    ]
    problems = {
        ("sim", concern): a_problem("sim", concern=concern) for concern in ("voice", "public_ip")
    }
    unit = a_bare_unit(
        rows={row.id: row for row in rows}, problems=problems, sim_cards={"sim": CARD}
    )
    store.commit(store.load(NAMES[0]).account_id, unit, {})
    store.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        for number, name in enumerate(NAMES[1:], 2):
            _copy(connection, "accounts", id=number, name=f"'{name}'")
        for table in ("actions", "problems", "sim_cards"):
            _copy(connection, table, account_id="other.id")
    return SqliteReader(file, timeout=30.0)  # what is read is the point, not how fast


def _copy(connection: sqlite3.Connection, table: str, **changed: object) -> None:
    """Copy what the first account has in a table, to all others or as another account."""
    columns = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
    taken = [str(changed.get(each, f"{table}.{each}")) for each in columns]
    own = "id" if table == "accounts" else "account_id"
    others = "" if table == "accounts" else "JOIN accounts AS other ON other.id > 1"
    selected = f"SELECT {', '.join(taken)} FROM {table} {others} WHERE {table}.{own} = 1"  # noqa: S608 # ours
    connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) {selected}")


def shown(*statuses: Status) -> Shown:
    """Return the accounts, statuses and types of what their filters leave."""
    return sorted(
        (name, status.value, kind)
        for name, options in FILTERS.items()
        for status, kind in ACTIONS
        if status in statuses
        and (not options.statuses or status in options.statuses)
        and (not options.action_types or kind in options.action_types)
    )


def listed(rows: Iterable[AccountAction]) -> Shown:
    """Return the accounts, statuses and types of rows."""
    return sorted((row.account, row.status, row.action_type) for row in rows)


@pytest.mark.parametrize(
    "query",
    [{}, {"sim_card_id": "sim"}, {"iccid": "8988"}, {"reason_class": "none"}, {"since": 50.0}],
)
def test_actions(reader: SqliteReader, query: dict[str, Any]) -> None:
    """By any way to find them."""
    found = reader.actions(VIEW, ActionQuery(**query))
    assert listed(found.rows) == shown(Status.IN_PROGRESS, Status.FAILED)


def test_actions_among_many(reader: SqliteReader) -> None:
    """Where there are too many to look at each."""
    with reader.reading() as connection:
        found = find_actions(connection, VIEW, ActionQuery(), few=0)
    assert listed(found.rows) == shown(Status.IN_PROGRESS, Status.FAILED)


def test_failures(reader: SqliteReader) -> None:
    """Listed, counted by reason, and on the page of a SIM card."""
    wanted = shown(Status.FAILED)
    assert listed(reader.failures(VIEW, FailureQuery()).rows) == wanted
    assert sum(each.count for each in reader.failure_reasons(VIEW, 0.0)) == len(wanted)
    history = reader.sim_card(VIEW, "sim")
    assert listed(history.actions.rows) == shown(Status.IN_PROGRESS, Status.FAILED)
    assert set(history.cards) == set(NAMES)


@pytest.mark.parametrize("query", [{}, {"reason_class": "sim_blocked"}, {"sim_card_id": "sim"}])
def test_problems(reader: SqliteReader, query: dict[str, Any]) -> None:
    """Those whose repairs can be seen."""
    found = reader.problems(VIEW, ProblemQuery(**query)).rows
    assert sorted((row.account, row.problem.concern) for row in found) == sorted(
        (name, concern)
        for name, options in FILTERS.items()
        for concern in ("voice", "public_ip")
        if options.watches(concern)
    )
