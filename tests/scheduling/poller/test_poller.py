import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import (
    AccountError,
    AuthError,
    Cause,
    InvalidResponseError,
    LeaseLostError,
    NotFoundError,
    RateLimitedError,
    StateError,
    UnavailableError,
)
from exporter.scheduling.budget import PollBudget
from exporter.simulator.settings import ListOrder

OpenAccount = Callable[..., Any]
SECRET = "KEY-of-the-test"


class Impatient(PollBudget):
    """A pace whose deadline is over at once."""

    @property
    def deadline(self) -> float:
        """Return next to nothing."""
        return 0.01

    def deadline_with(self, running: int | None) -> float:
        """Return next to nothing, whatever there is to list."""
        return self.deadline * (running is None or running >= 0)


async def test_a_good_poll_is_counted(rig: Any) -> None:
    """A poll that ends well leaves the account up, and asks for no pause."""
    assert await rig.poller().poll() == 0.0
    health = rig.telemetry.health()
    assert (health.up, health.polls, health.last_error) == (True, 1, None)
    assert health.last_success == rig.account.clock()
    assert rig.account.snapshot.baselined


@pytest.mark.parametrize(
    ("error", "cause", "pause"),
    [
        pytest.param(AuthError("HTTP 401"), Cause.AUTH, 0.0, id="auth"),
        pytest.param(AccountError("HTTP 402"), Cause.ACCOUNT, 0.0, id="account"),
        pytest.param(
            RateLimitedError("told to wait", retry_after=1234.5),
            Cause.RATE_LIMITED,
            1234.5,
            id="rate limited",
        ),
        pytest.param(UnavailableError("HTTP 503"), Cause.UNAVAILABLE, 0.0, id="unavailable"),
        pytest.param(
            InvalidResponseError("not JSON"), Cause.INVALID_RESPONSE, 0.0, id="invalid response"
        ),
        pytest.param(NotFoundError("HTTP 404"), Cause.INVALID_RESPONSE, 0.0, id="not found"),
        pytest.param(StateError("disk full"), Cause.STATE, 0.0, id="state"),
    ],
)
async def test_an_error_becomes_its_cause(
    rig: Any, error: Exception, cause: Cause, pause: float
) -> None:
    """A failed poll is counted and told by its cause, keeps the view and sets the pause."""
    poller = rig.poller()
    await poller.poll()
    before = rig.account.snapshot
    rig.cycle.errors = [error]
    assert await poller.poll() == pause
    health = rig.telemetry.health()
    assert (health.up, health.last_cause, health.last_error) == (False, cause, str(error))
    assert {name: count for name, count in health.poll_failures.items() if count} == {cause: 1}
    assert health.polls == 2
    assert rig.account.snapshot is before
    (event,) = rig.reported("poll_failed")
    assert (event["cause"], event["error"]) == (cause.value, str(error))


async def test_a_rate_limit_without_a_time_asks_for_no_pause(rig: Any) -> None:
    """Where the API does not say for how long, the interval is pause enough."""
    faults = rig.account.simulator.faults
    await rig.poller().poll()
    faults.settings = faults.settings.changed(throttled=1.0)
    assert await rig.poller().poll() == 0.0
    assert rig.telemetry.health().last_cause is Cause.RATE_LIMITED


async def test_a_cause_is_told_once_until_it_changes(rig: Any) -> None:
    """The log has a line for each change of the cause, and one for the recovery."""
    poller = rig.poller()
    down, refused = UnavailableError("HTTP 503"), AuthError("HTTP 401")
    rig.cycle.errors = [down, down, refused, refused, down, None, None, down, None]
    for _ in range(9):
        await poller.poll()
        poller.try_again()
    reported = [
        event.get("cause", event["event"])
        for event in rig.reported("poll_failed", "poll_recovered")
    ]
    assert reported == [
        "unavailable",
        "auth",
        "unavailable",
        "poll_recovered",
        "unavailable",
        "poll_recovered",
    ]
    assert rig.telemetry.health().poll_failures[Cause.UNAVAILABLE] == 4


async def test_a_poll_past_its_deadline_is_ended(rig: Any) -> None:
    """A poll that hangs is broken off, with cause deadline, and the next one goes on."""
    poller = rig.poller()
    await poller.poll()
    rig.budget = Impatient(60.0, 86_400.0)
    rig.cycle.hangs = True
    async with asyncio.timeout(10):
        assert await rig.poller().poll() == 0.0
    assert rig.telemetry.health().last_cause is Cause.DEADLINE
    assert rig.reported("poll_failed")[0]["error"] == "the poll exceeded its deadline of 0.01 s"
    rig.cycle.hangs = False
    await poller.poll()
    assert rig.telemetry.health().up


async def test_the_deadline_is_no_shorter_than_the_interval() -> None:
    """A poll has five minutes, or its interval if that is longer."""
    assert [PollBudget(each, 1.0).deadline for each in (60.0, 300.0, 900.0)] == [
        300.0,
        300.0,
        900.0,
    ]


async def test_the_deadline_leaves_time_for_what_a_slow_catch_up_commits_at_once() -> None:
    """Else a catch-up from an API that is slow would be broken off at the same place for ever."""
    assert PollBudget(60.0, 1.0, chunk_time=800.0).deadline == 800.0


async def test_the_order_of_the_list_is_told_once_until_it_changes(rig: Any) -> None:
    """A list without order is a warning, as it costs requests."""
    poller = rig.poller()
    for order in (
        ListOrder.NEWEST,
        ListOrder.NEWEST,
        ListOrder.NONE,
        ListOrder.NONE,
        ListOrder.OLDEST,
    ):
        rig.account.world.sort_order = order
        for action_id in rig.account.world.create(20):
            rig.account.clock.advance(5)
            rig.account.simulator.tick()
            rig.account.world.finish(action_id, Status.COMPLETED)
        await poller.poll()
    reported = [(event["order"], event["level"]) for event in rig.reported("list_order_found")]
    assert reported == [("newest", "info"), ("none", "warning"), ("oldest", "info")]


async def test_the_deadline_grows_with_what_there_is_to_list() -> None:
    """A million actions in progress take 4,000 pages, however fast the API may be asked."""
    budget = PollBudget(60.0, 1.0, page_time=0.5, page_size=250)
    assert budget.deadline_with(1_000_000) == 300.0 + 2_000.0
    assert budget.deadline_with(None) == 300.0 + 3_600.0


async def test_a_defect_is_told_with_its_trace_and_goes_on(rig: Any) -> None:
    """An unforeseen error becomes cause internal; log, page and metrics show no secret of it."""
    poller = rig.poller()
    rig.cycle.errors = [LookupError(f"illegal value 'Bearer {SECRET}'")]
    assert await poller.poll() == 0.0
    health = rig.telemetry.health()
    assert health.last_cause is Cause.INTERNAL
    assert health.last_error == "internal error: LookupError; see the traceback in the log"
    (event,) = rig.reported("internal_error")
    assert "in _attempt" in event["exception"]
    assert "LookupError: illegal value 'Bearer [secret]'" in event["exception"]
    assert SECRET not in rig.stream.getvalue()
    await poller.poll()
    assert rig.telemetry.health().up


async def test_an_error_that_quotes_the_key_is_shown_without_it(rig: Any) -> None:
    """Some servers repeat what they were sent: what is shown of it goes without the key."""
    rig.cycle.errors = [UnavailableError(f"illegal status line: Bearer {SECRET}")]
    await rig.poller().poll()
    assert rig.telemetry.health().last_error == "illegal status line: Bearer [secret]"
    assert rig.reported("poll_failed")[0]["error"] == "illegal status line: Bearer [secret]"


async def test_a_poll_that_is_cancelled_ends(rig: Any) -> None:
    """Cancelling is the one thing that leaves a poll, and it counts as no failure."""
    rig.cycle.hangs = True
    task = asyncio.create_task(rig.poller().poll())
    await rig.cycle.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.telemetry.health().polls == 0
    assert not rig.reported("poll_failed")


async def test_an_account_that_another_replica_has_now_did_not_fail(rig: Any) -> None:
    """Nothing is counted or told: whoever polls it counts its own polls."""
    rig.cycle.errors = [LeaseLostError("the account is not held")]
    assert await rig.poller().poll() == 0.0
    health = rig.telemetry.health()
    assert (health.polls, health.last_cause) == (0, None)
    assert rig.reported("poll_failed") == []
