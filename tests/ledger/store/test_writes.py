from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from exporter.domain import Status
from exporter.errors import StateError
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, Sweep
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]


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
