import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from exporter.scheduling.scheduler import LATE, SLACK, Scheduler

LONG = 3600.0
SOON = LATE * 0.9
"""Seconds in which a poll begins that the scheduler itself starts."""

NewPolls = Callable[..., Any]
Pace = Callable[[int], Awaitable[None]]


async def test_a_poll_that_is_hastened_does_not_wait_for_the_interval(
    schedule: Scheduler, clock: Any, budget: Pace, new_polls: NewPolls
) -> None:
    """It begins at once, once, and the next one is due an interval later."""
    polls = new_polls()
    schedule.add("a", polls, interval=LONG, deadline=lambda: LONG)
    await polls.reach(1)
    await budget(5)
    poll_again = asyncio.get_running_loop().time()
    schedule.poll_now("a")
    await polls.reach(2)
    assert polls.starts[1] - poll_again < SOON
    await budget(20)
    assert len(polls.starts) == 2
    clock.ahead = LONG
    assert schedule.alive()
    clock.ahead = LONG + SLACK + 1
    assert not schedule.alive()


async def test_a_poll_that_runs_is_followed_by_one_more_when_it_is_hastened(
    schedule: Scheduler, budget: Pace, new_polls: NewPolls
) -> None:
    """It is neither ended nor overlapped: it may have begun before what it is to see."""
    polls = new_polls(open_=False)
    schedule.add("a", polls, interval=LONG, deadline=lambda: LONG)
    await polls.reach(1)
    schedule.poll_now("a")
    await budget(10)
    polls.gate.set()
    await budget(20)
    assert (len(polls.starts), polls.most, polls.cancelled) == (2, 1, 0)
