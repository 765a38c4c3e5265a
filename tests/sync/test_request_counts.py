"""The requests that each situation costs at most, counted at the simulated API."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from exporter.domain import Status
from exporter.simulator.settings import ListOrder
from tests.support.combinations import combined
from tests.support.simulation import QUIET

HISTORIES = [0, 10_000_000]
ORDERS = [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED]

OpenAccount = Callable[..., Any]


@combined(order=ORDERS, history=HISTORIES)
async def test_a_poll_with_nothing_in_flight_and_nothing_new_is_one_request(
    open_account: OpenAccount, history: int, order: ListOrder
) -> None:
    """An account that rests costs one request a poll, however long its history."""
    account = open_account(replace(QUIET, history=history, order=order))
    await account.poll()
    assert [await account.poll() for _ in range(3)] == [1, 1, 1]


@combined(order=ORDERS, history=HISTORIES, running=[1, 250, 600])
async def test_a_poll_with_actions_in_flight_costs_their_pages(
    open_account: OpenAccount, history: int, order: ListOrder, running: int
) -> None:
    """While nothing changes, a poll costs one request and the pages of what is in progress."""
    account = open_account(replace(QUIET, history=history, order=order))
    account.world.create(running)
    await account.poll()
    account.world.create(running)
    await account.poll()
    assert await account.poll() <= 1 + ceil(2 * running / 250)
    assert sum(account.snapshot.created.values()) == running


@combined(order=ORDERS, history=HISTORIES, new=[1, 249, 250, 251, 600])
async def test_new_actions_cost_their_pages_and_one(
    open_account: OpenAccount, history: int, order: ListOrder, new: int
) -> None:
    """Actions that came and ended since the last poll cost their pages and one more."""
    account = open_account(replace(QUIET, history=history, order=order))
    await account.poll()
    for action_id in account.world.create(new):
        account.world.finish(action_id, Status.COMPLETED)
    assert await account.poll() <= 1 + ceil(new / 250) + 1
    assert not account.differences()


@pytest.mark.parametrize("order", ORDERS)
async def test_a_long_catch_up_costs_its_pages_and_one(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """Being away for 84 pages of actions costs no more for being committed piece by piece."""
    account = open_account(replace(QUIET, history=10_000, order=order), page_size=25)
    await account.poll()
    for action_id in account.world.create(2_100):
        account.world.finish(action_id, Status.COMPLETED)
    assert await account.poll() <= 1 + 84 + 1
    assert not account.differences()


@combined(order=ORDERS, history=HISTORIES, running=[0, 1, 600])
async def test_the_first_poll_is_bounded(
    open_account: OpenAccount, history: int, order: ListOrder, running: int
) -> None:
    """The first poll of an account does not read its history."""
    account = open_account(replace(QUIET, history=history, order=order))
    account.world.create(running)
    assert await account.poll() <= 50 + ceil(running / 250)


@pytest.mark.parametrize("order", ORDERS)
async def test_a_bulk_that_ends_at_once_costs_its_pages(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """1,000 end between two polls, after other actions have come and ended."""
    account = open_account(replace(QUIET, history=10_000, order=order), page_size=50)
    await account.poll()
    bulk = account.world.create(1_000, bulk=True)
    await account.poll()
    for action_id in account.world.create(1_000, bulk=True):
        account.world.finish(action_id, Status.COMPLETED)
    await account.poll()
    for action_id in bulk:
        account.world.finish(action_id, Status.COMPLETED)
    assert await account.poll() <= 1 + 20 + 2
    assert not account.differences()


@combined(
    order=ORDERS,
    bulk=[
        ("before", "mixed", 10_000),  # costs most
        ("before", "as created", 2_500),
        ("since", "mixed", 2_500),
        ("since", "as created", 2_500),
    ],
)
async def test_a_bulk_that_ends_over_ten_polls_costs_a_twentieth_of_a_request_an_action(
    open_account: OpenAccount, order: ListOrder, bulk: tuple[str, str, int]
) -> None:
    """However a bulk ends, and whether it was there at the baseline or not."""
    known, sequence, size = bulk
    account = open_account(replace(QUIET, history=10_000, order=order))
    if known == "before":
        ids = account.world.create(size, bulk=True)
        await account.poll()
    else:
        await account.poll()
        ids = account.world.create(size, bulk=True)
        await account.poll()
    outcomes = [Status.COMPLETED] * 8 + [Status.FAILED, Status.INTERRUPTED]
    cost, share = 0, size // 10
    for turn in range(10):
        part = ids[turn::10] if sequence == "mixed" else ids[turn * share : (turn + 1) * share]
        for number, action_id in enumerate(part):
            account.world.finish(action_id, outcomes[number % 10])
        cost += await account.poll()
    assert cost <= size // 20
    assert account.snapshot.completed["set_public_ip"] == 8 * share
    assert sum(account.snapshot.failed.values()) == share
    assert sum(account.snapshot.interrupted.values()) == share
