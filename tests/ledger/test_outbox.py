from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from exporter.domain import Event, EventType
from exporter.ledger.reasons import Reasons
from exporter.ledger.state import RECENT_FAILURES
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]


def an_event(action_id: str, event_type: EventType = EventType.FAILED, **fields: Any) -> Event:
    """Return an event of an action."""
    usual: dict[str, Any] = {
        "account": "main",
        "sim_card_id": "s",
        "action_type": "enable",
        "status": "failed",
        "reason": "",
        "reason_class": "other",
        "created_at": None,
        "updated_at": None,
        "duration_seconds": None,
    }
    return Event(event_type=event_type, action_id=action_id, **(usual | fields))


def a_unit(*events: Event) -> UnitOfWork:
    """Return a unit of work that holds events."""
    return UnitOfWork("main", Reasons(()), str, 0.0, events=list(events))


def commit(store: SqliteStore, account_id: int, ids: Iterable[int]) -> None:
    """Commit a failure of each of these actions at once."""
    store.commit(account_id, a_unit(*(an_event(str(each)) for each in ids)), {})


def ids(store: SqliteStore, account_id: int, sink: str, limit: int = 1000) -> list[int]:
    """Return the actions whose events a sink was not delivered yet."""
    return [int(event.action_id) for _, event in store.undelivered(account_id, sink, limit)]


def deliver(store: SqliteStore, account_id: int, sink: str, limit: int = 1000) -> list[int]:
    """Take events and note that they were delivered; returns their actions."""
    batch = store.undelivered(account_id, sink, limit)
    if batch:
        store.delivered(account_id, sink, batch[-1][0])
    return [int(event.action_id) for _, event in batch]


def rows(store: SqliteStore) -> int:
    """Return how many events the database holds."""
    with store._database.transaction() as connection:  # noqa: SLF001  # the size on the disk
        return int(connection.execute(text("SELECT count(*) FROM outbox")).scalar_one())


def test_events_are_kept_in_order_until_they_were_delivered(open_store: Opener) -> None:
    """The oldest come first; what is not noted as delivered comes again, also after a restart."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    for number in range(5):
        commit(store, mine, [number])
    first = store.undelivered(mine, "log", 2)
    assert [event.action_id for _, event in first] == ["0", "1"]
    assert store.undelivered(mine, "log", 2) == first
    store.delivered(mine, "log", first[-1][0])
    store.close()
    assert ids(store, mine, "log") == [2, 3, 4]
    store.delivered(mine, "log", first[0][0])  # an older position
    assert ids(store, mine, "log") == [2, 3, 4]


def test_each_sink_has_its_own_place(open_store: Opener) -> None:
    """One that gets on does not move the other, and an event stays until both have it."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    count = 2 * RECENT_FAILURES
    commit(store, mine, range(count))
    assert deliver(store, mine, "log") == [*range(count)]
    assert ids(store, mine, "log") == []
    assert rows(store) == count
    assert deliver(store, mine, "other", 10) == [*range(10)]
    assert ids(store, mine, "other") == [*range(10, count)]
    assert deliver(store, mine, "other") == [*range(10, count)]
    assert rows(store) == RECENT_FAILURES


def test_a_new_sink_begins_at_the_present_end(open_store: Opener) -> None:
    """It is not told of the past, only of what is committed from then on."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    commit(store, mine, range(3))
    store.attach_sinks(mine, ["log", "other"])
    assert ids(store, mine, "other") == []
    commit(store, mine, [3])
    store.attach_sinks(mine, ["log", "other"])  # again, as each start does
    assert ids(store, mine, "other") == [3]
    assert ids(store, mine, "log") == [0, 1, 2, 3]


def test_a_sink_that_is_gone_holds_nothing_back(open_store: Opener) -> None:
    """What it alone had yet to be told of is deleted; where it comes back, it is new."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    commit(store, mine, range(2 * RECENT_FAILURES))
    deliver(store, mine, "log")
    store.attach_sinks(mine, ["log"])
    assert rows(store) == RECENT_FAILURES
    assert ids(store, mine, "other") == []
    store.attach_sinks(mine, ["log", "other"])
    assert ids(store, mine, "other") == []


def test_accounts_have_their_own_places(open_store: Opener) -> None:
    """What one account was delivered says nothing of another."""
    store = open_store()
    one, two = store.load("one").account_id, store.load("two").account_id
    for each in (one, two):
        store.attach_sinks(each, ["log"])
    commit(store, two, [1])
    commit(store, one, [2])
    commit(store, two, [3])
    assert deliver(store, one, "log") == [2]
    assert ids(store, two, "log") == [1, 3]


def test_only_the_latest_failures_are_kept_once_they_were_delivered(open_store: Opener) -> None:
    """What is not delivered is kept however much it is, and stuck actions leave no trace after."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    count = 2 * RECENT_FAILURES
    failed = [an_event(str(number)) for number in range(count)]
    store.commit(mine, a_unit(*failed, an_event("s", EventType.STUCK)), {})
    assert rows(store) == count + 1
    newest = [f"{n}" for n in reversed(range(count - RECENT_FAILURES, count))]
    assert [event.action_id for event in store.load("main").failures] == newest
    store.delivered(mine, "log", store.undelivered(mine, "log", 10 * count)[-1][0])
    assert rows(store) == RECENT_FAILURES
    assert [event.action_id for event in store.load("main").failures] == newest


def test_events_are_kept_whole(open_store: Opener) -> None:
    """Every field of an event comes back, whatever its text."""
    store = open_store()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    event = Event(
        EventType.INTERRUPTED, "main", "a", "s", "t", "interrupted",
        'long "quoted"\n\U0001f4a5 ' * 1000, "other", None, 1.25, 0.5,
    )  # fmt: skip
    store.commit(mine, a_unit(event), {})
    assert [each for _, each in store.undelivered(mine, "log", 10)] == [event]
    assert store.load("main").failures == (event,)


STEPS = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 3 * RECENT_FAILURES)),
    st.tuples(st.just("deliver"), st.sampled_from(["log", "other"]), st.integers(1, 200)),
    st.tuples(st.just("take"), st.sampled_from(["log", "other"]), st.integers(1, 200)),
    st.tuples(st.just("restart")),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
@given(steps=st.lists(STEPS, max_size=20))
def test_every_sink_gets_every_event_once_and_in_order(
    open_store: Opener, tmp_path: Path, steps: list[Any]
) -> None:
    """However commits, deliveries, attempts that come to nothing and restarts follow each other."""
    store = open_store(tmp_path / f"{uuid4()}.db")
    try:
        mine = store.load("main").account_id
        store.attach_sinks(mine, ["log", "other"])
        count = 0
        got: dict[str, list[int]] = {"log": [], "other": []}
        for step in steps:
            match step:
                case ("commit", more):
                    commit(store, mine, range(count, count + more))
                    count += more
                case ("deliver", sink, limit):
                    got[sink] += deliver(store, mine, sink, limit)
                case ("take", sink, limit):
                    assert ids(store, mine, sink, limit) == [*range(len(got[sink]), count)][:limit]
                case _:
                    store.close()
                    store.attach_sinks(mine, ["log", "other"])
        kept = store.load("main").failures
        assert [int(each.action_id) for each in kept] == [*reversed(range(count))][:RECENT_FAILURES]
        for sink, before in got.items():
            assert before + deliver(store, mine, sink, 10_000) == [*range(count)]
    finally:
        store.close()
