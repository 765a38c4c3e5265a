"""Wall clocks that jump between two polls: ours, Telnyx', and both directions of each."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.domain import Status
from exporter.ledger.snapshot import AccountSnapshot
from exporter.simulator.settings import ListOrder
from exporter.sync.filters import AccountFilters
from tests.support.combinations import combined
from tests.sync.odd_server.conftest import as_ever

OpenOdd = Callable[..., Any]
Params = dict[str, str]

HOUR = 3600.0
DAY = 86_400.0
JUMPS = [HOUR, -HOUR, 20 * DAY, -20 * DAY]
WRONG_FROM_THE_START = [
    pytest.param(-HOUR, True, id="behind, dated"),
    pytest.param(0.0, True, id="right, dated"),
    pytest.param(HOUR, True, id="ahead, dated"),
    pytest.param(0.0, False, id="right, undated"),
    pytest.param(HOUR, False, id="ahead, undated"),
]
"""By how much our clock is ahead, and whether answers are dated."""


def measured(snapshot: AccountSnapshot) -> list[float]:
    """Return the sums of all histograms, none of which may fall."""
    return [*(each.sum for each in snapshot.durations.values()), snapshot.detection_delay.sum]


@combined(order=[ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.NONE], jump=JUMPS)
async def test_our_clock_may_jump(open_odd: OpenOdd, order: ListOrder, jump: float) -> None:
    """Whatever our clock says, each action counts once, and no time that is measured is negative.

    An order has to tell old from new: without one, only Telnyx' own times are compared.
    """
    account = open_odd(audit_interval=600.0)
    account.server.order = order
    account.server.history(300)
    account.clock.advance(100)
    running = account.server.follow_on(30, "in-progress")
    await account.poll()
    created = ended = 0
    for ahead in (jump, 0.0, jump):
        account.time.ahead = ahead
        before = measured(account.ledger.snapshot)
        account.server.follow_on(20, "failed")
        account.server.end(running[ended : ended + 10])
        created, ended = created + 20, ended + 10
        for _ in range(3):
            await account.poll()
        after = measured(account.ledger.snapshot)
        assert all(new >= old for old, new in zip(before, after, strict=True))
        left = {"running": 30 - ended} if ended < 30 else {}
        assert account.counts == {
            "created": created, "failed": created, "completed": ended, **left
        }  # fmt: skip
    assert set(account.ledger.snapshot.drift.values()) == {0}


@combined(listed=["as created", "by time"], order=[ListOrder.NEWEST, ListOrder.OLDEST], jump=JUMPS)
async def test_the_clock_of_telnyx_may_jump(
    open_odd: OpenOdd, order: ListOrder, jump: float, listed: str
) -> None:
    """Actions dated an hour or weeks off count once, wherever in the list that puts them.

    What has ended and is dated before the first poll would be history: that was long ago.
    """
    account = open_odd(audit_interval=600.0)
    account.server.order = order
    account.server.history(300)
    await account.poll()
    account.clock.advance(30 * DAY)
    running = account.server.follow_on(30, "in-progress")
    await account.poll()
    created = 30
    for ahead in (jump, 0.0):
        account.server.create(20, "failed", at=account.clock() + ahead, apart=0.5)
        created += 20
        if listed == "by time":
            account.server.items.sort(key=lambda item: item["created_at"])
        for _ in range(4):
            await account.poll(after=400)
        assert account.counts == {"created": created, "failed": created - 30, "running": 30}
    account.server.end(running)
    for item in running[:10]:
        item["updated_at"] = "2001-01-01T00:00:00Z"
    await account.poll()
    assert account.counts == {"created": created, "failed": created - 30, "completed": 30}
    assert min(measured(account.ledger.snapshot)) >= 0
    assert account.ledger.snapshot.durations


@pytest.mark.parametrize("jump", JUMPS)
async def test_audits_go_on_after_our_clock_has_jumped(open_odd: OpenOdd, jump: float) -> None:
    """The last audit may lie in the future by our clock: the next one still comes in time."""
    account = open_odd(audit_interval=600.0)
    account.server.history(300)
    account.time.ahead = jump
    await account.poll()
    account.time.ahead = 0.0
    for _ in range(3):
        await account.poll(after=601)
    assert account.ledger.snapshot.last_audit == pytest.approx(account.clock(), abs=601)


async def test_what_is_forgotten_by_a_clock_that_is_ahead_counts_no_second_time(
    open_odd: OpenOdd,
) -> None:
    """Our clock a year ahead, everything that ended is old; put right, the next ones count."""
    account = open_odd(audit_interval=600.0)
    account.server.history(300)
    await account.poll()
    account.server.follow_on(40, "failed")
    await account.poll()
    account.time.ahead = 365 * DAY
    await account.poll()
    assert await account.ledger.forget(account.time.now() - 30 * DAY) > 0
    account.time.ahead = 0.0
    account.server.follow_on(20, "failed")
    for _ in range(4):
        await account.poll(after=400)
    assert account.counts == {"created": 60, "failed": 60}
    assert account.shortfall == 0


@pytest.mark.parametrize(("ahead", "dated"), WRONG_FROM_THE_START)
@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_what_was_in_progress_at_the_first_poll_is_not_created(
    open_odd: OpenOdd, order: ListOrder, ahead: float, *, dated: bool
) -> None:
    """600 have come one after the other until now: they are followed, and none is news."""
    account = open_odd()
    account.time.ahead, account.server.dated, account.server.order = ahead, dated, order
    account.server.follow_on(600, "in-progress", apart=3.0)
    await account.poll()
    assert account.counts == {"running": 600}


@pytest.mark.parametrize(("ahead", "dated"), WRONG_FROM_THE_START)
async def test_a_sweep_counts_no_history(open_odd: OpenOdd, ahead: float, *, dated: bool) -> None:
    """The first audit is told that there is nothing, so all of the history is swept later."""
    account = open_odd(AccountFilters((), (Status.FAILED, Status.COMPLETED)), audit_interval=120.0)
    account.time.ahead, account.server.dated = ahead, dated
    account.server.history(1_500, "failed", apart=2.0)
    nothing = {"data": [], "meta": {"total_results": 0}}
    account.server.answer = lambda _path, params: (
        httpx.Response(200, json=nothing) if params.get("page[size]") == "1" else None
    )
    await account.poll()
    account.server.answer = as_ever
    for _ in range(10):
        await account.poll()
    assert account.counts == {}


@pytest.mark.parametrize("ahead", [0.0, 30.0, 600.0])
async def test_a_gateway_whose_clock_is_ahead_hides_nothing(
    open_odd: OpenOdd, ahead: float
) -> None:
    """Answers are dated by another clock than the one that actions are stamped by."""
    account = open_odd(audit_interval=300.0)
    server = account.server
    server.history(1_000)

    def dated(path: str, params: Params) -> httpx.Response:
        response: httpx.Response = server.well(path, params)
        response.headers["date"] = formatdate(account.clock() + ahead, usegmt=True)
        return response

    server.answer = dated
    await account.poll()
    for _ in range(15):
        server.follow_on(2, "failed", apart=5.0)
        await account.poll(after=20.0)
    assert account.counts == {"created": 30, "failed": 30}
