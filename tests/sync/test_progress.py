"""What is told, and shown, of a poll while it reads many actions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import UnavailableError
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from exporter.sync.progress import SHORT, Progress, Stage
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]
NEW = 800


def create_ended(account: Any, count: int = NEW) -> None:
    """Let actions be created and completed."""
    for action_id in account.world.create(count):
        account.world.finish(action_id, Status.COMPLETED)


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED])
async def test_a_catch_up_tells_how_far_it_is(open_account: OpenAccount, order: ListOrder) -> None:
    """From all that is new to nothing, page by page."""
    account = open_account(replace(QUIET, history=1_000, order=order), page_size=10)
    await account.poll()
    create_ended(account)
    account.progress.clear()
    await account.poll()
    told = account.progress
    assert [each.unseen for each in told] == sorted((e.unseen for e in told), reverse=True)
    assert {each.stage for each in told} == {Stage.CATCH_UP}
    assert {each.total for each in told} == {NEW}
    assert all(each.done == NEW - each.unseen for each in told)
    assert (told[0].unseen, told[-1].unseen) == (NEW, 0)
    assert len(told) > NEW / 10  # at each page


async def test_a_catch_up_in_no_order_tells_how_much_of_the_list_was_read(
    open_account: OpenAccount,
) -> None:
    """Each of its pages may have what is new."""
    account = open_account(
        replace(QUIET, history=1_000, order=ListOrder.NONE), page_size=10, concurrency=1
    )
    await account.poll()
    create_ended(account)
    account.progress.clear()
    await account.poll()
    done = [each.done for each in account.progress if each.total == NEW + 1_000]
    assert done[:3] == [10, 20, 30]
    assert done[-1] == NEW + 1_000
    assert [each.unseen for each in account.progress][:-1] == [NEW] * (len(account.progress) - 1)
    assert account.progress[-1].unseen == 0


async def test_lists_are_told_of_together(open_account: OpenAccount) -> None:
    """With a list for each action type, what is unseen is that of all, and only falls."""
    filters = AccountFilters(("enable", "disable"), ())
    mix = replace(QUIET, mix="enable=1,disable=1")
    account = open_account(mix, filters=filters, page_size=10)
    await account.poll()
    create_ended(account, 600)
    account.progress.clear()
    await account.poll()
    unseen = [each.unseen for each in account.progress if each.total == 600]
    assert unseen[0] == 600
    assert unseen == sorted(unseen, reverse=True)
    assert (account.progress[-1].done, account.progress[-1].total) == (600, 600)
    assert account.progress[-1].unseen == 0


async def test_what_is_soon_read_is_not_worth_telling(open_account: OpenAccount) -> None:
    """A few pages are."""
    account = open_account(replace(QUIET, history=1_000), page_size=10)
    await account.poll()
    create_ended(account, 50)
    account.progress.clear()
    await account.poll()
    assert {each.stage for each in account.progress} == {None}
    assert account.progress[0].unseen == 50
    assert account.progress[-1].unseen == 0


async def test_a_baseline_tells_how_much_of_what_is_in_progress_it_listed(
    open_account: OpenAccount,
) -> None:
    """How much there is, is known once its first page is."""
    account = open_account(QUIET, page_size=10)
    account.world.create(NEW)
    await account.poll()
    told = account.progress
    assert {each.stage for each in told} == {Stage.BASELINE}
    assert (told[0].total, told[0].seconds_left) == (None, None)
    assert {each.total for each in told[1:]} == {NEW}
    assert (told[-1].done, told[-1].unseen) == (NEW, 0)
    assert [each.done for each in told] == sorted(each.done for each in told)


@pytest.mark.parametrize("every", [100, 7])
async def test_what_was_in_progress_is_told_of_next(open_account: OpenAccount, every: int) -> None:
    """Whether it is listed, or found one by one, and even if nothing is new."""
    account = open_account(replace(QUIET, history=20_000), page_size=10, concurrency=1)
    ids = account.world.create(400)
    await account.poll()
    for action_id in ids[::every]:
        account.world.finish(action_id, Status.COMPLETED)
    account.progress.clear()
    await account.poll()
    told = [each for each in account.progress if each.stage is Stage.IN_FLIGHT]
    assert {each.total for each in told} == {390}  # the page where new ones appear was read
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[0].done, told[-1].done) == (0, 390)
    assert len(told) > 20
    assert {each.unseen for each in told} == {0}


async def test_a_poll_that_takes_long_is_told_of_however_little_it_reads(
    open_account: OpenAccount,
) -> None:
    """Here the API fails for a while before the third answer."""
    account = open_account(QUIET, page_size=10, concurrency=1)
    account.world.create(30)
    await account.poll()
    account.progress.clear()
    away = [Fault.SERVER_ERROR] * 3
    account.simulator.faults.script(None, None, *away, None, *away)
    account.world.create(40)
    before = account.clock()
    await account.poll()
    assert account.clock() - before > 60 + SHORT
    stages = [each.stage for each in account.progress]
    assert stages[0] is None
    assert Stage.CATCH_UP in stages or Stage.IN_FLIGHT in stages


async def test_counters_that_are_committed_on_the_way_are_published(
    open_account: OpenAccount,
) -> None:
    """A catch-up that breaks leaves what it read in the counters, and says what is missing.

    What was in progress was not looked at again, so gauges stay, and nothing new is stuck.
    """
    account = open_account(
        replace(QUIET, history=1_000), page_size=10, concurrency=1, stuck_after=30.0
    )
    ids = account.world.create(50)
    account.clock.advance(1)
    account.simulator.tick()
    create_ended(account, 300)  # between them and what is new
    account.clock.advance(1)
    account.simulator.tick()
    await account.poll(after=0)
    before = account.snapshot
    account.clock.advance(60)
    for action_id in ids:
        account.world.finish(action_id, Status.COMPLETED)
    create_ended(account, 2_000)
    account.simulator.faults.script(*[None] * 130, *[Fault.HTML] * 10)
    with pytest.raises(UnavailableError):
        await account.poll()
    completed = sum(account.snapshot.completed.values())
    assert completed == sum(account.snapshot.created.values()) == 1_200
    assert account.progress[-1].unseen <= 2_000 - completed
    for name in ("actions", "stuck", "oldest_in_progress", "problems", "in_flight"):
        assert getattr(account.snapshot, name) == getattr(before, name)
    account.simulator.faults = FaultInjector(FaultSettings(), seed=1)
    await account.poll()
    assert sum(account.snapshot.completed.values()) == 2_050
    assert not sum(account.snapshot.stuck.values())


def test_the_time_left_is_by_the_pace_so_far() -> None:
    """Nothing read yet has no pace."""
    assert Progress(600, Stage.CATCH_UP, done=400, total=1_000, seconds=20.0).seconds_left == 30.0
    assert Progress(600, Stage.CATCH_UP, done=0, total=600, seconds=20.0).seconds_left is None
