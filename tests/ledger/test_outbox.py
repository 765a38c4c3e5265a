from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from exporter.domain import Event, EventType
from exporter.ledger.reasons import Reasons
from exporter.ledger.state import RECENT_FAILURES
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]


def a_unit(**fields: Any) -> UnitOfWork:
    """Return a unit of work that holds what is given."""
    return UnitOfWork("main", Reasons(()), str, 0.0, **fields)


def test_events_are_told_in_order_until_they_were_logged(
    open_store: Opener, make_action: Maker, make_unit: Maker, new_in: Maker
) -> None:
    """The oldest come first; what is not cleared is told again, also after a restart."""
    store = open_store()
    mine = store.load("main").account_id
    for number in range(5):
        store.commit(mine, new_in(make_unit(), make_action(f"{number}", "failed")), {})
    first = store.pending(mine, 2)
    assert [event.action_id for _, event in first] == ["0", "1"]
    assert store.pending(mine, 2) == first
    store.logged(mine, [seq for seq, _ in first])
    store.close()
    assert [event.action_id for _, event in store.pending(mine, 9)] == ["2", "3", "4"]
    store.logged(mine, [])
    assert len(store.pending(mine, 9)) == 3


def test_only_the_latest_failures_are_kept_once_they_were_logged(
    open_store: Opener, make_action: Maker, make_unit: Maker, make_row: Maker, new_in: Maker
) -> None:
    """What is not logged is kept however much it is, and stuck actions leave no trace after."""
    store = open_store()
    mine = store.load("main").account_id
    count = 2 * RECENT_FAILURES
    unit = new_in(make_unit(), *(make_action(f"{n}", "failed") for n in range(count)))
    unit.stuck(make_row("s"))
    unit.added.add("s")
    store.commit(mine, unit, {})
    events = store.pending(mine, 10 * count)
    assert [event.event_type for _, event in events] == [EventType.FAILED] * count + [
        EventType.STUCK
    ]
    newest = [f"{n}" for n in reversed(range(count - RECENT_FAILURES, count))]
    assert [event.action_id for event in store.load("main").failures] == newest
    store.logged(mine, [seq for seq, _ in events])
    with store._database.transaction() as connection:  # noqa: SLF001  # the size on the disk
        left = connection.execute(text("SELECT kind FROM outbox")).scalars().all()
    assert left == [EventType.FAILED] * RECENT_FAILURES
    assert [event.action_id for event in store.load("main").failures] == newest


def test_events_are_kept_whole(open_store: Opener) -> None:
    """Every field of an event comes back, whatever its text."""
    store = open_store()
    mine = store.load("main").account_id
    event = Event(
        EventType.INTERRUPTED, "main", "a", "s", "t", "interrupted",
        'long "quoted"\n\U0001f4a5 ' * 1000, "other", None, 1.25, 0.5,
    )  # fmt: skip
    store.commit(mine, a_unit(events=[event]), {})
    assert [each for _, each in store.pending(mine, 10)] == [event]
    assert store.load("main").failures == (event,)
