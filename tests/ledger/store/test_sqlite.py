from collections.abc import Callable

import pytest
from sqlalchemy import text

from exporter.domain import EventType
from exporter.errors import StateError
from exporter.ledger.state import RECENT_FAILURES
from exporter.ledger.store.sqlite import SqliteStore
from tests.ledger.store.contract import a_bare_unit, an_event

Opener = Callable[..., SqliteStore]


def rows(store: SqliteStore) -> int:
    """Return how many events the database holds."""
    with store._database.transaction() as connection:  # noqa: SLF001  # the size on the disk
        return int(connection.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def deliver(store: SqliteStore, account_id: int, sink: str) -> None:
    """Note that a sink was delivered all there is."""
    store.delivered(account_id, sink, store.undelivered(account_id, sink, 10_000)[-1][0])


def test_events_are_deleted_once_every_sink_was_delivered_them(open_store: Opener) -> None:
    """All are kept for the slowest; then the latest failures are, and no stuck action."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    count = 2 * RECENT_FAILURES
    failed = [an_event(str(number)) for number in range(count)]
    stuck = an_event("s", EventType.STUCK)
    store.commit(mine, a_bare_unit(events=[*failed, stuck]), {})
    deliver(store, mine, "log")
    assert rows(store) == count + 1
    deliver(store, mine, "other")
    assert rows(store) == RECENT_FAILURES


def test_events_of_a_sink_that_is_gone_are_deleted(open_store: Opener) -> None:
    """What it alone had yet to be told of takes no room any more."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    failed = [an_event(str(number)) for number in range(2 * RECENT_FAILURES)]
    store.commit(mine, a_bare_unit(events=failed), {})
    deliver(store, mine, "log")
    store.attach_sinks(mine, ["log"])
    assert rows(store) == RECENT_FAILURES


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO sums VALUES (1, 'nonsense', '', '', 1, NULL, NULL, NULL)",
        "INSERT INTO list_cursors VALUES (1, '', 'nonsense', 'newest', 0, NULL, NULL, 0, NULL)",
        "INSERT INTO outbox VALUES (1, 1, 'sim_card_action_failed', '{')",
        "INSERT INTO outbox VALUES (1, 1, 'sim_card_action_failed', '{}')",
    ],
    ids=["sum", "listing", "no JSON", "no event"],
)
def test_what_cannot_be_read_is_a_state_error(open_store: Opener, statement: str) -> None:
    """Somebody changed the file: it is said what is wrong, and what helps."""
    store = open_store()
    store.attach_sinks(store.load("main").account_id, ["log"])
    with store._database.transaction() as connection:  # noqa: SLF001  # a hand in the file
        connection.execute(text(statement))
    with pytest.raises(StateError, match=r"cannot read .*; restore a backup"):
        store.load("main")
    if "outbox" in statement:
        with pytest.raises(StateError, match="cannot read"):
            store.undelivered(1, "log", 10)
