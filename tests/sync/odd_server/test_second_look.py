"""What is told once and not again: pages refused, sizes echoed, totals that fall, and strays."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.domain import Status
from exporter.errors import TooDeepError
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters

OpenOdd = Callable[..., Any]
Params = dict[str, str]


async def test_a_passing_404_in_the_middle_loses_nothing(open_odd: OpenOdd) -> None:
    """Page 13 of 16 is not found in one poll, which fails; the next one counts all 60."""
    account = open_odd(page_size=10)
    account.server.order = ListOrder.OLDEST
    account.server.history(100)
    await account.poll()
    account.server.create(60, "failed")
    account.server.answer = lambda _path, params: (
        httpx.Response(404) if params.get("page[number]") == "13" else None
    )
    with pytest.raises(TooDeepError, match="rejects page 13"):
        await account.poll()
    account.server.answer = lambda _path, _params: None
    await account.poll()
    assert account.counts == {"created": 60, "failed": 60}
    assert account.shortfall == 0


async def test_a_small_page_size_told_once_does_not_stick(open_odd: OpenOdd) -> None:
    """One answer tells a page size of 1 where 250 are served; later polls are one request each."""
    account = open_odd()
    account.server.order = ListOrder.OLDEST
    account.server.history(3_000)
    await account.poll()
    await account.poll()
    new = account.server.create()

    def small(_path: str, _params: Params) -> httpx.Response:
        account.server.answer = lambda _path, _params: None
        meta = {"total_results": 3_001, "page_size": 1, "page_number": 13}
        return httpx.Response(200, json={"data": new, "meta": meta})

    account.server.answer = small
    await account.poll()
    costs = []
    for _ in range(3):
        account.server.create(5, "failed")
        costs.append(await account.poll())
    assert costs == [1, 1, 1]
    assert account.counts == {"created": 16, "failed": 15, "running": 1}


async def test_a_fall_without_order_swallows_nothing(open_odd: OpenOdd) -> None:
    """Three of 100 vanish, then two new ones fail where no order shows them; both count."""
    account = open_odd(page_size=10)
    account.server.order = ListOrder.NONE
    account.server.history(100)
    await account.poll()
    await account.poll()
    del account.server.items[:3]
    await account.poll()
    account.server.create(2, "failed")
    await account.poll()
    await account.poll()
    assert account.counts == {"created": 2, "failed": 2}
    assert account.shortfall == 0


async def test_an_idle_listing_without_order_costs_one_request(open_odd: OpenOdd) -> None:
    """The 20 oldest of 100 stand the wrong way round; its first page, in order, proves nothing."""
    account = open_odd(page_size=10)
    account.server.history(100)
    account.server.items[:20] = account.server.items[19::-1]
    await account.poll()
    assert [await account.poll() for _ in range(3)] == [1, 1, 1]
    account.server.create(1, "failed")
    await account.poll()
    assert account.counts == {"created": 1, "failed": 1}


async def test_a_total_that_flaps_while_one_is_found_costs_nothing(open_odd: OpenOdd) -> None:
    """The total says 5 of 12,050 in the poll that finds a new one; each poll is one request."""
    account = open_odd()
    account.server.history(12_000)
    account.server.create(50)
    await account.poll()
    await account.poll()

    def five(_path: str, params: Params) -> None:
        filtered = any("filter" in name for name in params)
        account.server.total = lambda count: count if filtered else 5

    account.server.answer = five
    account.server.create()
    costs = [await account.poll()]
    account.server.answer = lambda _path, _params: None
    account.server.total = lambda count: count
    costs += [await account.poll() for _ in range(2)]
    assert costs == [1, 1, 1]
    assert account.shortfall == 0
    assert account.counts == {"created": 1, "running": 51}


async def test_one_stray_within_a_bulk_keeps_the_order(open_odd: OpenOdd) -> None:
    """One dated 10 s back stands among 300 of one moment; polls of 12,301 stay at two requests."""
    account = open_odd()
    account.server.history(12_000)
    await account.poll()
    moment = account.clock()
    account.server.create(150)
    account.server.create(at=moment - 10)
    account.server.create(150)
    costs = [await account.poll()]
    for _ in range(3):
        account.server.create(at=moment + 1.5)
        costs.append(await account.poll())
    assert costs == [2, 2, 2, 2]
    assert account.counts == {"created": 304, "running": 304}


async def test_a_failure_between_two_listings_counts(open_odd: OpenOdd) -> None:
    """It leaves the in-progress list after the list of failures was read, far behind its top."""
    account = open_odd(AccountFilters((), (Status.FAILED, Status.IN_PROGRESS)), page_size=5)
    account.server.history(100, "failed")
    running = account.server.create()
    await account.poll()
    for _ in range(6):
        account.server.create(5, "failed")
        await account.poll()

    def fail(_path: str, params: Params) -> None:
        if params.get("filter[status]") == "in-progress":
            account.server.answer = lambda _path, _params: None
            account.server.end(running, "failed")

    account.server.answer = fail
    await account.poll()
    await account.poll()
    assert account.counts == {"created": 30, "failed": 31}


async def test_unknown_statuses_do_not_grow_the_list_in_flight(open_odd: OpenOdd) -> None:
    """300 in progress lie scattered; 100 queued ones more make no later poll take longer."""
    account = open_odd()
    account.server.history(5_000)
    for _ in range(300):
        account.server.create()
        account.server.create(20, "completed")
        account.clock.advance(30)
    await account.poll()
    costs = [await account.poll() for _ in range(2)]
    account.server.create(100, "queued")
    await account.poll()
    costs += [await account.poll() for _ in range(2)]
    assert costs == [3, 3, 3, 3]
    assert account.counts == {"created": 100, "running": 300}
