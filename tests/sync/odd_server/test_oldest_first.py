"""Lists that are sorted oldest first: where they end, whatever their totals say."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.errors import TooDeepError
from exporter.simulator.settings import ListOrder
from tests.sync.odd_server.conftest import PAST_END

OpenOdd = Callable[..., Any]


@pytest.fixture(params=[True, False], ids=["dated", "undated"])
def account(open_odd: OpenOdd, request: pytest.FixtureRequest) -> Any:
    """Give an account whose list is sorted oldest first; answers are dated, or not."""
    opened = open_odd(audit_interval=300.0)
    opened.server.order, opened.server.dated = ListOrder.OLDEST, request.param
    return opened


@pytest.mark.parametrize("past_end", PAST_END)
async def test_a_page_that_is_not_full_is_the_end(account: Any, past_end: int | None) -> None:
    """The total counts 100 that are listed nowhere, for ever: each poll finds what is new."""
    account.server.past_end = past_end
    account.server.history(2_950)
    account.server.total = lambda count: count + 100
    await account.poll()
    for part in range(1, 7):
        account.server.follow_on(3, "failed", apart=5.0)
        await account.poll()
        assert account.counts == {"created": 3 * part, "failed": 3 * part}


@pytest.mark.parametrize("past_end", PAST_END)
async def test_a_full_page_before_nothing_is_no_end_while_more_is_promised(
    account: Any, past_end: int | None
) -> None:
    """3,000 fill twelve pages: an error as long as the total promises more, and then no more."""
    account.server.past_end = past_end
    account.server.history(3_000)
    account.server.total = lambda count: count + 1_000
    with pytest.raises(TooDeepError, match="rejects page 13"):
        await account.poll()
    account.server.total = lambda count: count
    await account.poll()
    account.server.follow_on(3, "failed", apart=5.0)
    await account.poll()
    assert account.counts == {"created": 3, "failed": 3}


@pytest.mark.parametrize("past_end", PAST_END)
async def test_a_dense_first_page_shows_the_order(account: Any, past_end: int | None) -> None:
    """Created a second apart, and the first total is 1,000 too many: the last page is found."""
    account.server.past_end = past_end
    account.server.history(3_010, apart=1.0)
    account.server.total = lambda count: count + 1_000
    await account.poll()
    account.server.total = lambda count: count
    for _ in range(3):
        account.server.follow_on(10, "failed", apart=5.0)
        await account.poll()
    assert account.counts == {"created": 30, "failed": 30}
    for _ in range(12):
        await account.poll()
    assert account.counts == {"created": 30, "failed": 30}


async def test_a_known_order_is_kept_where_a_page_shows_none(account: Any) -> None:
    """The first page is of one bulk; totals are 1,000 too many in one poll, missing in the next."""
    bulk = account.clock() - 50_000
    account.server.create(2_500, "completed", at=bulk)
    account.server.create(510, "completed", at=bulk + 3_000, apart=50.0)
    await account.poll()
    for lie in (lambda count: count + 1_000, lambda _count: None):
        account.server.total = lie
        account.server.follow_on(10, "failed", apart=5.0)
        await account.poll()
        assert account.ledger.snapshot.orders == {("", ""): "oldest"}
    account.server.total = lambda count: count
    for _ in range(12):
        await account.poll()
    assert account.counts == {"created": 20, "failed": 20}


@pytest.mark.parametrize("told", [0, 250])
async def test_what_was_in_progress_before_a_short_total_is_not_created(
    account: Any, told: int
) -> None:
    """The first poll is told of a page of them, or none: all 600 are found, and none is news."""
    account.server.follow_on(600, "in-progress", apart=1.0)
    account.server.total = lambda _count: told
    await account.poll()
    account.server.total = lambda count: count
    await account.poll()
    assert account.counts == {"running": 600}
