import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from exporter.domain import Status
from exporter.errors import StateError
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import (
    Exemplar,
    ListCursor,
    ListFilter,
    SortOrder,
    SumKey,
    SumName,
    Sweep,
    TrackedAction,
    TypeStatus,
)
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import IDS_AT_ONCE, SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TIMES = st.none() | st.floats(0, 4e9)
ROWS = st.builds(
    TrackedAction,
    id=TEXTS.filter(bool),
    sim_card_id=TEXTS,
    action_type=TEXTS,
    status=TEXTS,
    reason=st.none() | TEXTS,
    created_at=TIMES,
    updated_at=TIMES,
    seen_at=st.floats(0, 4e9),
    ended_at=TIMES,
    position=st.none() | st.integers(0, 2**62),
    stuck=st.booleans(),
)
KEYS = st.builds(SumKey, st.sampled_from(SumName), TEXTS, TEXTS)
FILTERS = st.builds(ListFilter, st.none() | TEXTS.filter(bool), st.none() | st.sampled_from(Status))
COUNTS = st.integers(0, 2**62)
CURSORS = st.builds(ListCursor, st.sampled_from(SortOrder), COUNTS, TIMES, TIMES, COUNTS)
TYPE_STATUSES = st.tuples(TEXTS, st.sampled_from(Status))
SWEEPS = st.builds(Sweep, COUNTS, COUNTS)


def a_unit(**fields: Any) -> UnitOfWork:
    """Return a unit of work that holds what is given."""
    return UnitOfWork("main", Reasons(()), str, 0.0, **fields)


@contextmanager
def _reopening() -> Iterator[Callable[[], SqliteStore]]:
    """Give a way to open a store on one file anew, as a new process would."""
    with tempfile.TemporaryDirectory() as folder:
        opened: list[SqliteStore] = []

        def reopen() -> SqliteStore:
            while opened:
                opened.pop().close()
            opened.append(SqliteStore(Database(f"sqlite:///{folder}/state.db")))
            return opened[0]

        yield reopen
        opened[0].close()


@settings(max_examples=50, deadline=None)
@given(
    rows=st.dictionaries(TEXTS, ROWS, max_size=5),
    known=st.dictionaries(KEYS, st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    cursors=st.dictionaries(FILTERS, CURSORS, max_size=5),
    drift=st.dictionaries(TYPE_STATUSES, st.integers(-(2**40), 2**40), max_size=5),
    sweeps=st.dictionaries(TYPE_STATUSES, st.none() | SWEEPS, max_size=5),
    times=st.tuples(TIMES, TIMES),
)
def test_everything_is_there_after_reopening(
    rows: dict[str, TrackedAction],
    known: dict[SumKey, float],
    cursors: dict[ListFilter, ListCursor],
    drift: dict[TypeStatus, int],
    sweeps: dict[TypeStatus, Sweep | None],
    times: tuple[float | None, float | None],
) -> None:
    """What was committed is read back as it was, field by field."""
    by_id = {row.id: row for row in rows.values()}
    with _reopening() as reopen:
        store = reopen()
        mine = store.load("main").account_id
        exemplars = {key: Exemplar("a", "s", 1.5) for key in list(known)[:2]}
        unit = a_unit(
            rows=by_id,
            added=set(by_id),
            known=known,
            exemplars=exemplars,
            cursors=cursors,
            drift=drift,
            sweeps=sweeps,
            baseline_at=times[0],
            audit_at=times[1],
        )
        assert store.commit(mine, unit, {}) == known
        store = reopen()
        state = store.load("main")
        assert state.open == {id_: row for id_, row in by_id.items() if row.ended_at is None}
        assert store.find(mine, by_id) == by_id
        assert (state.sums, state.exemplars, state.cursors) == (known, exemplars, cursors)
        assert state.drift == drift
        assert state.sweeps == {key: each for key, each in sweeps.items() if each is not None}
        assert (state.baseline_at, state.audit_at, state.tracked) == (*times, len(by_id))


def test_two_accounts_in_one_file_do_not_mix(
    open_store: Opener, make_action: Maker, make_unit: Maker, new_in: Maker
) -> None:
    """The same ids, sums and listings stand beside each other, each with its account."""
    store = open_store()
    one, two = store.load("one").account_id, store.load("two").account_id
    for mine in (one, two):
        store.attach_sinks(mine, ["log"])
    head = ListFilter(None, None)
    units = {}
    for mine, status in ((one, "failed"), (two, "interrupted")):
        unit = new_in(make_unit(), make_action("a", status), make_action("b"))
        unit.cursors[head] = ListCursor(SortOrder.NEWEST, mine, None)
        store.commit(mine, unit, {})
        units[mine] = unit
    for mine, name, status in ((one, "one", "failed"), (two, "two", "interrupted")):
        state = store.load(name)
        assert state.sums == {**units[mine].sums, **units[mine].amounts}
        assert state.cursors[head].seen_count == mine
        assert store.find(mine, ["a"])["a"].status == status
        assert [event.status for event in state.failures] == [status]
        assert [event.status for _, event in store.undelivered(mine, "log", 10)] == [status]
    store.prune(one, 1e9, 10)
    store.delivered(one, "log", store.undelivered(one, "log", 10)[-1][0])
    assert store.load("two").tracked == 2
    assert store.load("two").cursors[head].baseline_cutoff is None
    assert len(store.undelivered(two, "log", 10)) == 1


def test_finding_many_ids(open_store: Opener, make_row: Maker) -> None:
    """More ids may be asked for than one statement takes; unknown ones are left out."""
    store = open_store()
    mine = store.load("main").account_id
    rows = {f"{n}": make_row(f"{n}") for n in range(2 * IDS_AT_ONCE + 1)}
    store.commit(mine, a_unit(rows=rows, added=set(rows)), {})
    assert store.find(mine, [*rows, "unknown"]) == rows
    assert store.find(mine, []) == {}


def test_a_hundred_thousand_open_rows_load(open_store: Opener, make_row: Maker) -> None:
    """A state of that size is read whole, and written in one commit."""
    store = open_store()
    mine = store.load("main").account_id
    rows = {f"{n}": make_row(f"{n}") for n in range(100_000)}
    store.commit(mine, a_unit(rows=rows, added=set(rows)), {})
    assert store.load("main").open == rows


def test_forgetting_takes_the_oldest_ends_and_no_sums(open_store: Opener, make_row: Maker) -> None:
    """At most so many go, in the order of their ends; open ones and sums stay."""
    store = open_store()
    mine = store.load("main").account_id
    rows = {
        **{f"e{n}": make_row(f"e{n}", "failed", ended_at=100.0 + n) for n in range(10)},
        "open": make_row("open"),
    }
    unit = a_unit(rows=rows, added=set(rows))
    unit.sums[SumKey(SumName.FAILED, "enable", "none")] += 10
    store.commit(mine, unit, {})
    assert store.prune(mine, 108.0, 3)[0] == 3
    assert sorted(store.find(mine, rows)) == [*(f"e{n}" for n in range(3, 10)), "open"]
    assert store.prune(mine, 108.0, 100)[0] == 5
    assert store.prune(mine, 108.0, 100) == (0, None)
    state = store.load("main")
    assert (state.tracked, state.sums) == (3, dict(unit.sums))


@pytest.mark.parametrize(
    ("times", "baseline_cutoff"),
    [
        pytest.param([(100.0, 110.0), (90.0, 120.0)], 100.0, id="the latest creation"),
        pytest.param([(None, 110.0), (90.0, 95.0)], 110.0, id="its change, where that is all"),
    ],
)
def test_forgetting_raises_the_horizon_of_every_listing(
    open_store: Opener,
    make_row: Maker,
    times: list[tuple[float | None, float]],
    baseline_cutoff: float,
) -> None:
    """What was forgotten and is still listed is history then; a later horizon stays."""
    store = open_store()
    mine = store.load("main").account_id
    rows = {
        f"{n}": make_row(f"{n}", "failed", created_at=created, updated_at=updated)
        for n, (created, updated) in enumerate(times)
    }
    cursors = {
        ListFilter(None, None): ListCursor(SortOrder.NEWEST, 2, None),
        ListFilter("enable", None): ListCursor(SortOrder.NEWEST, 2, 1.0),
        ListFilter("disable", None): ListCursor(SortOrder.NEWEST, 2, 1e9),
    }
    store.commit(mine, a_unit(rows=rows, added=set(rows), cursors=cursors), {})
    above = nextafter(
        baseline_cutoff, inf
    )  # what was created at the baseline cutoff was forgotten too
    assert store.prune(mine, 1e9, 100) == (2, above)
    found = [each.baseline_cutoff for each in store.load("main").cursors.values()]
    assert sorted(found, key=lambda each: each or 0.0) == [above, above, 1e9]


def test_an_end_without_any_time_is_never_forgotten(open_store: Opener, make_row: Maker) -> None:
    """No horizon could tell it from a new one, so it would count again."""
    store = open_store()
    mine = store.load("main").account_id
    row = make_row("a", "failed", created_at=None, updated_at=None)
    store.commit(mine, a_unit(rows={"a": row}, added={"a"}), {})
    assert store.prune(mine, 1e9, 100) == (0, None)
    assert store.find(mine, ["a"]) == {"a": row}


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
