"""Bulks of many pages of actions that share one moment, in each order that a list can have."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.simulator.settings import ListOrder
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]

PAGE = 50
SIZE = 800
UNSEEN = 2_000
"""With what comes beside them, more than is read in one piece (`discovery.CHUNK_PAGES`)."""

ENDS = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, Status.FAILED)


def end(account: Any, ids: list[str]) -> None:
    """Let actions end now, each in its own way."""
    for number, action_id in enumerate(ids):
        account.world.finish(action_id, ENDS[number % len(ENDS)], "SIM card is blocked")


@pytest.mark.parametrize("order", list(ListOrder))
async def test_a_bulk_of_one_moment_is_counted_in_each_order(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """Seen in progress, it ends in three parts that lie scattered over the list."""
    account = open_account(replace(QUIET, history=60, order=order), page_size=PAGE)
    await account.poll()
    since = account.world.record()
    account.clock.advance(60)
    account.simulator.tick()
    ids = account.world.create(SIZE, bulk=True)
    await account.poll()
    assert sum(account.snapshot.created.values()) == SIZE
    for turn in range(3):
        account.clock.advance(1)
        account.simulator.tick()
        end(account, ids[turn::3])
        await account.poll()
    await account.poll()
    assert sum(account.snapshot.failed.values()) > SIZE / 3
    assert account.differences(since) == {}


@pytest.mark.parametrize("order", list(ListOrder))
async def test_bulks_of_one_moment_that_end_unseen_are_counted_in_each_order(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """Two bulks and single actions share a moment, and have all ended before the next poll."""
    account = open_account(replace(QUIET, history=60, order=order), page_size=PAGE)
    await account.poll()
    since = account.world.record()
    account.clock.advance(60)
    account.simulator.tick()
    ids = account.world.create(UNSEEN, bulk=True)
    ids += account.world.create(7, action_type="enable")
    ids += account.world.create(UNSEEN // 4, bulk=True, action_type="disable")
    account.clock.advance(1)
    account.simulator.tick()
    end(account, ids)
    for _ in range(3):
        await account.poll()
    assert sum(account.snapshot.created.values()) == len(ids)
    assert account.differences(since) == {}
