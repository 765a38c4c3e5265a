"""Actions that are dated out of place: long back, ahead of their time, or by a wrong clock."""

from collections.abc import Callable
from datetime import datetime
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.simulator.settings import ListOrder
from tests.sync.odd_server.conftest import stamp

OpenOdd = Callable[..., Any]
Params = dict[str, str]


def time_of(item: dict[str, Any], field: str) -> float:
    """Read a time of an action."""
    return datetime.fromisoformat(item[field]).timestamp()


def sort_by(account: Any, field: str) -> None:
    """List by a time, the latest first."""
    server = account.server
    server.sorting = lambda item: -time_of(item, field)


def history(account: Any, count: int, *, every: int, lasting: float) -> None:
    """Create a history in which one in ``every`` took long, the others a second."""
    start = account.clock() - 100 - count * 10
    for number, item in enumerate(account.server.create(count, "completed", at=start, apart=10.0)):
        long = number % every == 0 and start + number * 10 + lasting < account.clock()
        item["updated_at"] = stamp(start + number * 10 + (lasting if long else 1.0))


async def test_long_ones_in_a_list_by_update_make_nothing_new_of_history(open_odd: OpenOdd) -> None:
    """One in 60 took an hour, so the list looks newest first; 300 of long ago end."""
    account = open_odd()
    history(account, 5_000, every=60, lasting=3_600.0)
    long_ago = account.clock() - 5_000
    old = [each for each in account.server.items if time_of(each, "updated_at") < long_ago][-300:]
    account.server.end(old, "in-progress")
    for item in old:
        item["updated_at"] = item["created_at"]
    sort_by(account, "updated_at")
    await account.poll()
    account.server.end(old, "failed")
    await account.poll()
    assert account.counts == {"failed": 300}


@pytest.fixture
def dated_back(open_odd: OpenOdd) -> Any:
    """Open an account, newest first, with one on the first page that is dated long back."""
    account = open_odd(audit_interval=60.0)
    items = account.server.history(5_000)
    items[4_900]["created_at"] = items[900]["created_at"]
    return account


async def test_one_dated_back_makes_nothing_new_of_history_that_is_searched(
    dated_back: Any,
) -> None:
    """Old ones in progress end: the pages where they are looked for hold history."""
    running = dated_back.server.items[4_000:4_020]
    dated_back.server.end(running, "in-progress")
    await dated_back.poll()
    dated_back.server.end(running, "failed")
    await dated_back.poll()
    assert dated_back.counts == {"failed": 20}


async def test_one_dated_back_makes_nothing_new_of_history_that_is_swept(dated_back: Any) -> None:
    """Three actions of the history are corrected at Telnyx, which is no event."""
    await dated_back.poll()
    for item in dated_back.server.items[3_500:3_503]:
        item["status"] = {"value": "failed", "reason": "x"}
    for _ in range(8):
        await dated_back.poll()
    assert dated_back.counts == {}


async def test_those_dated_ahead_hide_nothing_that_comes_below_them(open_odd: OpenOdd) -> None:
    """600 dated an hour ahead stay at the top for an hour; the others are found all the same."""
    account = open_odd()
    account.server.history(5_000)
    sort_by(account, "created_at")
    await account.poll()
    account.server.create(600, "completed", at=account.clock() + 3_600, apart=0.5)
    await account.poll()
    for _ in range(12):
        account.server.follow_on(5)
        await account.poll()
        assert account.shortfall == 0
    assert account.counts == {"created": 660, "completed": 660}


async def test_a_change_dated_ahead_hides_nothing_that_comes_below_it(open_odd: OpenOdd) -> None:
    """The list is by update: 499 that end stand above five new ones, one of next day on top."""
    account = open_odd()
    history(account, 5_000, every=3, lasting=3_000.0)
    sort_by(account, "updated_at")
    await account.poll()
    bulk = account.server.create(499)
    (odd,) = account.server.create(1, "completed")
    odd["updated_at"] = stamp(account.clock() + 86_400)
    await account.poll()
    await account.poll()
    account.server.follow_on(5, apart=3.0)
    account.clock.advance(10)
    account.server.end(bulk)
    await account.poll()
    assert account.shortfall == 0
    assert account.counts == {"created": 505, "completed": 505}


async def test_one_dated_ahead_at_the_baseline_makes_no_history_of_what_comes(
    open_odd: OpenOdd,
) -> None:
    """An action that is created during the first poll counts as created."""
    account = open_odd(audit_interval=300.0)
    account.server.history(600)
    account.server.create(1, "completed", at=account.clock() + 7_200)
    made: list[Any] = []

    def during(_path: str, params: Params) -> None:
        if params.get("filter[status]") == "in-progress" and not made:
            account.clock.advance(1)
            made.extend(account.server.create())

    account.server.answer = during
    await account.poll()
    account.server.answer = lambda _path, _params: None
    await account.poll()
    assert account.counts == {"created": 1, "running": 1}


async def test_a_date_that_is_late_makes_nothing_new_of_what_was_there(open_odd: OpenOdd) -> None:
    """Without order only time tells; the clock there is said to be two hours behind."""
    account = open_odd(page_size=10)
    account.server.order = ListOrder.NONE
    account.server.history(1_000)
    account.server.create(3, at=account.clock() - 50)

    def dated(path: str, params: Params) -> httpx.Response:
        answer: httpx.Response = account.server.well(path, params)
        answer.headers["date"] = formatdate(account.clock() - 7_200, usegmt=True)
        return answer

    account.server.answer = dated
    await account.poll()
    assert account.counts == {"running": 3}


@pytest.mark.parametrize("size", [250, 260, 1_000])
async def test_new_ones_below_pages_of_changed_ones_are_found(open_odd: OpenOdd, size: int) -> None:
    """The list is by update though nothing showed it yet; a bulk ends above five new ones."""
    account = open_odd()
    account.server.history(5_000)
    sort_by(account, "updated_at")
    await account.poll()
    bulk = account.server.create(size)
    await account.poll()
    account.server.follow_on(1_000, apart=3.0)
    await account.poll(after=5)
    account.server.follow_on(5, apart=3.0)
    account.clock.advance(10)
    account.server.end(bulk)
    assert await account.poll() < 70
    assert account.shortfall == 0
    assert account.counts == {"created": size + 1_005, "completed": size + 1_005}


async def test_those_of_a_list_that_shrinks_as_they_end_are_found_on_their_pages(
    open_odd: OpenOdd,
) -> None:
    """The oldest 700 vanish in the poll in which 500 of 2,000 end: not one request for each."""
    account = open_odd()
    account.server.history(5_000)
    await account.poll()
    bulk = account.server.create(2_000)
    await account.poll()
    del account.server.items[:700]
    account.server.end(bulk[::4])
    assert await account.poll() < 50
    assert account.counts == {"created": 2_000, "completed": 500, "running": 1_500}
