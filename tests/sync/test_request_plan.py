"""What is asked for actions whose status is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ledger.records import ListCursor, SortOrder, TrackedAction
from exporter.sync.request_plan import (
    first_position,
    list_is_cheaper,
    page_at,
    pages_of,
    plan_requests,
    rest_of_list_is_cheaper,
    worth_searching,
)


def row(number: int, position: int | None) -> TrackedAction:
    """Return an open action that stands at a position."""
    return TrackedAction(
        id=str(number),
        sim_card_id="",
        action_type="enable",
        status="in-progress",
        reason=None,
        created_at=None,
        updated_at=None,
        seen_at=0.0,
        ended_at=None,
        position=position,
        stuck=False,
    )


@given(
    order=st.sampled_from([SortOrder.NEWEST, SortOrder.OLDEST]),
    total=st.integers(1, 10_000),
    size=st.integers(1, 250),
    dropped=st.integers(0, 1000),
    grown=st.integers(0, 1000),
    data=st.data(),
)
def test_a_position_leads_back_to_its_page_though_the_listing_grew(
    order: SortOrder, total: int, size: int, dropped: int, grown: int, data: st.DataObject
) -> None:
    """An action is found again on the page where it stands after others were added."""
    cursor = ListCursor(order, total, None, None, dropped)
    page = data.draw(st.integers(1, pages_of(total, size)))
    place = data.draw(st.integers(0, min(size, total - (page - 1) * size) - 1))
    first, step = first_position(cursor, page=page, size=size, total=total)
    index = (page - 1) * size + place + (grown if order is SortOrder.NEWEST else 0)
    found = page_at(cursor, position=first + step * place, size=size, total=total + grown)
    assert found == index // size + 1


def test_two_on_a_page_are_read_and_one_is_asked_for() -> None:
    """A page is worth a request when it holds two or more of the wanted."""
    cursor = ListCursor(SortOrder.NEWEST, 10_000, None)
    wanted = [row(1, 10_000), row(2, 9_990), row(3, 5_000), row(4, None)]
    steps = plan_requests(wanted, cursor, size=250, total=10_000)
    assert (steps.pages, sorted(steps.ids)) == ((1,), ["3", "4"])
    assert steps.cost == 3


def test_a_short_listing_is_read_whole_when_that_is_cheaper() -> None:
    """Without positions, all pages may be fewer than the wanted."""
    wanted = [row(number, None) for number in range(50)]
    steps = plan_requests(wanted, ListCursor(SortOrder.NONE, 500, None), size=250, total=500)
    assert steps.pages == (1, 2)
    assert steps.ids == ()


def test_nothing_is_read_whole_when_the_api_gives_no_total() -> None:
    """Without a total, each is asked for by its id."""
    wanted = [row(number, number) for number in range(1, 4)]
    assert (
        plan_requests(wanted, ListCursor(SortOrder.NEWEST, 3, None), size=250, total=None).cost == 3
    )


@given(
    positions=st.lists(st.integers(1, 5_000) | st.none(), max_size=200),
    size=st.integers(1, 250),
)
def test_a_plan_covers_all_and_never_costs_more_than_a_request_each(
    positions: list[int | None], size: int
) -> None:
    """Each of the wanted is on a page of the plan or among its ids."""
    cursor = ListCursor(SortOrder.OLDEST, 5_000, None)
    wanted = [row(number, position) for number, position in enumerate(positions)]
    steps = plan_requests(wanted, cursor, size=size, total=5_000)
    assert steps.cost <= len(wanted)
    for each in wanted:
        page = None if each.position is None else (each.position - 1) // size + 1
        assert (
            each.id in steps.ids or page in steps.pages or len(steps.pages) == pages_of(5_000, size)
        )


@pytest.mark.parametrize(
    ("cost", "running", "cheaper"),
    [(1, 1, False), (2, 1, True), (40, 10_000, False), (41, 10_000, True)],
)
def test_the_list_of_all_in_progress_is_read_when_it_is_cheaper(
    cost: int, running: int, *, cheaper: bool
) -> None:
    """As long as it is no dearer, each is resolved where it stands: that tells its end as well."""
    everything = plan_requests(
        [row(n, None) for n in range(cost)],
        ListCursor(SortOrder.NONE, 0, None),
        size=250,
        total=None,
    )
    assert list_is_cheaper(everything, running=running, size=250) is cheaper


@pytest.mark.parametrize(
    ("departed", "goes_on"),
    [pytest.param(0, True, id="none left"), pytest.param(1000, False, id="many left")],
)
def test_listing_goes_on_unless_so_many_left_that_resolving_all_is_cheaper(
    departed: int, *, goes_on: bool
) -> None:
    """36 pages of the list and up to 41 for the departed are dearer than 41 for all."""
    everything = plan_requests(
        [row(n, None) for n in range(41)], ListCursor(SortOrder.NONE, 0, None), size=250, total=None
    )
    assert (
        rest_of_list_is_cheaper(everything, departed=departed, running=9_000, size=250) is goes_on
    )


def test_a_search_has_to_be_worth_its_steps() -> None:
    """A few actions are asked for by id, whatever the length of the listing."""
    assert not worth_searching(10, size=250, total=10_000_000)
    assert worth_searching(100, size=250, total=10_000_000)
    assert not worth_searching(100, size=250, total=None)
