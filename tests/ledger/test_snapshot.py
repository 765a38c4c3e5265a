from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from exporter.domain import DURATION_BUCKETS, ENDED_STATUSES, KNOWN_ACTION_TYPES, OTHER, Status
from exporter.ledger.records import (
    DELAY_BUCKETS,
    Histogram,
    ListCursor,
    ListFilter,
    SortOrder,
    SumKey,
    SumName,
)
from exporter.ledger.snapshot import build, empty_snapshot
from exporter.ledger.unit_of_work import resulting_sums

Maker = Callable[..., Any]
TYPES = (*KNOWN_ACTION_TYPES, OTHER)
NONE_YET = Histogram((0,) * (len(DURATION_BUCKETS) + 1), 0.0)


def test_everything_is_there_at_zero_from_the_start(make_options: Maker) -> None:
    """Before the first poll every combination that can be named has a series."""
    options = make_options()
    snapshot = empty_snapshot("main", options)
    assert (snapshot.name, snapshot.baselined, snapshot.tracked) == ("main", False, 0)
    assert snapshot.actions == dict.fromkeys(product(TYPES, Status), 0)
    assert snapshot.created == snapshot.completed == snapshot.stuck == dict.fromkeys(TYPES, 0)
    reasons = dict.fromkeys(product(TYPES, options.reason_classes), 0)
    assert snapshot.failed == snapshot.interrupted == reasons
    assert snapshot.durations == dict.fromkeys(product(TYPES, ENDED_STATUSES), NONE_YET)
    assert snapshot.detection_delay == Histogram((0,) * (len(DELAY_BUCKETS) + 1), 0.0)
    assert snapshot.drift == dict.fromkeys(Status, 0)
    assert snapshot.lists == dict.fromkeys(SortOrder, 0)
    assert (snapshot.oldest_in_progress, snapshot.failed_exemplars) == ({}, {})


@pytest.mark.parametrize("status", Status)
def test_a_filter_on_statuses_leaves_the_others_out(make_options: Maker, status: Status) -> None:
    """Only what is asked for is exported."""
    snapshot = empty_snapshot("main", make_options(statuses=(status,)))
    assert {shown for _, shown in snapshot.actions} == {status}
    assert {shown for _, shown in snapshot.durations} == {status} - {Status.IN_PROGRESS}
    assert set(snapshot.drift) == {status}
    assert bool(snapshot.stuck) is (status is Status.IN_PROGRESS)
    assert bool(snapshot.completed) is (status is Status.COMPLETED)
    assert bool(snapshot.failed) is (status is Status.FAILED)
    assert bool(snapshot.interrupted) is (status is Status.INTERRUPTED)
    assert set(snapshot.created) == set(TYPES)


def test_a_filter_on_statuses_hides_what_is_in_flight(
    make_state: Maker, make_options: Maker, make_row: Maker
) -> None:
    """Rows of an earlier configuration do not show through."""
    snapshot = build(
        make_state(open={"a": make_row()}), make_options(statuses=(Status.FAILED,)), 1e6
    )
    assert (snapshot.in_flight, snapshot.oldest_in_progress, snapshot.stuck) == ((), {}, {})


def test_a_filter_on_action_types_leaves_the_others_out(
    make_state: Maker,
    make_options: Maker,
    make_row: Maker,
    make_unit: Maker,
    make_action: Maker,
    new_in: Maker,
) -> None:
    """Only the types asked for are exported; what others left behind is not shown."""
    state = make_state(open={"a": make_row(action_type="disable")})
    unit = new_in(make_unit(state), make_action("f", "failed", action_type="disable"))
    state.apply(unit, resulting_sums(unit, state.sums))
    snapshot = build(state, make_options(action_types=("enable",)), 200.0)
    for labelled in (snapshot.actions, snapshot.failed, snapshot.interrupted, snapshot.durations):
        assert {key[0] for key in labelled} == {"enable"}
    for plain in (snapshot.created, snapshot.completed, snapshot.stuck):
        assert set(plain) == {"enable"}
    assert (snapshot.in_flight, snapshot.failures, snapshot.oldest_in_progress) == ((), (), {})


def test_gauges_are_what_is_known_and_what_is_unexplained(
    make_state: Maker, make_options: Maker, make_row: Maker
) -> None:
    """In progress is counted from the rows, the rest from sums, and never below 0."""
    state = make_state(
        open={"a": make_row("a"), "b": make_row("b"), "c": make_row("c", "paused")},
        sums={
            SumKey(SumName.KNOWN, "enable", "in-progress"): 40.0,
            SumKey(SumName.KNOWN, "enable", "failed"): 5.0,
            SumKey(SumName.KNOWN, "enable", "completed"): 1.0,
        },
        drift={("enable", Status.FAILED): 2, ("enable", Status.COMPLETED): -3},
    )
    snapshot = build(state, make_options(), 200.0)
    shown = {status: snapshot.actions["enable", status] for status in Status}
    assert shown == {"in-progress": 2, "completed": 0, "failed": 7, "interrupted": 0}
    assert snapshot.drift == {"in-progress": 0, "completed": -3, "failed": 2, "interrupted": 0}


def test_statuses_that_nobody_knows_show_as_other(make_state: Maker, make_options: Maker) -> None:
    """Their text is foreign, so it is no label; with a filter on statuses they are left out."""
    state = make_state(
        sums={
            SumKey(SumName.KNOWN, "enable", OTHER): 3.0,
            SumKey(SumName.KNOWN, "disable", OTHER): 0.0,
        }
    )
    others = {k: v for k, v in build(state, make_options(), 0.0).actions.items() if k[1] == OTHER}
    assert others == {("enable", OTHER): 3}
    filtered = build(state, make_options(statuses=tuple(Status)), 0.0).actions
    assert {status for _, status in filtered} == set(Status)


@pytest.mark.parametrize(
    ("action_types", "statuses", "shown"),
    [
        (("enable",), (Status.IN_PROGRESS, Status.FAILED, Status.COMPLETED), (0, 1, 1)),
        (("enable", "disable"), (Status.FAILED, Status.COMPLETED), (0, 2, 1)),
        ((), (), (1, 0, 0)),
        ((), (Status.INTERRUPTED, Status.FAILED), (1, 0, 0)),
    ],
)
def test_the_lists_that_are_read_are_counted_by_their_order(
    make_state: Maker,
    make_options: Maker,
    action_types: tuple[str, ...],
    statuses: tuple[Status, ...],
    shown: tuple[int, ...],
) -> None:
    """Neither those of an earlier configuration, nor that of those in progress, read whole."""
    cursors = {
        ListFilter(None, None): ListCursor(SortOrder.NEWEST, 5, None),
        ListFilter("enable", Status.IN_PROGRESS): ListCursor(SortOrder.NONE, 0, None),
        ListFilter("enable", Status.FAILED): ListCursor(SortOrder.NONE, 5, None),
        ListFilter("enable", Status.COMPLETED): ListCursor(SortOrder.UPDATED, 5, None),
        ListFilter("disable", Status.FAILED): ListCursor(SortOrder.UPDATED, 5, None),
    }
    options = make_options(action_types=action_types, statuses=statuses)
    found = build(make_state(cursors=cursors), options, 0.0).lists
    assert (found["newest"], found["updated"], found["none"], found["oldest"]) == (*shown, 0)


def test_oldest_and_stuck_are_by_type(
    make_state: Maker, make_options: Maker, make_row: Maker
) -> None:
    """Age counts from creation, else from the first sight; each type has its own limit."""
    rows = [
        make_row("a", created_at=100.0),
        make_row("b", created_at=900.0),
        make_row("c", created_at=None, seen_at=50.0, action_type="disable"),
        make_row("d", created_at=100.0, action_type="set_standby"),
        make_row("e", "paused", created_at=1.0),
    ]
    options = make_options(stuck_after={"set_standby": 5000.0})
    snapshot = build(make_state(open={row.id: row for row in rows}), options, 1000.5)
    assert snapshot.oldest_in_progress == {"enable": 100.0, "disable": 50.0, "set_standby": 100.0}
    assert {type_label: count for type_label, count in snapshot.stuck.items() if count} == {
        "enable": 1,
        "disable": 1,
    }
    assert [row.action_id for row in snapshot.in_flight] == ["c", "a", "d", "b"]
    assert [row.stuck for row in snapshot.in_flight] == [True, True, False, False]


@pytest.mark.parametrize(("now", "stuck"), [(1000.0, 0), (1000.5, 1)], ids=["at it", "past it"])
def test_stuck_is_longer_than_the_limit(
    make_state: Maker, make_options: Maker, make_row: Maker, now: float, stuck: int
) -> None:
    """An action that takes exactly as long as it may is not stuck."""
    snapshot = build(make_state(open={"a": make_row(created_at=100.0)}), make_options(), now)
    assert snapshot.stuck["enable"] == stuck


def test_in_flight_is_capped_oldest_first(
    make_state: Maker, make_options: Maker, make_row: Maker
) -> None:
    """A page shows the 50 oldest; the gauges count all."""
    rows = {f"{n}": make_row(f"{n}", created_at=1000.0 - n) for n in range(60)}
    snapshot = build(make_state(open=rows), make_options(), 1000.0)
    assert [row.action_id for row in snapshot.in_flight] == [f"{n}" for n in range(59, 9, -1)]
    assert snapshot.actions["enable", "in-progress"] == 60


def test_reason_classes_of_an_earlier_configuration_stay(
    make_state: Maker, make_options: Maker
) -> None:
    """Counters are never removed: a class that no rule names any more is still exported."""
    state = make_state(sums={SumKey(SumName.FAILED, "enable", "gone"): 3.0})
    snapshot = build(state, make_options(), 0.0)
    assert snapshot.failed["enable", "gone"] == 3
    assert snapshot.failed["disable", "gone"] == 0
    assert ("enable", "gone") not in snapshot.interrupted


def test_histograms_and_exemplars_come_from_the_sums(
    make_state: Maker, make_options: Maker, make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """Each observation stands in one bucket; the exemplar is the latest action."""
    state = make_state()
    unit = new_in(
        make_unit(state, now=112.0),
        make_action("a", "failed", updated_at=110.0),
        make_action("b", "failed", updated_at=112.0),
        make_action("c", "interrupted", updated_at=1e7),
    )
    state.apply(unit, resulting_sums(unit, state.sums))
    snapshot = build(state, make_options(), 200.0)
    assert snapshot.durations["enable", "failed"] == Histogram((0, 0, 2, *(0,) * 10), 22.0)
    assert snapshot.durations["enable", "interrupted"].counts[-1] == 1
    assert snapshot.detection_delay == Histogram((2, 1, *(0,) * 11), 2.0)
    assert snapshot.failed["enable", "none"] == 2
    assert {key: each.action_id for key, each in snapshot.failed_exemplars.items()} == {
        ("enable", "none"): "b"
    }
    assert [row.action_id for row in snapshot.failures] == ["c", "b", "a"]


def test_a_type_out_of_bounds_counts_as_other(
    make_state: Maker, make_options: Maker, make_row: Maker
) -> None:
    """What has no label of its own is still counted."""
    sums = {SumKey(SumName.CREATED, f"odd-{number}"): 1.0 for number in range(50)}
    state = make_state(sums=sums, open={"a": make_row(action_type="one too many")})
    assert build(state, make_options(), 0.0).actions[OTHER, "in-progress"] == 1
