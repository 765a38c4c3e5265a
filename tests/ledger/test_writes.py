from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from exporter.errors import StateError
from exporter.ledger.draft import Draft
from exporter.ledger.model import Listing, Metric, Order, Scope, SumKey
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store

Opener = Callable[..., Store]
Maker = Callable[..., Any]


def a_draft(**fields: Any) -> Draft:
    """Return a draft that holds what is given."""
    return Draft("main", Reasons(()), str, 0.0, **fields)


def test_a_commit_replaces_what_stood_under_the_same_name(
    open_store: Opener, make_row: Maker
) -> None:
    """Rows, sums and listings are changed in place, the others stay."""
    store = open_store()
    mine = store.load("main").account_id
    key, head = SumKey(Metric.CREATED, "enable"), Scope(None, None)
    first = a_draft(
        rows={"a": make_row("a"), "b": make_row("b")},
        added={"a", "b"},
        listings={head: Listing(Order.NEWEST, 2, None)},
    )
    first.sums[key] += 2
    sums = store.commit(mine, first, {})
    second = a_draft(
        rows={"a": make_row("a", "failed")},
        listings={head: Listing(Order.OLDEST, 3, 4.0, 5.0, 6)},
    )
    second.sums[key] += 1
    store.commit(mine, second, sums)
    book = store.load("main")
    assert store.find(mine, ["a", "b"]) == {"a": make_row("a", "failed"), "b": make_row("b")}
    assert (book.tracked, list(book.open), book.sums[key]) == (2, ["b"], 3)
    assert book.listings == {head: Listing(Order.OLDEST, 3, 4.0, 5.0, 6)}


@pytest.mark.parametrize("table", ["actions", "sums", "listings", "outbox", "accounts"])
def test_an_error_in_the_middle_leaves_all_as_before(
    open_store: Opener, make_action: Maker, make_draft: Maker, new_in: Maker, table: str
) -> None:
    """Whichever statement fails, nothing of the draft is kept; without the error all of it is."""
    store = open_store()
    mine = store.load("main").account_id
    statement = "UPDATE" if table == "accounts" else "INSERT"
    with store._database.transaction() as connection:  # noqa: SLF001  # the error to come
        connection.execute(
            text(
                f"CREATE TRIGGER broken BEFORE {statement} ON {table}"
                " BEGIN SELECT RAISE(ABORT, 'no more'); END"
            )
        )
    draft = new_in(make_draft(), make_action("a", "failed"))
    draft.listings[Scope(None, None)] = Listing(Order.NEWEST, 1, None)
    draft.baseline_at = 50.0
    before = store.load("main")
    with pytest.raises(StateError, match="no more"):
        store.commit(mine, draft, {})
    assert store.load("main") == before
    assert store.find(mine, ["a"]) == {}
    assert store.pending(mine, 10) == ()
    with store._database.transaction() as connection:  # noqa: SLF001  # the error goes away
        connection.execute(text("DROP TRIGGER broken"))
    store.commit(mine, draft, {})
    after = store.load("main")
    assert (after.tracked, after.baseline_at, len(after.listings)) == (1, 50.0, 1)
    assert len(store.pending(mine, 10)) == 1
