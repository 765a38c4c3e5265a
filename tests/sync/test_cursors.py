"""What a total says of a list: a fall is believed when two polls see it."""

import pytest

from exporter.ledger.records import ListCursor, SortOrder
from exporter.sync.cursors import confirmed_shrink, reconciled

LISTING = ListCursor(
    SortOrder.NEWEST, seen_count=100, baseline_cutoff=5e3, high_watermark=6e3, dropped=7
)


def having(seen_count: int, dropped: int) -> ListCursor:
    """Return the listing with other numbers, all else as it is."""
    return ListCursor(SortOrder.NEWEST, seen_count, 5e3, 6e3, dropped)


@pytest.mark.parametrize(
    ("last", "total", "seen_count", "dropped"),
    [
        pytest.param(None, 90, 100, 7, id="nothing told before"),
        pytest.param(90, None, 100, 7, id="nothing told now"),
        pytest.param(None, None, 100, 7, id="nothing told at all"),
        pytest.param(100, 90, 100, 7, id="fell just now"),
        pytest.param(90, 100, 100, 7, id="back again"),
        pytest.param(90, 101, 100, 7, id="back, and more"),
        pytest.param(90, 90, 90, 17, id="told twice"),
        pytest.param(90, 93, 90, 17, id="told twice, and some came since"),
        pytest.param(90, 88, 90, 17, id="told twice, and fell further"),
        pytest.param(99, 99, 99, 8, id="by one"),
        pytest.param(0, 0, 0, 107, id="to nothing"),
    ],
)
def test_a_fall_is_taken_in_when_both_totals_tell_it(
    last: int | None, total: int | None, seen_count: int, dropped: int
) -> None:
    """The listing falls to the last total, so that what came since then is missing."""
    assert confirmed_shrink(LISTING, last=last, total=total) == having(seen_count, dropped)


@pytest.mark.parametrize(
    ("before", "last", "total", "seen_count", "dropped"),
    [
        pytest.param(100, 90, None, 100, 7, id="nothing told"),
        pytest.param(100, 100, 100, 100, 7, id="in agreement"),
        pytest.param(100, 100, 103, 103, 7, id="written off"),
        pytest.param(100, 90, 103, 103, 7, id="written off after a fall"),
        pytest.param(100, None, 103, 103, 7, id="written off the first time"),
        pytest.param(100, 100, 95, 100, 7, id="fell just now"),
        pytest.param(100, None, 95, 100, 7, id="fell, nothing told before"),
        pytest.param(100, 99, 95, 95, 12, id="fell, told twice"),
        pytest.param(100, 0, 0, 0, 107, id="to nothing, told twice"),
        pytest.param(90, 90, 95, 100, 7, id="ten came, no fall before them"),
        pytest.param(90, 89, 95, 95, 12, id="ten came, a fall before them"),
    ],
)
def test_a_listing_agrees_with_its_total_in_the_end(
    before: int, last: int | None, total: int | None, seen_count: int, dropped: int
) -> None:
    """More is written off at once; less is taken in if less than before was told already."""
    assert reconciled(LISTING, before=before, last=last, total=total) == having(seen_count, dropped)
