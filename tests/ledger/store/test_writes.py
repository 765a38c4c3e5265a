from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from exporter.domain import Status
from exporter.errors import StateError
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, SumKey, SumName, Sweep
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]


def a_unit(**fields: Any) -> UnitOfWork:
    """Return a unit of work that holds what is given."""
    return UnitOfWork("main", Reasons(()), str, 0.0, **fields)


def test_a_commit_replaces_what_stood_under_the_same_name(
    open_store: Opener, make_row: Maker
) -> None:
    """Rows, sums, cursors, drift and sweeps are changed in place, the others stay."""
    store = open_store()
    mine = store.load("main").account_id
    key, head = SumKey(SumName.CREATED, "enable"), ListFilter(None, None)
    first = a_unit(
        rows={"a": make_row("a"), "b": make_row("b")},
        added={"a", "b"},
        cursors={head: ListCursor(SortOrder.NEWEST, 2, None)},
        drift={("enable", Status.FAILED): 3, ("enable", Status.COMPLETED): 1},
        sweeps={("enable", Status.FAILED): Sweep(1, 3), ("enable", Status.COMPLETED): Sweep(2, 1)},
    )
    first.sums[key] += 2
    sums = store.commit(mine, first, {})
    second = a_unit(
        rows={"a": make_row("a", "failed")},
        cursors={head: ListCursor(SortOrder.OLDEST, 3, 4.0, 5.0, 6)},
        drift={("enable", Status.FAILED): 0},
        sweeps={("enable", Status.FAILED): Sweep(4, 2), ("enable", Status.COMPLETED): None},
    )
    second.sums[key] += 1
    store.commit(mine, second, sums)
    state = store.load("main")
    assert store.find(mine, ["a", "b"]) == {"a": make_row("a", "failed"), "b": make_row("b")}
    assert (state.tracked, list(state.open), state.sums[key]) == (2, ["b"], 3)
    assert state.cursors == {head: ListCursor(SortOrder.OLDEST, 3, 4.0, 5.0, 6)}
    assert state.drift == {("enable", Status.FAILED): 0, ("enable", Status.COMPLETED): 1}
    assert state.sweeps == {("enable", Status.FAILED): Sweep(4, 2)}


@pytest.mark.parametrize(
    "table", ["actions", "sums", "list_cursors", "drift", "sweeps", "outbox", "accounts"]
)
def test_an_error_in_the_middle_leaves_all_as_before(
    open_store: Opener, make_action: Maker, make_unit: Maker, new_in: Maker, table: str
) -> None:
    """Whichever statement fails, nothing of the unit of work is kept; without it, all is."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    statement = "UPDATE" if table == "accounts" else "INSERT"
    with store._database.transaction() as connection:  # noqa: SLF001  # the error to come
        connection.execute(
            text(
                f"CREATE TRIGGER broken BEFORE {statement} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'no more'); END"
            )
        )
    unit = new_in(make_unit(), make_action("a", "failed"))
    unit.cursors[ListFilter(None, None)] = ListCursor(SortOrder.NEWEST, 1, None)
    unit.drift["enable", Status.FAILED] = 3
    unit.sweeps["enable", Status.FAILED] = Sweep(1, 3)
    unit.baseline_at = 50.0
    before = store.load("main")
    with pytest.raises(StateError, match="no more"):
        store.commit(mine, unit, {})
    assert store.load("main") == before
    assert store.find(mine, ["a"]) == {}
    assert store.undelivered(mine, "log", 10) == ()
    with store._database.transaction() as connection:  # noqa: SLF001  # the error goes away
        connection.execute(text("DROP TRIGGER broken"))
    store.commit(mine, unit, {})
    after = store.load("main")
    assert (after.tracked, after.baseline_at, len(after.cursors)) == (1, 50.0, 1)
    assert len(store.undelivered(mine, "log", 10)) == 1
