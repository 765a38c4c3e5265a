"""What retention has forgotten stays counted once, though the server lists it still."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.simulator.settings import ListOrder

OpenOdd = Callable[..., Any]


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_forgotten_actions_of_one_moment_are_not_new_again(
    open_odd: OpenOdd, order: ListOrder
) -> None:
    """Three were created at once, ended, and forgotten; then a fourth is the only new one."""
    account = open_odd()
    account.server.order = order
    await account.poll()
    account.server.create(3, "completed")
    await account.poll()
    await account.forget()
    await account.poll()
    account.server.create(1, "completed")
    await account.poll()
    assert account.counts == {"created": 4, "completed": 4}


async def test_a_forgotten_bulk_is_not_new_again(open_odd: OpenOdd) -> None:
    """200 failures of one bulk share a page with 20 new actions, and count no second time."""
    account = open_odd()
    await account.poll()
    account.server.create(200, "failed")
    await account.poll()
    await account.forget()
    account.server.create(20, "completed")
    await account.poll()
    assert account.counts == {"created": 220, "completed": 20, "failed": 200}


async def test_a_forgotten_action_from_the_future_hides_none(open_odd: OpenOdd) -> None:
    """Its created_at lies ten years ahead; what is created after it was forgotten counts."""
    account = open_odd()
    await account.poll()
    account.server.create(1, "completed", at=account.clock() + 3650 * 86_400)
    await account.poll()
    await account.forget()
    account.server.create(5, "failed")
    await account.poll()
    await account.poll()
    assert account.counts == {"created": 6, "completed": 1, "failed": 5}
    assert account.shortfall == 0
