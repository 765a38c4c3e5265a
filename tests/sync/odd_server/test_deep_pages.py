"""An API that lets nobody read deep into a list, as many do: what is not needed is done without."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.errors import TooDeepError
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from tests.support.combinations import combined
from tests.sync.odd_server.conftest import as_ever

OpenOdd = Callable[..., Any]
Params = dict[str, str]

DEEPEST = 5
REFUSALS = ["400", "404", "416", "422", "empty", "repeated"]


def refuse(account: Any, way: str) -> None:
    """Let the server refuse pages that are deeper than DEEPEST, in one of these ways."""

    def answer(path: str, params: Params) -> httpx.Response | None:
        if int(params.get("page[number]", "1")) <= DEEPEST:
            return None
        if way == "repeated":
            response: httpx.Response = account.server.well(
                path, params | {"page[number]": str(DEEPEST)}
            )
            return response
        if way == "empty":
            whole = account.server.well(path, params).json()
            return httpx.Response(200, json=whole | {"data": []})
        return httpx.Response(int(way), json={"errors": [{"code": "10015", "title": "Too deep"}]})

    account.server.answer = answer


@combined(way=REFUSALS, order=[ListOrder.NEWEST, ListOrder.UPDATED])
async def test_the_newest_are_enough(open_odd: OpenOdd, order: ListOrder, way: str) -> None:
    """The list begins with the newest: old ones in progress are asked for by their ids."""
    account = open_odd(audit_interval=300.0)
    account.server.order = order
    old = account.server.follow_on(30, "in-progress")
    account.server.follow_on(2_500)
    account.clock.advance(60)
    refuse(account, way)
    running = account.server.follow_on(20, "in-progress", apart=5.0)
    await account.poll()
    assert account.counts == {"running": 50}
    for part in range(3):
        account.server.end(old[part * 10 : part * 10 + 5], "failed")
        account.server.end(old[part * 10 + 5 : part * 10 + 10], "interrupted")
        account.server.end(running[part * 5 : part * 5 + 5])
        account.server.follow_on(300, "failed")
        await account.poll()
    assert account.counts == {
        "created": 900, "failed": 915, "completed": 15, "interrupted": 15, "running": 5
    }  # fmt: skip
    account.server.end(running)
    await account.poll(after=1.0)
    assert await account.poll(after=1.0) == 1


async def test_a_far_end_that_is_not_answered_is_done_without(open_odd: OpenOdd) -> None:
    """The last page ends in 500 for ever, and the first one is all that is needed."""
    account = open_odd()
    account.server.history(10_000)
    refuse(account, "500")
    await account.poll()
    account.server.create(10, "failed")
    await account.poll()
    assert account.counts == {"created": 10, "failed": 10}


@pytest.mark.parametrize("way", ["400", "422", "empty", "repeated"])
async def test_more_that_is_unseen_than_may_be_read(open_odd: OpenOdd, way: str) -> None:
    """Of 2,500 in one outage the latest 1,250 can be read: they count, and polls go on."""
    account = open_odd()
    account.server.history(1_000)
    await account.poll()
    await account.poll()
    account.server.follow_on(2_500, "failed")
    refuse(account, way)
    await account.poll()
    assert account.counts == {"created": 1250, "failed": 1250}
    assert account.shortfall == 1_250
    account.server.create(2, "failed")
    assert await account.poll() == 1
    assert account.counts == {"created": 1252, "failed": 1252}
    assert account.shortfall == 0


@combined(way=REFUSALS, when=["first poll", "later"])
async def test_where_the_refused_page_is_needed_the_error_says_what_to_do(
    open_odd: OpenOdd, way: str, when: str
) -> None:
    """Oldest first, new actions appear on a page that nobody may read; shorter lists help."""
    account = open_odd()
    account.server.order = ListOrder.OLDEST
    account.server.history(1_000)
    account.server.history(600, action_type="disable")
    if when == "later":
        await account.poll()
    refuse(account, way)
    if when == "later":
        account.server.create(10, "failed")
    with pytest.raises(TooDeepError, match=r"oldest first.* rejects page.*set action_types"):
        await account.poll()
    account.stop()
    account.start(AccountFilters(("enable", "disable"), ()))
    await account.poll()
    account.server.create(5, "failed", action_type="disable")
    await account.poll()
    assert account.counts == {"created": 5, "failed": 5}


async def test_a_refusal_is_remembered_until_the_next_audit(open_odd: OpenOdd) -> None:
    """Nobody asks for the deep page again and again, and once it is served it is of use again."""
    account = open_odd(audit_interval=290.0)
    await account.poll()
    running = account.server.follow_on(30, "in-progress", apart=0.1)
    account.server.follow_on(2_000)
    await account.poll(after=1.0)
    refuse(account, "400")
    asked = []
    for part in range(4):
        account.server.end(running[part * 2 : part * 2 + 2], "failed")
        await account.poll()
        numbers = [int(params.get("page[number]", 1)) for _, params in account.server.requests]
        asked.append(sum(number > DEEPEST for number in numbers))
    assert asked == [2, 0, 0, 0], "asked for twice, as a refusal may pass"
    account.server.answer = lambda _path, _params: None
    await account.poll()
    account.server.end(running, "failed")
    await account.poll()
    assert account.counts == {"created": 2030, "completed": 2000, "failed": 30}
    assert len(account.server.requests) <= 4


@combined(way=REFUSALS, apart=[2.0, 10.0], dated=[True, False])
async def test_what_was_out_of_reach_is_no_news(
    open_odd: OpenOdd, way: str, apart: float, *, dated: bool
) -> None:
    """Oldest first, each poll fails until all pages may be read: what is there then is history."""
    account = open_odd(audit_interval=300.0)
    account.server.order, account.server.dated = ListOrder.OLDEST, dated
    account.server.history(3_010, "failed", apart=apart)
    refuse(account, way)
    for _ in range(3):
        with pytest.raises(TooDeepError):
            await account.poll()
        account.server.follow_on(3, "failed", apart=5.0)
    account.server.answer = as_ever
    for _ in range(2):
        await account.poll()
    account.server.follow_on(2, "failed", apart=5.0)
    await account.poll()
    assert account.counts == {"created": 2, "failed": 2}


async def test_those_in_progress_out_of_reach_are_told_of(open_odd: OpenOdd) -> None:
    """Of 2,000 in progress 1,250 may be listed: the others are missing, and said to be."""
    account = open_odd(audit_interval=120.0)
    running = account.server.follow_on(2_000, "in-progress", apart=5.0)
    refuse(account, "422")
    await account.poll()
    assert account.counts == {"running": 1_250}
    assert account.shortfall == 750
    account.server.end(running, "failed")
    for _ in range(8):
        await account.poll()
    assert account.counts == {"failed": 1_250}
