from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import KNOWN_ACTION_TYPES, OTHER
from exporter.ledger.records import ListCursor, ListFilter, SortOrder, SumKey, SumName
from exporter.ledger.state import MAX_ACTION_TYPES, RECENT_FAILURES, LedgerState
from exporter.ledger.unit_of_work import resulting_sums

Maker = Callable[..., Any]
ROOM = MAX_ACTION_TYPES - len(KNOWN_ACTION_TYPES)
HEAD = ListFilter(None, None)


def commit(state: LedgerState, unit: Any) -> None:
    """Do in memory what a commit does."""
    state.apply(unit, resulting_sums(unit, state.sums))


def test_the_known_types_are_there_from_the_start(make_state: Maker) -> None:
    """Types that Telnyx documents are named before any action of them is seen."""
    assert tuple(make_state().types) == KNOWN_ACTION_TYPES


def test_types_out_of_bounds_are_other(make_state: Maker) -> None:
    """The 50th type is told apart, the 51st is not, and those admitted stay."""
    state = make_state()
    labels = [state.label(f"odd-{number}") for number in range(ROOM + 2)]
    assert labels == [*(f"odd-{number}" for number in range(ROOM)), OTHER, OTHER]
    assert state.label("odd-0") == "odd-0"
    assert len(state.types) == MAX_ACTION_TYPES


@pytest.mark.parametrize("nameless", ["", OTHER])
def test_no_type_and_other_take_no_room(make_state: Maker, nameless: str) -> None:
    """They are `other` whatever room there is."""
    state = make_state()
    assert state.label(nameless) == OTHER
    assert tuple(state.types) == KNOWN_ACTION_TYPES


def test_types_of_a_poll_that_failed_are_given_up(
    make_state: Maker, make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """Only what was committed takes room, so that a restart labels the same way."""
    state = make_state()
    commit(state, new_in(make_unit(state), make_action(action_type="kept")))
    new_in(make_unit(state), make_action(action_type="lost"))
    state.forget_uncommitted_types()
    assert tuple(state.types) == (*KNOWN_ACTION_TYPES, "kept")


@given(st.lists(st.lists(st.integers(0, 70), max_size=20), max_size=10))
def test_labels_do_not_depend_on_restarts(polls: list[list[int]]) -> None:
    """Whether the process began anew between the polls or not, every type has its label."""

    def begin(sums: dict[SumKey, float]) -> LedgerState:
        return LedgerState("main", 1, 50.0, None, 0, {}, {}, dict(sums), {}, {}, {}, ())

    going, restarted = begin({}), begin({})
    for poll in polls:
        going.forget_uncommitted_types()
        restarted = begin(restarted.sums)
        for state in (going, restarted):
            for number in poll:
                key = SumKey(SumName.CREATED, state.label(f"odd-{number}"))
                state.sums[key] = state.sums.get(key, 0) + 1
    assert going.sums == restarted.sums
    assert set(going.types) == set(begin(restarted.sums).types)


def test_types_with_sums_stay_named_whatever_was_documented_since(make_state: Maker) -> None:
    """Counters are never removed, even where a release documents more types."""
    sums = {SumKey(SumName.CREATED, f"odd-{number}"): 1.0 for number in range(MAX_ACTION_TYPES)}
    state = make_state(sums=sums)
    assert all(state.label(key.action_type) == key.action_type for key in sums)


def test_open_actions_are_held_until_they_end(
    make_state: Maker, make_unit: Maker, make_row: Maker
) -> None:
    """What ends or vanishes leaves memory, not the rows; how many those are is known without it."""
    state = make_state()
    unit = make_unit()
    for row in (make_row("a"), make_row("b"), make_row("c", "failed")):
        unit.rows[row.id] = row
        unit.added.add(row.id)
    commit(state, unit)
    assert (sorted(state.open), state.tracked) == (["a", "b"], 3)
    unit = make_unit()
    unit.rows["a"] = make_row("a", "completed")
    unit.mark_gone(state.open["b"])
    commit(state, unit)
    assert (sorted(state.open), state.tracked) == ([], 3)


def test_positions_are_taken_in_without_a_write(
    make_state: Maker, make_unit: Maker, make_row: Maker
) -> None:
    """The place of an open action is noted, that of an unknown one is not."""
    state = make_state(open={"a": make_row("a")})
    unit = make_unit()
    unit.positions.update(a=7, b=8)
    commit(state, unit)
    assert {id_: row.position for id_, row in state.open.items()} == {"a": 7}


def test_failures_are_latest_first_and_bounded(
    make_state: Maker, make_unit: Maker, make_action: Maker, make_row: Maker, new_in: Maker
) -> None:
    """The latest 50 are shown; a stuck action is no failure."""
    state = make_state()
    for number in range(RECENT_FAILURES + 5):
        unit = new_in(make_unit(), make_action(f"f{number}", "failed"))
        unit.stuck(make_row(f"s{number}"), 1000.0)
        commit(state, unit)
    newest = [f"f{number}" for number in range(RECENT_FAILURES + 4, 4, -1)]
    assert [event.action_id for event in state.failures] == newest


@pytest.mark.parametrize(
    ("before", "dropped", "after"),
    [
        pytest.param(None, 100.0, 100.0, id="there was no history"),
        pytest.param(50.0, 100.0, 100.0, id="raised"),
        pytest.param(200.0, 100.0, 200.0, id="never lowered"),
        pytest.param(50.0, None, 50.0, id="nothing was forgotten"),
    ],
)
def test_the_horizon_rises_with_what_is_forgotten(
    make_state: Maker, before: float | None, dropped: float | None, after: float
) -> None:
    """What was created up to then is history, as it may still be listed."""
    known = ListCursor(SortOrder.NEWEST, 10, before, 3.0, 2, before)
    state = make_state(tracked=10, cursors={HEAD: known})
    state.dropped(4, dropped)
    assert state.tracked == 6
    assert state.cursors == {HEAD: ListCursor(SortOrder.NEWEST, 10, after, 3.0, 2, after)}
