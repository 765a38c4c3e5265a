"""Totals that are missing, wrong, late, or not to be believed."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulator.settings import ListOrder

OpenOdd = Callable[..., Any]


@pytest.mark.parametrize("audit_interval", [1e9, 120.0], ids=["no audit", "audits"])
@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_without_totals_each_action_counts_once(
    open_odd: OpenOdd, order: ListOrder, audit_interval: float
) -> None:
    """The totals go missing after the first poll; 20 polls of 20 new actions count 400."""
    account = open_odd(audit_interval=audit_interval)
    account.server.order = order
    account.server.history(1_000)
    await account.poll()
    account.server.total = lambda _count: None
    for _ in range(20):
        account.server.create(20, "completed")
        await account.poll()
    assert account.counts == {"created": 400, "completed": 400}


async def test_a_total_of_zero_for_one_poll_makes_nothing_new(open_odd: OpenOdd) -> None:
    """20,000 failures of before the first poll are as old as ever when the total is back."""
    account = open_odd()
    account.server.history(20_000, "failed", apart=1.0)
    await account.poll()
    account.server.total = lambda _count: 0
    await account.poll()
    account.server.total = lambda count: count
    assert await account.poll() == 1
    assert account.shortfall == 0
    assert account.counts == {}


async def test_a_total_that_flaps_by_one_costs_nothing(open_odd: OpenOdd) -> None:
    """A counted bulk of 10,000 is not read again because the total is one less now and then."""
    account = open_odd()
    account.server.history(10_000)
    await account.poll()
    account.server.create(10_000, "completed", at=account.clock() + 1)
    await account.poll()
    costs = []
    for lacks in (1, 0, 1, 0, 1, 0):
        account.server.total = lambda count, lacks=lacks: count - lacks
        costs.append(await account.poll())
    assert costs == [1] * 6
    assert account.counts == {"created": 10_000, "completed": 10_000}


async def test_an_absurd_total_now_and_then_costs_nothing(open_odd: OpenOdd) -> None:
    """2**63 - 1 results in every other poll: one request each, nothing missing, nothing new."""
    account = open_odd()
    account.server.history(600)
    await account.poll()
    results = []
    for absurd in (True, False, True, False, False):
        account.server.total = lambda count, absurd=absurd: 2**63 - 1 if absurd else count
        results.append((await account.poll(), account.shortfall))
    assert results == [(1, 0)] * 5
    assert account.counts == {}


async def test_a_total_that_stops_at_10000_hides_none(open_odd: OpenOdd) -> None:
    """The total is capped, as search engines do; 900 new actions are found all the same."""
    account = open_odd()
    account.server.history(12_000, apart=1.0)
    account.server.total = lambda count: min(count, 10_000)
    await account.poll()
    account.server.create(900, "completed")
    assert await account.poll() == 4
    assert account.counts == {"created": 900, "completed": 900}


async def test_a_total_one_too_high_makes_no_search_later(open_odd: OpenOdd) -> None:
    """One poll looks for the action that is not there; the next ones cost one request."""
    account = open_odd()
    account.server.history(20_000, apart=5.0)
    await account.poll()
    items = account.server.items
    items[3], items[10] = items[10], items[3]
    account.server.total = lambda count: count + 1
    costs = [await account.poll()]
    account.server.total = lambda count: count
    for _ in range(2):
        account.server.create(1, "completed")
        costs.append(await account.poll())
    assert costs == [5, 1, 1]
    assert account.counts == {"created": 2, "completed": 2}


async def test_a_first_poll_without_totals_counts_from_then_on(open_odd: OpenOdd) -> None:
    """The gauges know nothing of the history then, but what ends is counted."""
    account = open_odd()
    account.server.history(100)
    account.server.total = lambda _count: None
    await account.poll()
    account.server.create(20, "failed")
    await account.poll()
    assert account.counts == {"created": 20, "failed": 20}
