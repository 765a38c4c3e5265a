from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from exporter.ledger.draft import resulting_sums
from exporter.ledger.model import Listing, Metric, Order, Scope, SumKey
from exporter.ledger.picture import draw, empty_view
from exporter.ledger.view import (
    DELAY_BUCKETS,
    DURATION_BUCKETS,
    ENDED,
    KNOWN_ACTION_TYPES,
    OTHER,
    Histogram,
    Status,
)

Maker = Callable[..., Any]
TYPES = (*KNOWN_ACTION_TYPES, OTHER)
NONE_YET = Histogram((0,) * (len(DURATION_BUCKETS) + 1), 0.0)


def test_everything_is_there_at_zero_from_the_start(make_frame: Maker) -> None:
    """Before the first poll every combination that can be named has a series."""
    frame = make_frame()
    view = empty_view("main", frame)
    assert (view.name, view.baselined, view.tracked) == ("main", False, 0)
    assert view.actions == dict.fromkeys(product(TYPES, Status), 0)
    assert view.created == view.completed == view.stuck == dict.fromkeys(TYPES, 0)
    reasons = dict.fromkeys(product(TYPES, frame.reason_classes), 0)
    assert view.failed == view.interrupted == reasons
    assert view.durations == dict.fromkeys(product(TYPES, ENDED), NONE_YET)
    assert view.detection_delay == Histogram((0,) * (len(DELAY_BUCKETS) + 1), 0.0)
    assert view.drift == dict.fromkeys(Status, 0)
    assert view.listings == dict.fromkeys(Order, 0)
    assert (view.oldest_in_progress, view.failed_exemplars) == ({}, {})


@pytest.mark.parametrize("status", Status)
def test_a_filter_on_statuses_leaves_the_others_out(make_frame: Maker, status: Status) -> None:
    """Only what is asked for is exported."""
    view = empty_view("main", make_frame(statuses=(status,)))
    assert {shown for _, shown in view.actions} == {status}
    assert {shown for _, shown in view.durations} == {status} - {Status.IN_PROGRESS}
    assert set(view.drift) == {status}
    assert bool(view.stuck) is (status is Status.IN_PROGRESS)
    assert bool(view.completed) is (status is Status.COMPLETED)
    assert bool(view.failed) is (status is Status.FAILED)
    assert bool(view.interrupted) is (status is Status.INTERRUPTED)
    assert set(view.created) == set(TYPES)


def test_a_filter_on_statuses_hides_what_is_in_flight(
    make_book: Maker, make_frame: Maker, make_row: Maker
) -> None:
    """Rows of an earlier configuration do not show through."""
    view = draw(make_book(open={"a": make_row()}), make_frame(statuses=(Status.FAILED,)), 1e6)
    assert (view.in_flight, view.oldest_in_progress, view.stuck) == ((), {}, {})


def test_a_filter_on_action_types_leaves_the_others_out(
    make_book: Maker,
    make_frame: Maker,
    make_row: Maker,
    make_draft: Maker,
    make_action: Maker,
    new_in: Maker,
) -> None:
    """Only the types asked for are exported; what others left behind is not shown."""
    book = make_book(open={"a": make_row(action_type="disable")})
    draft = new_in(make_draft(book), make_action("f", "failed", action_type="disable"))
    book.apply(draft, resulting_sums(draft, book.sums))
    view = draw(book, make_frame(action_types=("enable",)), 200.0)
    for labelled in (view.actions, view.failed, view.interrupted, view.durations):
        assert {key[0] for key in labelled} == {"enable"}
    for plain in (view.created, view.completed, view.stuck):
        assert set(plain) == {"enable"}
    assert (view.in_flight, view.failures, view.oldest_in_progress) == ((), (), {})


def test_gauges_are_what_is_known_and_what_is_unexplained(
    make_book: Maker, make_frame: Maker, make_row: Maker
) -> None:
    """In progress is counted from the rows, the rest from sums, and never below 0."""
    book = make_book(
        open={"a": make_row("a"), "b": make_row("b"), "c": make_row("c", "paused")},
        sums={
            SumKey(Metric.KNOWN, "enable", "in-progress"): 40.0,
            SumKey(Metric.KNOWN, "enable", "failed"): 5.0,
            SumKey(Metric.UNEXPLAINED, "enable", "failed"): 2.0,
            SumKey(Metric.KNOWN, "enable", "completed"): 1.0,
            SumKey(Metric.UNEXPLAINED, "enable", "completed"): -3.0,
        },
    )
    view = draw(book, make_frame(), 200.0)
    shown = {status: view.actions["enable", status] for status in Status}
    assert shown == {"in-progress": 2, "completed": 0, "failed": 7, "interrupted": 0}
    assert view.drift == {"in-progress": 0, "completed": -3, "failed": 2, "interrupted": 0}


def test_statuses_that_nobody_knows_show_as_other(make_book: Maker, make_frame: Maker) -> None:
    """Their text is foreign, so it is no label; with a filter on statuses they are left out."""
    book = make_book(
        sums={
            SumKey(Metric.KNOWN, "enable", OTHER): 3.0,
            SumKey(Metric.KNOWN, "disable", OTHER): 0.0,
        }
    )
    others = {k: v for k, v in draw(book, make_frame(), 0.0).actions.items() if k[1] == OTHER}
    assert others == {("enable", OTHER): 3}
    filtered = draw(book, make_frame(statuses=tuple(Status)), 0.0).actions
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
    make_book: Maker,
    make_frame: Maker,
    action_types: tuple[str, ...],
    statuses: tuple[Status, ...],
    shown: tuple[int, ...],
) -> None:
    """Neither those of an earlier configuration, nor that of those in progress, read whole."""
    listings = {
        Scope(None, None): Listing(Order.NEWEST, 5, None),
        Scope("enable", Status.IN_PROGRESS): Listing(Order.NONE, 0, None),
        Scope("enable", Status.FAILED): Listing(Order.NONE, 5, None),
        Scope("enable", Status.COMPLETED): Listing(Order.UPDATED, 5, None),
        Scope("disable", Status.FAILED): Listing(Order.UPDATED, 5, None),
    }
    frame = make_frame(action_types=action_types, statuses=statuses)
    found = draw(make_book(listings=listings), frame, 0.0).listings
    assert (found["newest"], found["updated"], found["none"], found["oldest"]) == (*shown, 0)


def test_oldest_and_stuck_are_by_type(make_book: Maker, make_frame: Maker, make_row: Maker) -> None:
    """Age counts from creation, else from the first sight; each type has its own limit."""
    rows = [
        make_row("a", created_at=100.0),
        make_row("b", created_at=900.0),
        make_row("c", created_at=None, seen_at=50.0, action_type="disable"),
        make_row("d", created_at=100.0, action_type="set_standby"),
        make_row("e", "paused", created_at=1.0),
    ]
    frame = make_frame(stuck_after={"set_standby": 5000.0})
    view = draw(make_book(open={row.id: row for row in rows}), frame, 1000.5)
    assert view.oldest_in_progress == {"enable": 100.0, "disable": 50.0, "set_standby": 100.0}
    assert {kind: count for kind, count in view.stuck.items() if count} == {
        "enable": 1,
        "disable": 1,
    }
    assert [row.action_id for row in view.in_flight] == ["c", "a", "d", "b"]
    assert [row.stuck for row in view.in_flight] == [True, True, False, False]


@pytest.mark.parametrize(("now", "stuck"), [(1000.0, 0), (1000.5, 1)], ids=["at it", "past it"])
def test_stuck_is_longer_than_the_limit(
    make_book: Maker, make_frame: Maker, make_row: Maker, now: float, stuck: int
) -> None:
    """An action that takes exactly as long as it may is not stuck."""
    view = draw(make_book(open={"a": make_row(created_at=100.0)}), make_frame(), now)
    assert view.stuck["enable"] == stuck


def test_in_flight_is_capped_oldest_first(
    make_book: Maker, make_frame: Maker, make_row: Maker
) -> None:
    """A page shows the 50 oldest; the gauges count all."""
    rows = {f"{n}": make_row(f"{n}", created_at=1000.0 - n) for n in range(60)}
    view = draw(make_book(open=rows), make_frame(), 1000.0)
    assert [row.action_id for row in view.in_flight] == [f"{n}" for n in range(59, 9, -1)]
    assert view.actions["enable", "in-progress"] == 60


def test_reason_classes_of_an_earlier_configuration_stay(
    make_book: Maker, make_frame: Maker
) -> None:
    """Counters are never removed: a class that no rule names any more is still exported."""
    book = make_book(sums={SumKey(Metric.FAILED, "enable", "gone"): 3.0})
    view = draw(book, make_frame(), 0.0)
    assert view.failed["enable", "gone"] == 3
    assert view.failed["disable", "gone"] == 0
    assert ("enable", "gone") not in view.interrupted


def test_histograms_and_exemplars_come_from_the_sums(
    make_book: Maker, make_frame: Maker, make_draft: Maker, make_action: Maker, new_in: Maker
) -> None:
    """Each observation stands in one bucket; the exemplar is the latest action."""
    book = make_book()
    draft = new_in(
        make_draft(book, now=112.0),
        make_action("a", "failed", updated_at=110.0),
        make_action("b", "failed", updated_at=112.0),
        make_action("c", "interrupted", updated_at=1e7),
    )
    book.apply(draft, resulting_sums(draft, book.sums))
    view = draw(book, make_frame(), 200.0)
    assert view.durations["enable", "failed"] == Histogram((0, 0, 2, *(0,) * 10), 22.0)
    assert view.durations["enable", "interrupted"].counts[-1] == 1
    assert view.detection_delay == Histogram((2, 1, *(0,) * 11), 2.0)
    assert view.failed["enable", "none"] == 2
    assert {key: each.action_id for key, each in view.failed_exemplars.items()} == {
        ("enable", "none"): "b"
    }
    assert [row.action_id for row in view.failures] == ["c", "b", "a"]


def test_a_type_out_of_bounds_counts_as_other(
    make_book: Maker, make_frame: Maker, make_row: Maker
) -> None:
    """What has no label of its own is still counted."""
    sums = {SumKey(Metric.CREATED, f"odd-{number}"): 1.0 for number in range(50)}
    book = make_book(sums=sums, open={"a": make_row(action_type="one too many")})
    assert draw(book, make_frame(), 0.0).actions[OTHER, "in-progress"] == 1
