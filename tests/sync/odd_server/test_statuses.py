"""Accounts of which only some statuses are asked for, and statuses that nobody knows."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.domain import Status
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters

OpenOdd = Callable[..., Any]
FAILED = AccountFilters((), (Status.FAILED,))
RUNNING_AND_FAILED = AccountFilters((), (Status.IN_PROGRESS, Status.FAILED))


async def test_a_failure_older_than_600_others_counts(open_odd: OpenOdd) -> None:
    """It was in progress at the first poll; it enters the list of failures far from its top."""
    account = open_odd(FAILED)
    old = account.server.create(at=account.clock() - 90_000)
    account.server.history(600, "failed")
    await account.poll()
    account.server.end(old, "failed")
    await account.poll()
    assert account.counts == {"failed": 1}


@pytest.mark.parametrize("audit_interval", [60.0, 1e9], ids=["audited", "not audited"])
async def test_a_failure_that_600_newer_ones_overtook_counts(
    open_odd: OpenOdd, audit_interval: float
) -> None:
    """It was created after the first poll, and fails when six pages of newer ones are counted."""
    account = open_odd(FAILED, audit_interval=audit_interval)
    account.server.history(600, "failed")
    await account.poll()
    account.clock.advance(10)
    old = account.server.create()
    for _ in range(6):
        account.server.follow_on(100, "failed", apart=10.0)
        await account.poll()
    assert account.counts["failed"] == 600
    account.server.end(old, "failed")
    await account.poll()
    await account.poll()
    assert account.counts["failed"] == 601
    assert account.shortfall == 0


async def test_what_left_to_an_unasked_status_is_never_stuck(open_odd: OpenOdd) -> None:
    """Five completed where only failures are asked for: an hour later none is told of as stuck."""
    account = open_odd(FAILED)
    account.server.history(100)
    running = account.server.create(5)
    await account.poll()
    account.server.end(running)
    await account.poll()
    await account.poll(after=3600)
    assert await account.ledger.undelivered("log") == ()


async def test_a_bulk_that_ends_unasked_costs_two_percent(open_odd: OpenOdd) -> None:
    """2,000 actions of a bulk, 40 pages, complete over ten polls; completed is not asked for."""
    account = open_odd(RUNNING_AND_FAILED, page_size=50)
    account.server.history(1_000)
    await account.poll()
    bulk = account.server.create(2_000, at=account.clock() + 1)
    await account.poll()
    requests = 0
    for start in range(0, 2_000, 200):
        account.server.end(bulk[start : start + 200])
        requests += await account.poll()
    assert requests == 191
    assert account.counts == {"created": 2_000}


async def test_unknown_statuses_are_not_asked_for_in_each_poll(open_odd: OpenOdd) -> None:
    """Sixty scattered actions come to a status nobody knows; then a poll is one request again."""
    account = open_odd(page_size=10)
    account.server.history(1_000)
    await account.poll()
    scattered = []
    for _ in range(60):
        scattered += account.server.create()
        account.server.follow_on(12)
    await account.poll()
    account.server.end(scattered, "cancelled")
    await account.poll()
    assert [await account.poll() for _ in range(3)] == [1, 1, 1]
    assert account.counts == {"created": 780, "completed": 720}


async def test_foreign_statuses_do_not_grow_the_sums(open_odd: OpenOdd) -> None:
    """200 actions, each in a status of its own, add no sum of their own to what is kept."""
    account = open_odd()
    await account.poll()
    for number in range(100):
        account.server.create(1, f"status-{number}")
    await account.poll()
    kept = len(account.ledger.state.sums)
    for number in range(100, 200):
        account.server.create(1, f"status-{number}")
    await account.poll()
    assert len(account.ledger.state.sums) == kept
    assert account.counts == {"created": 200}


async def test_an_unknown_status_shows_as_other(open_odd: OpenOdd) -> None:
    """Five paused actions beside 600 completed ones make no drift and no sweep."""
    account = open_odd(audit_interval=60.0)
    account.server.history(600)
    await account.poll()
    account.server.create(5, "paused")
    costs = [await account.poll() for _ in range(3)]
    shown = {key: count for key, count in account.ledger.snapshot.actions.items() if count}
    assert shown == {("enable", "completed"): 600, ("enable", "other"): 5}
    assert set(account.ledger.snapshot.drift.values()) == {0}
    assert costs[1] == costs[2]


@pytest.mark.parametrize("audit_interval", [120.0, 1e9], ids=["audited", "not audited"])
@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_failures_that_600_younger_ones_overtook_count(
    open_odd: OpenOdd, order: ListOrder, audit_interval: float
) -> None:
    """Thirty enter the list of failures far from the end where new ones appear."""
    account = open_odd(FAILED, audit_interval=audit_interval)
    account.server.order = order
    account.server.history(300, "failed")
    await account.poll()
    running = account.server.follow_on(30, "in-progress", apart=5.0)
    await account.poll()
    account.server.follow_on(600, "failed", apart=5.0)
    await account.poll()
    account.server.end(running, "failed")
    for _ in range(11):
        await account.poll()
    assert account.counts == {"created": 630, "failed": 630}


async def test_texts_that_no_store_can_hold_are_committed(open_odd: OpenOdd) -> None:
    """They are kept with a mark in their place, and such an action is recognised again."""
    account = open_odd()
    await account.poll()
    (item,) = account.server.create(action_type="t\0")
    item["status"] = {"value": "failed", "reason": "No\0funds"}
    for _ in range(3):
        await account.poll()
    snapshot = account.ledger.snapshot
    assert snapshot.failed["t\ufffd", "insufficient_funds"] == 1
    assert [failure.reason for failure in snapshot.failures] == ["No\ufffdfunds"]
    assert account.counts == {"created": 1, "failed": 1}
