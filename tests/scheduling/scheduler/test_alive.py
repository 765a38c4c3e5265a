import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from exporter.scheduling.scheduler import LATE, SLACK, Scheduler

OFTEN = 0.002
"""Seconds between the polls of an account that serves as a pacer."""

LONG = 3600.0
DEADLINE = 10.0

NewPolls = Callable[..., Any]
Pace = Callable[[int], Awaitable[None]]
SOON = LATE * 0.9
"""Seconds in which a poll begins that the scheduler itself starts."""


async def test_it_is_alive_only_between_start_and_stop(clock: Any) -> None:
    """Before the start and after the stop nothing is alive."""
    schedule = Scheduler(clock)
    assert not schedule.alive()
    schedule.start()
    assert schedule.alive()
    await schedule.stop()
    assert not schedule.alive()


async def test_a_poll_hung_beyond_its_deadline_shows(
    schedule: Scheduler, clock: Any, new_polls: NewPolls
) -> None:
    """A poll may take as long as its deadline, and a little; then the loop counts as dead."""
    polls = new_polls(open_=False)
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: 100.0)
    schedule.add("b", new_polls(), interval=LONG, deadline=lambda: LONG)
    await polls.reach(1)
    clock.ahead = 100.0 + SLACK - 1
    assert schedule.alive()
    clock.ahead = 100.0 + SLACK + 1
    assert not schedule.alive()
    polls.gate.set()
    await polls.reach(2)
    assert schedule.alive()


async def test_a_wall_clock_that_is_put_back_stops_nothing(
    schedule: Scheduler, clock: Any, new_polls: NewPolls
) -> None:
    """A poll whose time the wall clock does not reach any more begins a second late."""
    clock.wall_offsets = [LONG]
    polls = new_polls()
    schedule.add("a", polls, interval=LONG, deadline=lambda: DEADLINE)
    await polls.reach(1)
    assert len(polls.starts) == 1


async def test_a_scheduler_that_starts_nothing_shows(
    schedule: Scheduler, clock: Any, new_polls: NewPolls
) -> None:
    """Where polls are due and none begins, however often it is tried, the loop counts as dead."""
    clock.wall_offsets = [LONG, LONG]
    polls = new_polls()
    schedule.add("a", polls, interval=LONG, deadline=lambda: DEADLINE)
    async with asyncio.timeout(DEADLINE):
        await clock.no_offset_left.wait()  # it was tried once more by then, LATE
    clock.ahead = SLACK - LATE - 0.5
    assert schedule.alive()
    clock.ahead = SLACK - LATE / 2
    assert not schedule.alive()
    assert not polls.starts
