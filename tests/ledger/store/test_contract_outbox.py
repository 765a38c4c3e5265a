from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import Event, EventType
from exporter.ledger.state import RECENT_FAILURES
from exporter.ledger.store.protocol import LedgerStore
from tests.ledger.store.contract import StatePlace, a_bare_unit, an_event


def commit(store: LedgerStore, account_id: int, ids: Iterable[int]) -> None:
    """Commit a failure of each of these actions at once."""
    store.commit(account_id, a_bare_unit(events=[an_event(str(each)) for each in ids]), {})


def ids(store: LedgerStore, account_id: int, sink: str, limit: int = 1000) -> list[int]:
    """Return the actions whose events a sink was not delivered yet."""
    return [int(event.action_id) for _, event in store.undelivered(account_id, sink, limit)]


def deliver(store: LedgerStore, account_id: int, sink: str, limit: int = 1000) -> list[int]:
    """Take events and note that they were delivered; returns their actions."""
    batch = store.undelivered(account_id, sink, limit)
    if batch:
        store.delivered(account_id, sink, batch[-1][0])
    return [int(event.action_id) for _, event in batch]


def test_events_are_kept_in_order_until_they_were_delivered(store: LedgerStore) -> None:
    """The oldest come first; what is not noted as delivered comes again, also after a restart."""
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


def test_each_sink_has_its_own_place(store: LedgerStore) -> None:
    """One that gets on does not move the other, and an event stays until both have it."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    count = 2 * RECENT_FAILURES
    commit(store, mine, range(count))
    assert deliver(store, mine, "log") == [*range(count)]
    assert ids(store, mine, "log") == []
    assert deliver(store, mine, "other", 10) == [*range(10)]
    assert ids(store, mine, "other") == [*range(10, count)]
    assert deliver(store, mine, "other") == [*range(10, count)]


def test_a_new_sink_begins_at_the_present_end(store: LedgerStore) -> None:
    """It is not told of the past, only of what is committed from then on."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    commit(store, mine, range(3))
    store.attach_sinks(mine, ["log", "other"])
    assert ids(store, mine, "other") == []
    commit(store, mine, [3])
    store.attach_sinks(mine, ["log", "other"])  # again, as each start does
    assert ids(store, mine, "other") == [3]
    assert ids(store, mine, "log") == [0, 1, 2, 3]


def test_a_sink_that_is_gone_holds_nothing_back(store: LedgerStore) -> None:
    """What it alone had yet to be told of is deleted; where it comes back, it is new."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log", "other"])
    commit(store, mine, range(2 * RECENT_FAILURES))
    deliver(store, mine, "log")
    store.attach_sinks(mine, ["log"])
    assert ids(store, mine, "other") == []
    store.attach_sinks(mine, ["log", "other"])
    assert ids(store, mine, "other") == []


def test_accounts_have_their_own_places(store: LedgerStore) -> None:
    """What one account was delivered says nothing of another."""
    one, two = store.load("one").account_id, store.load("two").account_id
    for each in (one, two):
        store.attach_sinks(each, ["log"])
    commit(store, two, [1])
    commit(store, one, [2])
    commit(store, two, [3])
    assert deliver(store, one, "log") == [2]
    assert ids(store, two, "log") == [1, 3]


def test_only_the_latest_failures_are_kept_once_they_were_delivered(store: LedgerStore) -> None:
    """What is not delivered is kept however much it is, and stuck actions leave no trace after."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    count = 2 * RECENT_FAILURES
    failed = [an_event(str(number)) for number in range(count)]
    store.commit(mine, a_bare_unit(events=[*failed, an_event("s", EventType.STUCK)]), {})
    newest = [f"{n}" for n in reversed(range(count - RECENT_FAILURES, count))]
    assert [event.action_id for event in store.load("main").failures] == newest
    store.delivered(mine, "log", store.undelivered(mine, "log", 10 * count)[-1][0])
    assert [event.action_id for event in store.load("main").failures] == newest


def test_events_are_kept_whole(store: LedgerStore) -> None:
    """Every field of an event comes back, whatever its text."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    event = Event(
        EventType.INTERRUPTED, "main", "a", "s", "t", "interrupted",
        'long "quoted"\n\U0001f4a5 ' * 1000, "other", None, 1.25, 0.5,
    )  # fmt: skip
    store.commit(mine, a_bare_unit(events=[event]), {})
    assert [each for _, each in store.undelivered(mine, "log", 10)] == [event]
    assert store.load("main").failures == (event,)


def test_numbers_are_never_used_again(place: StatePlace) -> None:
    """What is committed after a restart comes behind what was delivered and deleted."""
    store = place.reopen()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    last = 0
    for number in range(3):
        event = an_event(str(number), EventType.STUCK)
        store.commit(mine, a_bare_unit(events=[event]), {})
        ((seq, found),) = store.undelivered(mine, "log", 10)
        assert (seq > last, found) == (True, event)
        store.delivered(mine, "log", last := seq)
        assert not store.undelivered(mine, "log", 10)
        store = place.reopen()
        store.load("main")


def test_a_sink_that_is_not_attached_gets_nothing(store: LedgerStore) -> None:
    """It has no position, and what is noted for it changes none."""
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    commit(store, mine, range(3))
    assert ids(store, mine, "other") == []
    store.delivered(mine, "other", 1000)
    assert ids(store, mine, "log") == [0, 1, 2]


STEPS = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 3 * RECENT_FAILURES)),
    st.tuples(st.just("deliver"), st.sampled_from(["log", "other"]), st.integers(1, 200)),
    st.tuples(st.just("take"), st.sampled_from(["log", "other"]), st.integers(1, 200)),
    st.tuples(st.just("restart")),
)


@settings(deadline=None, max_examples=settings().max_examples // 5)
@given(steps=st.lists(STEPS, max_size=20))
def test_every_sink_gets_every_event_once_and_in_order(
    new_place: Callable[[], AbstractContextManager[StatePlace]], steps: list[Any]
) -> None:
    """However commits, deliveries, attempts that come to nothing and restarts follow each other."""
    with new_place() as place:
        store = place.reopen()
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
                    store = place.reopen()
                    store.load("main")
                    store.attach_sinks(mine, ["log", "other"])
        kept = store.load("main").failures
        assert [int(each.action_id) for each in kept] == [*reversed(range(count))][:RECENT_FAILURES]
        for sink, before in got.items():
            assert before + deliver(store, mine, sink, 10_000) == [*range(count)]
