"""What a page shows of the server's limits."""

import pytest

from exporter.domain import Action, Status
from exporter.ledger.records import ListFilter
from exporter.sync.fetcher import ServerLimits
from exporter.telnyx.schema import Page

EVERY_STATUS = ListFilter(None, None)
FAILED = ListFilter(None, Status.FAILED)


def page(count: int, *, total: int | None = None, page_size: int | None = None) -> Page:
    """Return a page of so many actions."""
    action = Action("a", "sim", "enable", "failed", None, None, None)
    return Page((action,) * count, total, page_size, 0)


@pytest.mark.parametrize(
    ("known", "seen", "number", "size"),
    [
        pytest.param(None, page(250, total=900, page_size=250), 1, 250, id="as asked for"),
        pytest.param(None, page(50, total=900, page_size=50), 3, 50, id="smaller, as it says"),
        pytest.param(None, page(50, total=900), 1, 50, id="smaller, as the first page shows"),
        pytest.param(None, page(50, total=50), 1, 250, id="the whole list"),
        pytest.param(None, page(50), 1, 250, id="no total to compare with"),
        pytest.param(None, page(50, total=900), 3, None, id="a later page shows nothing"),
        pytest.param(50, page(20, total=120), 3, 50, id="a short last page"),
        pytest.param(50, page(80, total=900), 3, 80, id="larger than it was"),
        pytest.param(50, page(300, total=900), 3, 250, id="larger than asked for"),
        pytest.param(50, page(0, total=0, page_size=0), 1, 50, id="a size that is none"),
    ],
)
def test_the_page_size_is_what_pages_show(
    known: int | None, seen: Page, number: int, size: int | None
) -> None:
    """The size is learned from what the page says, or else from how much it holds."""
    limits = ServerLimits(known, {FAILED: 7}).after(seen, number, asked=250)
    assert limits == ServerLimits(size, {FAILED: 7})


def test_the_last_page_is_the_one_before_the_first_refused() -> None:
    """Each list has its own; a deeper refusal says nothing new."""
    limits = ServerLimits(50).refused(FAILED, 9).refused(FAILED, 12).refused(EVERY_STATUS, 5)
    assert limits == ServerLimits(50, {FAILED: 8, EVERY_STATUS: 4})
    assert limits.without_refusals() == ServerLimits(50)
