"""The plan of requests for bulk actions: within its bound, and fair."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import BulkCounts
from exporter.sync.bulk_plan import (
    COUNT_REQUESTS,
    FALLBACK_REQUESTS,
    BulkList,
    WantedBulk,
    budget,
    counts_of,
    plan_bulks,
)

LISTS = st.builds(
    BulkList,
    total=st.none() | st.integers(0, 2_000),
    page_size=st.integers(1, 250),
    oldest_first=st.booleans(),
    pages_read=st.frozensets(st.integers(1, 8), max_size=3),
    searched=st.integers(1, 10),
)
WANTED = st.lists(
    st.builds(
        WantedBulk,
        st.integers(0, 10_000).map(str),
        st.floats(-10, 10),
        st.none() | st.integers(-5, 2_500),
        st.booleans(),
    ),
    max_size=60,
    unique_by=lambda each: each.id,
)


@given(wanted=WANTED, listing=LISTS, left=st.integers(-2, 25), objects=st.booleans())
def test_a_plan_keeps_its_bound_and_takes_those_not_asked_for_longest(
    wanted: list[WantedBulk], listing: BulkList, left: int, *, objects: bool
) -> None:
    """And never reads a page twice, nor past the end of the list."""
    plan = plan_bulks(wanted, listing, left, objects_have_summary=objects)
    assert plan.cost <= max(left, 0)
    assert not set(plan.pages) & listing.pages_read
    assert len(set(plan.pages)) == len(plan.pages)
    if plan.pages:
        assert listing.total is not None
        assert 1 <= min(plan.pages) <= max(plan.pages) <= ceil(listing.total / listing.page_size)
    assert not (plan.ids if not objects else plan.counted)
    covered = {
        each.id
        for each in wanted
        if each.id in {*plan.ids, *plan.counted}
        or (not each.listed and listing.page_at(each.position) in plan.pages)
    }
    dearest = 1 if objects else COUNT_REQUESTS
    if wanted and left >= dearest and plan.searched is None:
        assert min(wanted, key=lambda each: (each.asked_at, each.id)).id in covered


@given(running=st.integers(0, 10_000))
def test_the_budget_is_that_of_the_cost_table(running: int) -> None:
    """One request for each 250 in progress besides the first; 20 in all where a list has none."""
    bound = ceil(running / 250)
    assert budget(running, summaries=True) == bound
    assert budget(running, summaries=False) == max(bound, FALLBACK_REQUESTS - 1)


@pytest.mark.parametrize("oldest_first", [True, False])
@given(total=st.integers(1, 1_000), size=st.integers(1, 250), data=st.data())
def test_a_position_is_on_its_page_however_the_list_grows(
    total: int, size: int, data: st.DataObject, *, oldest_first: bool
) -> None:
    """It is counted from the old end, which new ones do not move."""
    listing = BulkList(total, size, oldest_first)
    place = data.draw(st.integers(0, total - 1))
    page, index = place // size + 1, place % size
    position = listing.position(page, index)
    assert listing.page_at(position) == page
    grown = BulkList(total + data.draw(st.integers(0, 300)), size, oldest_first)
    moved = place if oldest_first else place + (grown.total or 0) - total
    assert grown.page_at(position) == moved // size + 1


TOTALS = st.integers(0, 30)


@given(everything=TOTALS, running=TOTALS, completed=TOTALS, failed=TOTALS)
def test_totals_that_contradict_each_other_are_no_counts(
    everything: int, running: int, completed: int, failed: int
) -> None:
    """What is told adds up to all members, and is what was counted but for those that moved on."""
    counts = counts_of(everything, running, completed, failed)
    if everything == 0 or completed + failed > everything:
        assert counts is None
    elif running + completed + failed <= everything:
        rest = everything - running - completed - failed
        assert counts == BulkCounts(running, completed, failed, rest)
    elif counts is not None:
        assert counts.total == everything
        assert counts == BulkCounts(everything - completed - failed, completed, failed)


@pytest.mark.parametrize("totals", [(53, 0, 53, 53), (9, 9, 9, 0), (9, 9, 0, 9), (0, 0, 0, 0)])
def test_a_filter_that_is_ignored_counts_nothing(totals: tuple[int, int, int, int]) -> None:
    """It finds all members in one status, though others have some."""
    assert counts_of(*totals) is None


@pytest.mark.parametrize("oldest_first", [True, False])
def test_a_search_reads_each_page_from_the_head_on(*, oldest_first: bool) -> None:
    """As long as more have no position than can be asked for; then they are asked for by id."""
    wanted = [WantedBulk(str(number), 0.0) for number in range(3)]
    pages: list[int] = []
    for searched in (1, 2, 3):
        listing = BulkList(750, 250, oldest_first, searched=searched)
        plan = plan_bulks(wanted, listing, 2, objects_have_summary=True)
        assert plan.searched == (searched + 1 if searched < 3 else None)
        pages += plan.pages
        assert not plan_bulks(wanted, listing, 3, objects_have_summary=True).searched
    assert len(plan.ids) == 2
    listing = BulkList(750, 250, oldest_first, pages_read=frozenset({2}))
    plan = plan_bulks(wanted, listing, 2, objects_have_summary=True)
    assert plan.pages == ((1,) if oldest_first else (3,))
    assert pages == ([2, 1] if oldest_first else [2, 3])
