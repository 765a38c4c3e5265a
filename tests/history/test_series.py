"""Samples of the past: steps are seen, series are alive, and the end is 0."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.history.series import DENSE, KEEP, KEEP_HISTOGRAM, LASTING, STEP, slot, spread

END = 1_800_000_037

times = st.lists(
    st.floats(END - 200_000, END + 120) | st.floats(END - 4_000_000, END), min_size=1, max_size=15
)


def changes(found: list[float]) -> list[tuple[int, int]]:
    """Return what a counter becomes at which slot."""
    slots = sorted(slot(each, END) for each in found)
    return [
        (each, index) for index, each in enumerate(slots, 1) if slots[index : index + 1] != [each]
    ]


@given(times, st.sampled_from([KEEP, KEEP_HISTOGRAM]))
def test_samples_are_as_a_scrape_would_have_found_them(found: list[float], keep: int) -> None:
    """In order; each value as the changes say; a step within a minute.

    No gap is longer than asked, but for weeks in which nothing is near.
    """
    wanted = dict(changes(found))
    samples = list(spread(0, changes(found), END, keep))
    assert samples[0][1] == 0
    assert samples[-1] == (END - 1, len(found))
    for (before, old), (at, value) in pairwise(samples):
        assert before < at
        if at > before + keep:
            assert not [each for each in wanted if before - LASTING < each < at + LASTING]
        if value != old:
            assert wanted[at] == value
            assert at - before <= STEP
    assert wanted.items() <= dict(samples).items()


@given(times)
def test_a_change_is_written_within_a_minute(found: list[float]) -> None:
    """Later, so that nothing is told before it happened, but for what the seam cuts off."""
    for each in found:
        at = slot(each, END)
        assert 0 <= at - each < STEP or at == END - 1


@pytest.mark.parametrize("offset", range(0, 300, 25))
def test_five_minutes_over_a_change_have_all_samples(offset: int) -> None:
    """A range of five minutes in which a counter rises has a sample each minute."""
    at = END - 100_000 - (END - 100_000) % STEP
    samples = [time for time, _ in spread(0, [(at, 1)], END)]
    begin = at - STEP - offset // STEP * STEP
    inside = [each for each in samples if begin <= each <= begin + DENSE]
    assert len(inside) == DENSE // STEP + 1


def test_years_without_a_change_have_no_samples() -> None:
    """But a week after and before one, and a gauge as long as it is not zero."""
    years = END - 10 * 365 * 86_400
    first = slot(years, END)
    few = len(list(spread(0, [(first, 1)], END)))
    assert few < 2 * LASTING / KEEP + 4 * DENSE / STEP
    assert len(list(spread(0, [(first, 1), (first + STEP, 0)], END, gauge=True))) < few + 5
    lasting = list(spread(0, [(first, 1)], END, gauge=True))
    assert all(at - before <= KEEP for (before, _), (at, _) in pairwise(lasting))


def test_nothing_that_changes_is_nothing_that_is_written() -> None:
    """A series that was 0 all the time is left out."""
    assert list(spread(0, [], END)) == []
