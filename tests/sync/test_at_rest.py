"""A list that brought nothing for some polls: what comes after that is counted once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.simulator.settings import ListOrder
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]
ORDERS = [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED, ListOrder.NONE]


async def at_rest(open_account: OpenAccount, order: ListOrder, **more: Any) -> tuple[Any, Any]:
    """Return an account with one action in progress and one interrupted, and what was counted."""
    account = open_account(replace(QUIET, history=40, order=order), **more)
    await account.poll()
    start = account.world.record()
    account.world.create(3, action_type="enable", bulk=False)
    await account.poll()
    first, second, _ = account.ledger.state.open
    account.world.finish(first, Status.INTERRUPTED, "The data limit was exceeded.")
    account.world.finish(second, Status.COMPLETED)
    for _ in range(4):
        await account.poll()
    assert account.differences(start) == {}
    return account, start


@pytest.mark.parametrize("order", ORDERS)
async def test_what_is_created_after_that_counts(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """Also one at a time, with polls without news in between."""
    account, start = await at_rest(open_account, order)
    for _ in range(2):
        account.world.create(1, action_type="disable", bulk=False)
        await account.poll()
        assert account.differences(start) == {}
        await account.poll()
        await account.poll()
    assert account.snapshot.created["disable"] == 2


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.INTERRUPTED])
@pytest.mark.parametrize("order", ORDERS)
async def test_what_ends_after_that_counts(
    open_account: OpenAccount, order: ListOrder, status: Status
) -> None:
    """The list is as long as before."""
    account, start = await at_rest(open_account, order)
    (running,) = account.ledger.state.open
    account.world.finish(running, status, "The data limit was exceeded.")
    await account.poll()
    assert account.differences(start) == {}
    assert not account.ledger.state.open


async def test_an_action_that_is_forgotten_counts_no_second_time(
    open_account: OpenAccount,
) -> None:
    """It is still listed, on a page that has not changed."""
    account, _ = await at_rest(open_account, ListOrder.NEWEST)
    assert await account.ledger.forget(account.clock() + 1) > 0
    for _ in range(2):
        await account.poll()
        assert account.snapshot.created["enable"] == 3
    account.world.create(1, action_type="disable", bulk=False)
    await account.poll()
    assert account.snapshot.created["disable"] == 1


async def test_what_is_in_progress_on_the_page_is_not_asked_for_again(
    open_account: OpenAccount,
) -> None:
    """It was seen there, as in each poll before."""
    account, _ = await at_rest(open_account, ListOrder.NEWEST)
    assert [await account.poll() for _ in range(3)] == [1, 1, 1]
