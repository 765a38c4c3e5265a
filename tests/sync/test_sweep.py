"""What drifted is found by reading it again, in the background of normal polls."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.simulator.settings import ListOrder
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]
AUDIT = 300.0


async def audits(account: Any, count: int) -> None:
    """Let so many audits pass, with polls in between."""
    for _ in range(count):
        await account.poll(after=AUDIT + 1)
        await account.poll(after=10)


def make(account: Any, count: int, status: Status, **how: Any) -> None:
    """Create actions that end at once."""
    account.clock.advance(1)
    account.simulator.tick()
    for action_id in account.world.create(count, action_type="enable", **how):
        account.world.finish(action_id, status)


@pytest.mark.parametrize("order", list(ListOrder))
async def test_an_action_that_shows_up_in_the_middle_of_the_listing_is_counted(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """It was created long ago by Telnyx' clock: the totals tell, the sweep finds it."""
    account = open_account(
        replace(QUIET, history=500, order=order), audit_interval=AUDIT, page_size=50
    )
    await account.poll()
    for _ in range(6):
        make(account, 60, Status.COMPLETED)
        await account.poll(after=600)
    make(account, 1, Status.FAILED, created_at=account.clock() - 3000)
    await audits(account, 3)
    assert sum(account.snapshot.failed.values()) == 1
    assert account.snapshot.created["enable"] == 361
    assert set(account.snapshot.drift.values()) == {0}
    assert await account.poll(after=1) == 1


async def test_new_actions_hidden_by_a_pruned_listing_without_order_are_found(
    open_account: OpenAccount,
) -> None:
    """The total fell, so nothing seemed to be missing."""
    account = open_account(
        replace(QUIET, history=1_000, order=ListOrder.NONE), audit_interval=AUDIT, page_size=100
    )
    await account.poll()
    account.world.prune(700)
    make(account, 20, Status.FAILED)
    await account.poll()
    await audits(account, 4)
    assert sum(account.snapshot.failed.values()) == 20
    assert account.snapshot.created["enable"] == 20


async def test_a_sweep_goes_on_after_a_restart(open_account: OpenAccount) -> None:
    """Where it was and what it looks for are part of the state."""
    account = open_account(replace(QUIET, history=100), audit_interval=AUDIT, page_size=5)
    await account.poll()
    make(account, 5, Status.COMPLETED)
    await account.poll(after=6000)
    for _ in range(4):
        make(account, 60, Status.COMPLETED)
        await account.poll(after=10)
    make(account, 1, Status.COMPLETED, created_at=account.clock() - 5000)
    for _ in range(2):
        await account.poll(after=AUDIT + 1)
    costs = []
    for _ in range(4):
        account.restart()
        costs.append(await account.poll(after=1))
    assert sum(account.snapshot.completed.values()) == 246
    assert max(costs) <= 1 + 20
    assert costs[0] == 21
    assert costs[-1] == 1


async def test_history_that_changed_unseen_is_accounted_for_and_counts_as_nothing(
    open_account: OpenAccount,
) -> None:
    """It ended before the baseline, so nobody can say what it was."""
    account = open_account(audit_interval=AUDIT, page_size=50)
    start = account.clock()
    ids = [
        account.world.create(action_type="enable", created_at=start - age)[0]
        for age in range(20_000, 0, -100)
    ]
    for action_id in ids:
        account.world.finish(action_id, Status.INTERRUPTED)
    await account.poll()
    for action_id in ids[:10]:
        account.world.finish(action_id, Status.COMPLETED)
    account.clock.advance(1)
    await account.poll(after=AUDIT + 1)
    assert (account.snapshot.drift["interrupted"], account.snapshot.drift["completed"]) == (-10, 10)
    await audits(account, 3)
    assert set(account.snapshot.drift.values()) == {0}
    assert account.snapshot.completed["enable"] == 0
    assert account.snapshot.actions["enable", "completed"] == 10
    assert account.snapshot.actions["enable", "interrupted"] == 190
    assert await account.poll(after=1) == 1


async def test_what_telnyx_forgot_is_no_drift_for_ever(open_account: OpenAccount) -> None:
    """The gauges follow at once, the drift is explained at the second audit."""
    account = open_account(replace(QUIET, history=1_000), audit_interval=AUDIT)
    await account.poll()
    account.world.prune(600)
    await account.poll(after=AUDIT + 1)
    assert min(account.snapshot.drift.values()) < 0
    assert sum(account.snapshot.actions.values()) == 400
    await account.poll(after=AUDIT + 1)
    assert set(account.snapshot.drift.values()) == {0}
    assert sum(account.snapshot.actions.values()) == 400
