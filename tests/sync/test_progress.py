"""What is told, and shown, of a poll while it reads many actions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import UnavailableError
from exporter.simulator.faults import Fault
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from exporter.sync.progress import Progress, Stage
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]
NEW = 2_000


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
    """With a list for each action type, what is unseen is that of those that were looked at."""
    filters = AccountFilters(("enable", "disable"), ())
    mix = replace(QUIET, mix="enable=1,disable=1")
    account = open_account(mix, filters=filters, page_size=10)
    await account.poll()
    create_ended(account, 600)
    enabled = account.world.record().created["enable"]
    account.progress.clear()
    await account.poll()
    assert account.progress[0].unseen == enabled
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


async def test_what_is_committed_on_the_way_is_published(open_account: OpenAccount) -> None:
    """A catch-up that breaks leaves what it read in the metrics, and says what is missing."""
    account = open_account(replace(QUIET, history=1_000), page_size=10, concurrency=1)
    await account.poll()
    create_ended(account)
    account.simulator.faults.script(*[None] * 130, *[Fault.HTML] * 10)
    with pytest.raises(UnavailableError):
        await account.poll()
    completed = sum(account.snapshot.completed.values())
    assert completed == sum(account.snapshot.created.values()) == 1_200
    assert account.progress[-1].unseen <= NEW - completed


def test_the_time_left_is_by_the_pace_so_far() -> None:
    """Nothing read yet has no pace."""
    assert Progress(600, Stage.CATCH_UP, done=400, total=1_000, seconds=20.0).seconds_left == 30.0
    assert Progress(600, Stage.CATCH_UP, done=0, total=600, seconds=20.0).seconds_left is None
