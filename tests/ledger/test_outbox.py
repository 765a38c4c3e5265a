from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from exporter.ledger.book import LATEST
from exporter.ledger.draft import Draft
from exporter.ledger.model import Event, EventKind
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store

Opener = Callable[..., Store]
Maker = Callable[..., Any]


def a_draft(**fields: Any) -> Draft:
    """Return a draft that holds what is given."""
    return Draft("main", Reasons(()), str, 0.0, **fields)


def test_events_are_told_in_order_until_they_were_logged(
    open_store: Opener, make_action: Maker, make_draft: Maker, new_in: Maker
) -> None:
    """The oldest come first; what is not cleared is told again, also after a restart."""
    store = open_store()
    mine = store.load("main").account_id
    for number in range(5):
        store.commit(mine, new_in(make_draft(), make_action(f"{number}", "failed")), {})
    first = store.pending(mine, 2)
    assert [event.action_id for _, event in first] == ["0", "1"]
    assert store.pending(mine, 2) == first
    store.logged(mine, [seq for seq, _ in first])
    store.close()
    assert [event.action_id for _, event in store.pending(mine, 9)] == ["2", "3", "4"]
    store.logged(mine, [])
    assert len(store.pending(mine, 9)) == 3


def test_only_the_latest_failures_are_kept_once_they_were_logged(
    open_store: Opener, make_action: Maker, make_draft: Maker, make_row: Maker, new_in: Maker
) -> None:
    """What is not logged is kept however much it is, and stuck actions leave no trace after."""
    store = open_store()
    mine = store.load("main").account_id
    count = 2 * LATEST
    draft = new_in(make_draft(), *(make_action(f"{n}", "failed") for n in range(count)))
    draft.stuck(make_row("s"))
    draft.added.add("s")
    store.commit(mine, draft, {})
    events = store.pending(mine, 10 * count)
    assert [event.kind for _, event in events] == [EventKind.FAILED] * count + [EventKind.STUCK]
    newest = [f"{n}" for n in reversed(range(count - LATEST, count))]
    assert [event.action_id for event in store.load("main").failures] == newest
    store.logged(mine, [seq for seq, _ in events])
    with store._database.transaction() as connection:  # noqa: SLF001  # the size on the disk
        left = connection.execute(text("SELECT kind FROM outbox")).scalars().all()
    assert left == [EventKind.FAILED] * LATEST
    assert [event.action_id for event in store.load("main").failures] == newest


def test_events_are_kept_whole(open_store: Opener) -> None:
    """Every field of an event comes back, whatever its text."""
    store = open_store()
    mine = store.load("main").account_id
    event = Event(
        EventKind.INTERRUPTED, "main", "a", "s", "t", "interrupted",
        'long "quoted"\n\U0001f4a5 ' * 1000, "other", None, 1.25, 0.5,
    )  # fmt: skip
    store.commit(mine, a_draft(events=[event]), {})
    assert [each for _, each in store.pending(mine, 10)] == [event]
    assert store.load("main").failures == (event,)
