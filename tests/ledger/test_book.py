from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ledger.book import LATEST, MOST_TYPES, Book
from exporter.ledger.draft import resulting_sums
from exporter.ledger.model import Listing, Metric, Order, Scope, SumKey
from exporter.ledger.view import KNOWN_ACTION_TYPES, OTHER

Maker = Callable[..., Any]
ROOM = MOST_TYPES - len(KNOWN_ACTION_TYPES)
HEAD = Scope(None, None)


def commit(book: Book, draft: Any) -> None:
    """Do in memory what a commit does."""
    book.apply(draft, resulting_sums(draft, book.sums))


def test_the_known_types_are_there_from_the_start(make_book: Maker) -> None:
    """Types that Telnyx documents are named before any action of them is seen."""
    assert tuple(make_book().types) == KNOWN_ACTION_TYPES


def test_types_out_of_bounds_are_other(make_book: Maker) -> None:
    """The 50th type is told apart, the 51st is not, and those admitted stay."""
    book = make_book()
    labels = [book.label(f"odd-{number}") for number in range(ROOM + 2)]
    assert labels == [*(f"odd-{number}" for number in range(ROOM)), OTHER, OTHER]
    assert book.label("odd-0") == "odd-0"
    assert len(book.types) == MOST_TYPES


@pytest.mark.parametrize("nameless", ["", OTHER])
def test_no_type_and_other_take_no_room(make_book: Maker, nameless: str) -> None:
    """They are `other` whatever room there is."""
    book = make_book()
    assert book.label(nameless) == OTHER
    assert tuple(book.types) == KNOWN_ACTION_TYPES


def test_types_of_a_poll_that_failed_are_given_up(
    make_book: Maker, make_draft: Maker, make_action: Maker, new_in: Maker
) -> None:
    """Only what was committed takes room, so that a restart labels the same way."""
    book = make_book()
    commit(book, new_in(make_draft(book), make_action(action_type="kept")))
    new_in(make_draft(book), make_action(action_type="lost"))
    book.settle()
    assert tuple(book.types) == (*KNOWN_ACTION_TYPES, "kept")


@given(st.lists(st.lists(st.integers(0, 70), max_size=20), max_size=10))
def test_labels_do_not_depend_on_restarts(polls: list[list[int]]) -> None:
    """Whether the process began anew between the polls or not, every type has its label."""

    def begin(sums: dict[SumKey, float]) -> Book:
        return Book("main", 1, 50.0, None, 0, {}, {}, dict(sums), {}, ())

    going, restarted = begin({}), begin({})
    for poll in polls:
        going.settle()
        restarted = begin(restarted.sums)
        for book in (going, restarted):
            for number in poll:
                key = SumKey(Metric.CREATED, book.label(f"odd-{number}"))
                book.sums[key] = book.sums.get(key, 0) + 1
    assert going.sums == restarted.sums
    assert set(going.types) == set(begin(restarted.sums).types)


def test_types_with_sums_stay_named_whatever_was_documented_since(make_book: Maker) -> None:
    """Counters are never removed, even where a release documents more types."""
    sums = {SumKey(Metric.CREATED, f"odd-{number}"): 1.0 for number in range(MOST_TYPES)}
    book = make_book(sums=sums)
    assert all(book.label(key.action_type) == key.action_type for key in sums)


def test_open_actions_are_held_until_they_end(
    make_book: Maker, make_draft: Maker, make_row: Maker
) -> None:
    """What ends or vanishes leaves memory, not the rows; how many those are is known without it."""
    book = make_book()
    draft = make_draft()
    for row in (make_row("a"), make_row("b"), make_row("c", "failed")):
        draft.rows[row.id] = row
        draft.added.add(row.id)
    commit(book, draft)
    assert (sorted(book.open), book.tracked) == (["a", "b"], 3)
    draft = make_draft()
    draft.rows["a"] = make_row("a", "completed")
    draft.vanish(book.open["b"])
    commit(book, draft)
    assert (sorted(book.open), book.tracked) == ([], 3)


def test_positions_are_taken_in_without_a_write(
    make_book: Maker, make_draft: Maker, make_row: Maker
) -> None:
    """The place of an open action is noted, that of an unknown one is not."""
    book = make_book(open={"a": make_row("a")})
    draft = make_draft()
    draft.positions.update(a=7, b=8)
    commit(book, draft)
    assert {id_: row.position for id_, row in book.open.items()} == {"a": 7}


def test_failures_are_latest_first_and_bounded(
    make_book: Maker, make_draft: Maker, make_action: Maker, make_row: Maker, new_in: Maker
) -> None:
    """The latest 50 are shown; a stuck action is no failure."""
    book = make_book()
    for number in range(LATEST + 5):
        draft = new_in(make_draft(), make_action(f"f{number}", "failed"))
        draft.stuck(make_row(f"s{number}"))
        commit(book, draft)
    newest = [f"f{number}" for number in range(LATEST + 4, 4, -1)]
    assert [event.action_id for event in book.failures] == newest


@pytest.mark.parametrize(
    ("before", "pruned", "after"),
    [
        pytest.param(None, 100.0, 100.0, id="there was no history"),
        pytest.param(50.0, 100.0, 100.0, id="raised"),
        pytest.param(200.0, 100.0, 200.0, id="never lowered"),
        pytest.param(50.0, None, 50.0, id="nothing was forgotten"),
    ],
)
def test_the_horizon_rises_with_what_is_forgotten(
    make_book: Maker, before: float | None, pruned: float | None, after: float
) -> None:
    """What was created up to then is history, as it may still be listed."""
    known = Listing(Order.NEWEST, 10, before, 3.0, 2, before)
    book = make_book(tracked=10, listings={HEAD: known})
    book.pruned(4, pruned)
    assert book.tracked == 6
    assert book.listings == {HEAD: Listing(Order.NEWEST, 10, after, 3.0, 2, after)}
