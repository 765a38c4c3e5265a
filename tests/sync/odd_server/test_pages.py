"""Pages that are smaller than asked for, short of an action, refused, or out of order."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.domain import Status
from exporter.errors import UnavailableError
from exporter.ledger.records import Sweep
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters

OpenOdd = Callable[..., Any]
Params = dict[str, str]


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_pages_smaller_than_asked_for_hide_none(open_odd: OpenOdd, *, told: bool) -> None:
    """A page holds 100 whatever is asked for: 300 new failures are found in four pages."""
    account = open_odd()
    account.server.largest_page = 100
    account.server.tells_size = told
    account.server.history(1_000)
    await account.poll()
    account.server.create(300, "failed")
    assert await account.poll() == 4
    assert account.counts == {"created": 300, "failed": 300}
    assert account.shortfall == 0


async def test_smaller_pages_oldest_first_cost_one_request(open_odd: OpenOdd) -> None:
    """The last page is found by the size that is served, not by the size that was asked for."""
    account = open_odd()
    account.server.order = ListOrder.OLDEST
    account.server.largest_page = 100
    account.server.history(5_000)
    await account.poll()
    assert [await account.poll(), await account.poll()] == [1, 1]


async def test_a_page_short_of_an_action_loses_no_other(open_odd: OpenOdd) -> None:
    """Page 1 lacks one that the total counts: 699 count, and the last when it is listed."""
    account = open_odd()
    account.server.history(1_000)
    await account.poll()
    account.server.follow_on(700)

    def lacking(_path: str, params: Params) -> httpx.Response | None:
        if "filter[status]" in params or params["page[number]"] != "1":
            return None
        page = account.server.items[::-1][:250]
        meta = {"total_results": len(account.server.items), "page_size": 250}
        return httpx.Response(200, json={"data": page[:100] + page[101:], "meta": meta})

    account.server.answer = lacking
    await account.poll()
    assert account.counts == {"created": 699, "completed": 699}
    assert account.shortfall == 1
    account.server.answer = lambda _path, _params: None
    await account.poll()
    assert account.counts == {"created": 700, "completed": 700}


@pytest.mark.parametrize("code", [404, 422])
async def test_refused_pages_past_the_end_end_no_poll(open_odd: OpenOdd, code: int) -> None:
    """The list is oldest first and shrinks by 300, so that its last page is refused now."""
    account = open_odd()
    account.server.order = ListOrder.OLDEST
    account.server.history(1_001)
    await account.poll()
    await account.poll()
    account.server.past_end = code
    del account.server.items[:300]
    assert [await account.poll() for _ in range(4)] == [4, 1, 1, 1]
    account.server.create(1, "failed")
    await account.poll()
    assert account.counts == {"created": 1, "failed": 1}


async def test_a_sweep_past_the_end_ends_no_poll(open_odd: OpenOdd) -> None:
    """A sweep stands at page 48 when the list shrinks to 40, and the server refuses page 48."""
    account = open_odd(audit_interval=60.0)
    account.server.history(12_000, apart=1.0)
    await account.poll()
    account.ledger.state.sweeps["enable", Status.COMPLETED] = Sweep(48, 5)
    del account.server.items[:2_000]
    account.server.past_end = 404
    assert [await account.poll() for _ in range(3)] == [19, 17, 17]


async def test_an_action_dated_back_does_not_make_polls_costly(open_odd: OpenOdd) -> None:
    """One of two stands above a newer one; polls of 100 new actions are one request still."""
    account = open_odd()
    account.server.history(20_000)
    await account.poll()
    account.server.create(1, "completed")
    account.server.create(1, "completed", at=account.clock() - 30)
    costs = [await account.poll()]
    for _ in range(5):
        account.server.follow_on(100, apart=10.0)
        costs.append(await account.poll())
    assert costs == [1] * 6
    assert account.counts == {"created": 502, "completed": 502}


async def test_actions_without_times_count_when_they_end(open_odd: OpenOdd) -> None:
    """A thousand actions have no time at all; the ten in progress fail, and nothing else counts."""
    account = open_odd()
    items = account.server.create(1_000, "completed")
    running = items[200:210]
    account.server.end(running, "in-progress")
    for item in items:
        item["created_at"] = item["updated_at"] = None
    await account.poll()
    assert account.counts == {"running": 10}
    account.server.end(running, "failed")
    for item in running:
        item["updated_at"] = None
    await account.poll()
    assert account.counts == {"failed": 10}
    assert await account.poll() == 1


@pytest.mark.parametrize("behind", [-7200, 0, 7200])
async def test_without_order_the_clock_here_may_be_wrong(open_odd: OpenOdd, behind: int) -> None:
    """What is new is told from history by the clock of the API, which says what time it is."""
    account = open_odd()
    server = account.server
    server.order = ListOrder.NONE

    def there() -> float:
        return float(account.clock()) - behind

    def dated(path: str, params: Params) -> httpx.Response:
        if server.items and params.get("page[number]") == "3" and len(server.items) == 1_005:
            server.create(1, "failed", at=there())  # the list moves while it is read
        answer: httpx.Response = server.well(path, params)
        answer.headers["date"] = formatdate(there(), usegmt=True)
        return answer

    server.create(1_000, "completed", at=there() - 20_000, apart=19.99)
    server.answer = dated
    await account.poll()
    account.clock.advance(30)
    server.create(5, "failed", at=there())
    for _ in range(2):
        await account.poll()
        assert account.counts == {"created": 6, "failed": 6}


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
async def test_a_restart_finds_the_last_page_of_small_ones(
    open_odd: OpenOdd, *, told: bool
) -> None:
    """Oldest first, a page holds 50 whatever is asked for, which a new process does not know."""
    account = open_odd()
    server = account.server
    server.order, server.largest_page, server.tells_size = ListOrder.OLDEST, 50, told
    server.history(3_000)
    await account.poll()
    account.stop()
    account.start(AccountFilters((), ()))
    for _ in range(2):
        server.follow_on(5, "failed", apart=5.0)
        await account.poll()
    await account.poll()
    assert account.counts == {"created": 10, "failed": 10}


@pytest.mark.parametrize("code", [400, 404, 422])
async def test_a_page_that_is_refused_once_is_asked_for_again(open_odd: OpenOdd, code: int) -> None:
    """Page 2 of the 600 new ones is refused in passing: all of them count in the same poll."""
    account = open_odd()
    account.server.history(3_000)
    await account.poll()
    account.server.follow_on(600, "failed", apart=3.0)
    refusals = [httpx.Response(code, json={"errors": []})]

    def once(_path: str, params: Params) -> httpx.Response | None:
        return refusals.pop() if refusals and params.get("page[number]") == "2" else None

    account.server.answer = once
    for _ in range(2):
        await account.poll()
        assert account.counts == {"created": 600, "failed": 600}
    assert not refusals


async def test_a_restart_into_an_outage_finds_the_last_page_of_small_ones(
    open_odd: OpenOdd,
) -> None:
    """A poll that failed before it saw a page does not make the next one trust the page size."""
    account = open_odd()
    server = account.server
    server.order, server.largest_page, server.tells_size = ListOrder.OLDEST, 50, False
    server.history(3_000)
    await account.poll()
    account.stop()
    account.start(AccountFilters((), ()))
    server.follow_on(5, "failed", apart=5.0)
    server.answer = lambda _path, _params: httpx.Response(503)
    with pytest.raises(UnavailableError):
        await account.poll()
    server.answer = lambda _path, _params: None
    requests = await account.poll()
    assert account.counts == {"created": 5, "failed": 5}
    assert requests == 4  # as looked up, the first, where it ends, and what follows
