"""What one poll after another makes of an account, seen from what is published."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import (
    AuthError,
    InvalidResponseError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.ledger.snapshot import AccountSnapshot
from exporter.scheduling.budget import PollBudget
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings
from exporter.simulator.rate_limiter import RateLimiter
from exporter.simulator.settings import ListOrder, SimulatorSettings
from exporter.sync.filters import AccountFilters
from tests.support.combinations import combined
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]
ORDERS = [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED, ListOrder.NONE]


def ended(snapshot: AccountSnapshot) -> tuple[int, int, int]:
    """Return how many are counted as completed, failed, interrupted."""
    return (
        sum(snapshot.completed.values()),
        sum(snapshot.failed.values()),
        sum(snapshot.interrupted.values()),
    )


async def test_what_had_ended_before_the_first_poll_shows_in_gauges_only(
    open_account: OpenAccount,
) -> None:
    """History is no event: the gauges have it from the API's totals, the counters do not."""
    account = open_account(replace(QUIET, history=5_000))
    await account.poll()
    current = account.world.record().current
    shown = {key: count for key, count in account.snapshot.actions.items() if count}
    assert shown == {
        (action_type, str(status)): count
        for (action_type, status), count in current.items()
        if count
    }
    assert ended(account.snapshot) == (0, 0, 0)
    assert sum(account.snapshot.created.values()) == 0


class AlwaysSpent(RateLimiter):
    """Says in each answer that it was the last one of its day, and refuses none."""

    def __init__(self) -> None:
        """Have no limit."""
        super().__init__(SimulatorSettings())

    def headers(self, now: float, *, refused: bool) -> dict[str, str]:
        """Say the same at any time."""
        spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "86400"}
        return super().headers(now, refused=refused) | spent


async def test_answers_that_all_say_that_nothing_is_left_end_no_poll(
    open_account: OpenAccount,
) -> None:
    """Each request waits, and the first poll of several ends well within its deadline."""
    account = open_account(replace(QUIET, history=5_000))
    account.simulator.rate_limiter = AlwaysSpent()
    account.world.create(600)
    began = account.clock()
    assert await account.poll() > 3
    assert account.clock() - began < PollBudget(60.0, 86_400.0).deadline_with(None)
    assert account.differences() == {"created": (0, 600)}
    account.world.create(1)
    await account.poll()
    assert sum(account.snapshot.created.values()) == 1


async def test_what_was_in_progress_at_the_first_poll_counts_when_it_ends(
    open_account: OpenAccount,
) -> None:
    """It was created before anyone looked, but it ends before our eyes."""
    account = open_account(replace(QUIET, history=5_000))
    (action_id,) = account.world.create(created_at=account.clock() - 86_400)
    await account.poll()
    account.world.finish(action_id, Status.FAILED, "No public IP is available.")
    await account.poll()
    assert ended(account.snapshot) == (0, 1, 0)
    assert sum(account.snapshot.created.values()) == 0


@pytest.mark.parametrize("order", ORDERS)
async def test_created_and_ended_between_two_polls_counts_as_both(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """An action that nobody saw in progress is counted all the same."""
    account = open_account(replace(QUIET, history=1_000, order=order))
    await account.poll()
    account.clock.advance(30)
    account.simulator.tick()
    (action_id,) = account.world.create(action_type="enable")
    account.world.finish(action_id, Status.INTERRUPTED, "Superseded by a newer action.")
    await account.poll()
    assert account.snapshot.created["enable"] == 1
    assert ended(account.snapshot) == (0, 0, 1)


async def test_each_entry_into_interrupted_counts(open_account: OpenAccount) -> None:
    """An interrupted action that goes on and is interrupted again was interrupted twice."""
    account = open_account()
    await account.poll()
    (action_id,) = account.world.create()
    for status in (Status.INTERRUPTED, Status.IN_PROGRESS, Status.INTERRUPTED, Status.COMPLETED):
        await account.poll()
        account.clock.advance(1)
        account.simulator.tick()
        account.world.finish(action_id, status)
    await account.poll()
    assert ended(account.snapshot) == (1, 0, 2)
    assert not account.differences()


async def test_a_restart_goes_on_counting_where_it_was(open_account: OpenAccount) -> None:
    """Counters go on, and what happened meanwhile is caught up with."""
    account = open_account(replace(QUIET, history=2_000))
    await account.poll()
    ids = account.world.create(600)
    await account.poll()
    before = account.snapshot
    for action_id in ids[:500]:
        account.world.finish(action_id, Status.COMPLETED)
    account.world.create(700)
    account.restart()
    await account.poll(after=7200)
    assert sum(before.created.values()) == 600
    assert sum(account.snapshot.created.values()) == 1300
    assert ended(account.snapshot) == (500, 0, 0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault.SERVER_ERROR, UnavailableError, id="5xx"),
        pytest.param(Fault.RESET, UnavailableError, id="reset"),
        pytest.param(Fault.SILENCE, UnavailableError, id="silence"),
        pytest.param(Fault.TRUNCATED, InvalidResponseError, id="truncated"),
        pytest.param(Fault.HTML, UnavailableError, id="html"),
        pytest.param(Fault.BLOCKED, UnavailableError, id="block page"),
        pytest.param(Fault.UNAUTHORIZED, AuthError, id="401"),
        pytest.param(Fault.FORBIDDEN, AuthError, id="403"),
        pytest.param(Fault.THROTTLED, RateLimitedError, id="429"),
    ],
)
async def test_a_poll_that_fails_changes_nothing_that_is_shown(
    open_account: OpenAccount, fault: Fault, error: type[PollError]
) -> None:
    """The last view stays, and the next good poll finds what was missed."""
    account = open_account(replace(QUIET, history=1_000))
    await account.poll()
    before = account.snapshot
    for action_id in account.world.create(300):
        account.world.finish(action_id, Status.FAILED)
    account.simulator.faults = FaultInjector(FaultSettings().changed(**{fault.value: 1.0}), seed=1)
    with pytest.raises(error):
        await account.poll()
    assert account.snapshot is before
    account.simulator.faults = FaultInjector(FaultSettings(), seed=1)
    await account.poll()
    assert ended(account.snapshot) == (0, 300, 0)


@combined(broken=range(8), order=ORDERS)
async def test_a_poll_that_breaks_in_the_middle_loses_nothing(
    open_account: OpenAccount, order: ListOrder, broken: int
) -> None:
    """Whatever request of a poll is the one that fails."""
    account = open_account(replace(QUIET, history=300, order=order), page_size=50, concurrency=2)
    await account.poll()
    ids = account.world.create(120)
    await account.poll()
    account.clock.advance(1)
    account.simulator.tick()
    for action_id in ids[::2]:
        account.world.finish(action_id, Status.COMPLETED)
    for action_id in account.world.create(230):
        account.world.finish(action_id, Status.FAILED)
    account.simulator.faults.script(*[None] * broken, *[Fault.HTML] * 40)
    try:
        await account.poll()
    except UnavailableError:
        account.simulator.faults = FaultInjector(FaultSettings(), seed=1)
        await account.poll()
    assert ended(account.snapshot) == (60, 230, 0)
    assert not account.differences()


async def test_a_long_catch_up_that_breaks_goes_on_where_it_was(open_account: OpenAccount) -> None:
    """What was committed of it is not asked for again."""
    account = open_account(replace(QUIET, history=1_000), page_size=10, concurrency=1)
    await account.poll()
    for action_id in account.world.create(2_000):
        account.world.finish(action_id, Status.COMPLETED)
    account.simulator.faults.script(*[None] * 130, *[Fault.HTML] * 10)
    with pytest.raises(UnavailableError):
        await account.poll()
    account.simulator.faults = FaultInjector(FaultSettings(), seed=1)
    account.restart()
    assert await account.poll() <= 202 - 120 + 2
    assert ended(account.snapshot) == (2_000, 0, 0)


async def test_action_types_become_filters(open_account: OpenAccount) -> None:
    """Of the types that are not asked for nothing is requested, counted or shown."""
    account = open_account(
        replace(QUIET, history=1_000), filters=AccountFilters(("enable", "disable"), ())
    )
    await account.poll()
    for action_type in ("enable", "disable", "set_standby"):
        first, *_ = account.world.create(3, action_type=action_type)
        account.world.finish(first, Status.FAILED)
    await account.poll()
    asked = {dict(each.query).get("filter[action_type]") for each in account.simulator.requests}
    assert asked == {"enable", "disable"}
    assert account.snapshot.created == {"enable": 3, "disable": 3}
    assert {action_type for action_type, _ in account.snapshot.actions} == {"enable", "disable"}
    assert ended(account.snapshot) == (0, 2, 0)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        pytest.param((Status.FAILED,), (0, 5, 0), id="failed"),
        pytest.param((Status.COMPLETED, Status.FAILED), (4, 5, 0), id="completed and failed"),
        pytest.param((Status.IN_PROGRESS,), (0, 0, 0), id="in progress"),
        pytest.param((Status.INTERRUPTED,), (0, 0, 6), id="interrupted"),
        pytest.param((Status.IN_PROGRESS, Status.FAILED), (0, 5, 0), id="two"),
    ],
)
async def test_statuses_become_filters_where_the_api_has_them(
    open_account: OpenAccount, statuses: tuple[Status, ...], expected: tuple[int, int, int]
) -> None:
    """Only interrupted has no filter, and needs the whole listing."""
    account = open_account(replace(QUIET, history=1_000), filters=AccountFilters((), statuses))
    before = account.world.create(6)
    await account.poll()
    since = account.world.create(12)
    await account.poll()
    outcomes = [Status.COMPLETED] * 4 + [Status.FAILED] * 5 + [Status.INTERRUPTED] * 6
    for action_id, status in zip([*before, *since], outcomes, strict=False):
        account.world.finish(action_id, status)
    await account.poll()
    asked = {dict(each.query).get("filter[status]") for each in account.simulator.requests}
    assert ended(account.snapshot) == expected
    assert {status for _, status in account.snapshot.actions} == {str(each) for each in statuses}
    if Status.INTERRUPTED not in statuses:
        assert asked == {"in-progress", *map(str, statuses)}
    if Status.IN_PROGRESS in statuses:
        running = sum(n for (_, s), n in account.snapshot.actions.items() if s == "in-progress")
        assert running == 3


async def test_the_oldest_and_the_stuck_are_told(open_account: OpenAccount) -> None:
    """In progress for longer than the limit is stuck, and the oldest tells since when."""
    account = open_account(stuck_after=900.0)
    await account.poll()
    since = account.clock() + 60
    account.clock.advance(60)
    account.simulator.tick()
    account.world.create(2, action_type="enable")
    await account.poll()
    assert account.snapshot.stuck["enable"] == 0
    assert account.snapshot.oldest_in_progress == {"enable": pytest.approx(since, abs=0.01)}
    await account.poll(after=900)
    assert account.snapshot.stuck["enable"] == 2
    assert len(await account.ledger.undelivered("log")) == 2
    await account.poll(after=900)
    assert len(await account.ledger.undelivered("log")) == 2


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED])
async def test_a_listing_that_shrinks_takes_no_event_with_it(
    open_account: OpenAccount, order: ListOrder
) -> None:
    """Telnyx may forget old actions: the gauges follow at the audit, the counters never."""
    account = open_account(replace(QUIET, history=1_000, order=order), audit_interval=300.0)
    await account.poll()
    for action_id in account.world.create(300, action_type="enable"):
        account.world.finish(action_id, Status.COMPLETED)
    await account.poll()
    account.world.prune(700)
    account.clock.advance(1)
    account.simulator.tick()
    for action_id in account.world.create(20, action_type="enable"):
        account.world.finish(action_id, Status.FAILED)
    await account.poll()
    await account.poll(after=400)
    assert account.snapshot.created["enable"] == 320
    assert ended(account.snapshot) == (300, 20, 0)
    current = account.world.record().current
    assert account.snapshot.actions["enable", "completed"] == current["enable", Status.COMPLETED]


async def test_the_order_may_change_and_is_learnt_anew(open_account: OpenAccount) -> None:
    """A listing that is turned round is read from its other end from then on."""
    account = open_account(replace(QUIET, history=1_000))
    await account.poll()
    for order in (
        ListOrder.OLDEST,
        ListOrder.NEWEST,
        ListOrder.UPDATED,
        ListOrder.NONE,
        ListOrder.OLDEST,
    ):
        account.world.sort_order = order
        account.clock.advance(5)
        account.simulator.tick()
        for action_id in account.world.create(30):
            account.world.finish(action_id, Status.COMPLETED)
        await account.poll()
    assert ended(account.snapshot) == (150, 0, 0)


async def test_what_is_listed_by_change_is_learnt_though_nothing_shows_it(
    open_account: OpenAccount,
) -> None:
    """All of a bulk was created at once: that its actions move when they end tells the order."""
    account = open_account(replace(QUIET, history=10_000, order=ListOrder.UPDATED), page_size=50)
    await account.poll()
    ids = account.world.create(2_000, bulk=True)
    await account.poll()
    for action_id in ids[:200]:
        account.world.finish(action_id, Status.FAILED)
    await account.poll()
    assert account.snapshot.lists["updated"] == 1
    assert ended(account.snapshot) == (0, 200, 0)


async def test_a_type_that_nobody_knew_shows_as_it_is(open_account: OpenAccount) -> None:
    """The set of action types is open."""
    account = open_account(replace(QUIET, mix="enable=1,teleport=1", history=100))
    await account.poll()
    account.world.create(3, action_type="teleport")
    await account.poll()
    assert account.snapshot.actions["teleport", "in-progress"] == 3
    assert account.snapshot.created["teleport"] == 0, "Prometheus has to scrape that first"
    await account.poll(after=90)
    assert account.snapshot.created["teleport"] == 3


async def resumed_far_back(account: Any) -> str:
    """Let an action that was seen interrupted go on, where no poll looks; returns its id."""
    await account.poll()
    (action_id,) = account.world.create(action_type="enable")
    account.world.finish(action_id, Status.INTERRUPTED, "Superseded.")
    for later in account.world.create(200, action_type="enable"):
        account.world.finish(later, Status.COMPLETED)
    await account.poll()
    account.clock.advance(1)
    account.simulator.tick()
    account.world.finish(action_id, Status.IN_PROGRESS)
    return str(action_id)


async def test_an_interrupted_action_that_goes_on_unseen_is_found_by_the_audit(
    open_account: OpenAccount,
) -> None:
    """It has left the end of the listing long ago, and ends between two polls."""
    account = open_account(replace(QUIET, history=1_000), audit_interval=300.0, page_size=50)
    action_id = await resumed_far_back(account)
    account.world.finish(action_id, Status.COMPLETED)
    await account.poll(after=400)
    assert ended(account.snapshot) == (201, 0, 1)
    assert not account.differences()
    assert set(account.snapshot.drift.values()) == {0}


async def test_an_action_that_goes_on_unseen_is_followed_after_the_audit(
    open_account: OpenAccount,
) -> None:
    """The totals tell that more is in progress than is known."""
    account = open_account(replace(QUIET, history=1_000), audit_interval=300.0, page_size=50)
    action_id = await resumed_far_back(account)
    await account.poll(after=400)
    assert account.snapshot.actions["enable", "in-progress"] == 1
    account.world.finish(action_id, Status.FAILED)
    await account.poll()
    assert ended(account.snapshot) == (200, 1, 1)


async def test_an_audit_of_a_busy_account_finds_no_drift(open_account: OpenAccount) -> None:
    """What comes and ends while the totals are asked for is not taken for a difference."""
    account = open_account(
        replace(QUIET, history=10_000, rate=5.0, duration=20.0, bulk_every=60.0),
        audit_interval=60.0,
    )
    await account.poll(after=0)
    for _ in range(10):
        await account.poll(after=30)
        assert set(account.snapshot.drift.values()) == {0}
    assert account.snapshot.last_audit > account.clock() - 120
