"""Totals that are behind, too small, too large, capped or not there: they cost, and count nothing.

A total only says how far to look: history stays history, and what ends counts once.
"""

from collections.abc import Callable
from itertools import count as counting
from typing import Any

import httpx
import pytest

from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from tests.support.combinations import combined
from tests.sync.odd_server.conftest import PAST_END

OpenOdd = Callable[..., Any]
Lie = Callable[[int], int | None]

ORDERS = [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED, ListOrder.NONE]
PAGE = 50
"""The page size of `open_listed`: a list is many pages long with a fifth of the actions."""

LIES: dict[str, Lie] = {
    "four pages short": lambda count: count - 4 * PAGE,
    "a page short": lambda count: count - PAGE,
    "one short": lambda count: count - 1,
    "none at all": lambda _count: 0,
    "too many": lambda count: count + 4 * PAGE,
    "ten times as many": lambda count: count * 10,
    "capped": lambda count: min(count, 4 * PAGE),
    "capped at a page": lambda count: min(count, PAGE),
    "not told": lambda _count: None,
}


def truth(count: int) -> int:
    """Tell the total as it is."""
    return count


@pytest.fixture
def open_listed(open_odd: OpenOdd) -> OpenOdd:
    """Open accounts whose list is sorted as asked, and whose answers have a date."""

    def open_one(order: ListOrder, **settings: float) -> Any:
        account = open_odd(page_size=PAGE, **settings)
        account.server.dated = True
        account.server.order = order
        return account

    return open_one


@combined(
    lie=LIES,
    order=ORDERS,
    dated=[True, False],
    # Without an order and without times of the API's nothing but totals tells old from new.
    possible=lambda lie, order, dated: dated or order is not ListOrder.NONE,  # noqa: ARG005
)
async def test_history_is_never_news(
    open_listed: OpenOdd, order: ListOrder, lie: str, *, dated: bool
) -> None:
    """The totals are wrong in the first two polls, then right: only what ended since counts."""
    account = open_listed(order)
    account.server.dated = dated
    account.server.history(12 * PAGE + 10, "failed")
    account.server.total = LIES[lie]
    await account.poll()
    account.server.follow_on(3, "failed")
    await account.poll()
    account.server.total = truth
    for _ in range(4):
        account.server.follow_on(2, "failed")
        await account.poll()
    assert account.counts == {"created": 11, "failed": 11}


@combined(lie=[name for name in LIES if name != "not told"], order=ORDERS)
async def test_totals_that_are_wrong_for_a_while_lose_nothing(
    open_listed: OpenOdd, order: ListOrder, lie: str
) -> None:
    """They are right at first, then wrong for three polls with news, then right again."""
    account = open_listed(order)
    account.server.history(12 * PAGE)
    account.clock.advance(100)
    running = account.server.follow_on(PAGE + 10, "in-progress")
    await account.poll()
    account.server.total = LIES[lie]
    for part in range(3):
        account.server.follow_on(PAGE + 10, "failed")
        account.server.end(running[part * 10 : (part + 1) * 10], "interrupted")
        await account.poll()
    account.server.total = truth
    for _ in range(3):
        await account.poll()
    assert account.counts == {
        "created": 180, "failed": 180, "interrupted": 30, "running": 30
    }  # fmt: skip
    assert account.shortfall == 0


@combined(
    lie=["four pages short", "capped", "capped at a page", "not told"],
    order=[ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED],
)
async def test_totals_that_are_always_too_small_lose_nothing(
    open_listed: OpenOdd, order: ListOrder, lie: str
) -> None:
    """Nothing but the pages tells then what is new, and where the list ends."""
    account = open_listed(order, audit_interval=300.0)
    account.server.history(12 * PAGE)
    account.server.total = LIES[lie]
    account.clock.advance(100)
    running = account.server.follow_on(2 * PAGE + 20, "in-progress")
    await account.poll()
    for part in range(4):
        account.server.follow_on(PAGE + 30, "failed", apart=5.0)
        account.server.end(running[part * 20 : (part + 1) * 20])
        await account.poll()
    counts = account.counts
    assert counts == {"created": 320, "failed": 320, "completed": 80, "running": 40}


@pytest.mark.parametrize("order", ORDERS)
async def test_totals_that_jump_at_each_answer_count_nothing(
    open_listed: OpenOdd, order: ListOrder
) -> None:
    """Each answer tells another number, up to four pages off or none at all, for ten polls."""
    account = open_listed(order, audit_interval=300.0)
    account.server.history(8 * PAGE + 3, "interrupted")
    account.clock.advance(100)
    running = account.server.follow_on(40, "in-progress")
    turn = counting()
    account.server.total = lambda count: (
        0 if (number := next(turn)) % 11 == 7 else max(0, count + number * 617 % 401 - 200)
    )
    await account.poll()
    for part in range(10):
        account.server.follow_on(30, "failed")
        account.server.end(running[part * 4 : part * 4 + 4])
        await account.poll()
    account.server.total = truth
    for _ in range(3):
        await account.poll()
    assert account.counts == {"created": 300, "failed": 300, "completed": 40}


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_all_in_progress_are_found_whatever_their_total_is(
    open_odd: OpenOdd, order: ListOrder
) -> None:
    """The first poll is told that 100 are in progress where 600 are; each counts when it ends."""
    account = open_odd()
    account.server.order = order
    account.server.history(1_000)
    running = account.server.follow_on(600, "in-progress")
    account.server.total = lambda count: 100 if count == 600 else count
    await account.poll()
    assert account.counts == {"running": 600}
    account.server.total = truth
    account.server.end(running)
    await account.poll()
    assert account.counts == {"completed": 600}


async def test_a_list_that_is_empty_for_a_moment_costs_little(open_odd: OpenOdd) -> None:
    """Oldest first, all pages are empty in one poll: the next ones cost a request or three."""
    account = open_odd()
    account.server.order = ListOrder.OLDEST
    account.server.history(20_100, apart=1.0)
    await account.poll()
    empty = httpx.Response(200, json={"data": [], "meta": {"total_results": 0}})
    account.server.answer = lambda _path, _params: empty
    await account.poll()
    account.server.answer = lambda _path, _params: None
    account.server.create(5, "failed")
    assert [await account.poll() for _ in range(3)] == [1, 1, 1]
    assert account.counts == {"created": 5, "failed": 5}


async def test_without_totals_no_gauge_claims_to_know_the_history(open_odd: OpenOdd) -> None:
    """What has ended has no series then, nor a drift; once there are totals, both have."""
    account = open_odd(audit_interval=60.0)
    account.server.history(100)
    account.server.total = lambda _count: None
    await account.poll()
    account.server.create(20, "failed")
    assert await account.poll() == 1
    snapshot = account.ledger.snapshot
    assert {status for _, status in snapshot.actions} == set(snapshot.drift) == {"in-progress"}
    assert snapshot.totals_unknown
    account.server.total = truth
    await account.poll()
    snapshot = account.ledger.snapshot
    assert snapshot.actions["enable", "completed"] == 100
    assert snapshot.actions["enable", "failed"] == 20
    assert set(snapshot.drift.values()) == {0}
    assert account.counts == {"created": 20, "failed": 20}
    assert await account.poll() > 1, "an audit, and no sweep for the history"


async def test_the_first_poll_of_a_busy_account_makes_up_no_action_type(open_odd: OpenOdd) -> None:
    """Actions come and end between any two requests: none is taken for an interrupted one."""
    account = open_odd()
    account.server.history(1_000, "failed")
    account.server.history(50, action_type="disable")
    running = account.server.follow_on(400, "in-progress", apart=0.1)

    def busy(_path: str, _params: dict[str, str]) -> None:
        account.server.create(3)
        account.server.end([running.pop() for _ in range(3)])

    account.server.answer = busy
    await account.poll()
    gauges = account.ledger.snapshot.actions
    assert {key for key, n in gauges.items() if n and "interrupted" in key} == set()
    assert {action_type for (action_type, _), n in gauges.items() if n} == {"enable", "disable"}


async def test_a_total_of_nothing_asks_for_no_page_that_there_cannot_be(open_odd: OpenOdd) -> None:
    """Oldest first, 34 actions on pages of 3 are looked for while the total is 0."""
    account = open_odd(page_size=3, concurrency=1)
    account.server.order = ListOrder.OLDEST
    account.server.history(33)
    await account.poll()
    running = account.server.create(34)
    account.server.total = lambda _count: 0
    for _ in range(2):
        await account.poll()
        numbers = {params.get("page[number]") for _, params in account.server.requests}
        assert "0" not in numbers
    account.server.end(running, "failed")
    await account.poll()
    assert account.counts == {"created": 34, "failed": 34}


@combined(past_end=PAST_END, order=[ListOrder.NEWEST, ListOrder.OLDEST])
async def test_a_total_that_is_ten_times_too_large_costs_little(
    open_odd: OpenOdd, order: ListOrder, past_end: int | None
) -> None:
    """It stays so for ever after the first poll: what is new counts, and no poll is dear."""
    account = open_odd()
    account.server.order, account.server.past_end = order, past_end
    account.server.history(3_010)
    await account.poll()
    account.server.total = lambda count: count * 10
    costs = [await account.poll() for _ in range(6)]
    account.server.follow_on(3, "failed", apart=5.0)
    costs += [await account.poll() for _ in range(2)]
    assert account.counts == {"created": 3, "failed": 3}
    assert max(costs) <= 15


@combined(past_end=PAST_END, order=[ListOrder.NEWEST, ListOrder.UPDATED])
async def test_a_total_in_progress_that_lags_hides_nothing(
    open_odd: OpenOdd, order: ListOrder, past_end: int | None
) -> None:
    """220 of 260 are left, on one page, when their total still promises a second page."""
    account = open_odd()
    account.server.order, account.server.past_end = order, past_end
    account.server.history(3_000)
    await account.poll()
    running = account.server.follow_on(260, "in-progress", apart=3.0)
    await account.poll()
    assert account.counts == {"created": 260, "running": 260}
    account.server.end(running[:40], "failed")
    account.server.total = lambda count: 260 if count == 220 else count
    await account.poll()
    account.server.total = truth
    account.server.follow_on(600, "failed", apart=3.0)
    for _ in range(2):
        await account.poll()
    assert account.counts == {"created": 860, "failed": 640, "running": 220}


@pytest.mark.parametrize("past_end", PAST_END)
async def test_the_total_of_one_type_says_nothing_of_another(
    open_odd: OpenOdd, past_end: int | None
) -> None:
    """The first poll is told of 300 of one type where ten are left: the other is read whole."""
    account = open_odd(AccountFilters(("disable", "enable"), ()))
    account.server.past_end = past_end
    account.server.history(10, action_type="disable")
    account.server.history(1_000)
    running = account.server.follow_on(600, "in-progress", apart=3.0)
    account.server.total = lambda count: 300 if count == 10 else count
    await account.poll()
    assert account.counts == {"running": 600}
    account.server.total = truth
    account.server.end(running, "failed")
    for _ in range(2):
        await account.poll()
    assert account.counts == {"failed": 600}
