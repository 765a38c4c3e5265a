import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exporter.scheduling.scheduler import LATE, SLACK, Scheduler

OFTEN = 0.002
"""Seconds between the polls of an account that serves as a pacer."""

LONG = 3600.0
DEADLINE = 10.0

NewPolls = Callable[..., Any]
Pace = Callable[[int], Awaitable[None]]
SOON = LATE * 0.9
"""Seconds in which a poll begins that the scheduler itself starts."""


async def test_polls_begin_at_once_and_go_on(schedule: Scheduler, new_polls: NewPolls) -> None:
    """The first poll does not wait for the interval, and each next one comes an interval later."""
    polls = new_polls()
    added = asyncio.get_running_loop().time()
    schedule.add("a", polls, interval=0.02, deadline=lambda: LONG)
    await polls.reach(5)
    assert polls.starts[0] - added < SOON
    assert polls.starts[4] - polls.starts[0] >= 4 * 0.02 - 0.01


async def test_a_long_interval_is_waited_for(
    schedule: Scheduler, budget: Pace, new_polls: NewPolls
) -> None:
    """Until the interval is over there is no second poll."""
    polls = new_polls()
    schedule.add("a", polls, interval=LONG, deadline=lambda: LONG)
    await budget(20)
    assert len(polls.starts) == 1


async def test_a_long_poll_delays_the_next(
    schedule: Scheduler, budget: Pace, caplog: pytest.LogCaptureFixture, new_polls: NewPolls
) -> None:
    """Polls of one account never overlap; the next begins as soon as the long one has ended."""
    polls = new_polls(open_=False)
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: LONG)
    await polls.reach(1)
    await budget(20)
    assert len(polls.starts) == 1
    ended = asyncio.get_running_loop().time()
    polls.gate.set()
    await polls.reach(10)
    assert polls.starts[1] - ended < SOON
    assert polls.most == 1
    assert not caplog.records


async def test_a_poll_that_always_takes_longer_than_the_interval_runs_on(
    schedule: Scheduler, caplog: pytest.LogCaptureFixture, new_polls: NewPolls
) -> None:
    """With no time between two polls none is lost, and nothing is said."""
    polls = new_polls()
    schedule.add("a", polls, interval=1e-9, deadline=lambda: LONG)
    began = asyncio.get_running_loop().time()
    await polls.reach(30)
    assert polls.starts[-1] - began < 30 * SOON / 5
    assert polls.most == 1
    assert not caplog.records


async def test_a_poll_that_raises_is_told_and_goes_on(
    schedule: Scheduler, budget: Pace, caplog: pytest.LogCaptureFixture, new_polls: NewPolls
) -> None:
    """An error ends neither the account's own polls nor another's, and is logged with its trace."""
    broken = new_polls(fails=True)
    schedule.add("broken", broken, interval=OFTEN, deadline=lambda: LONG)
    await budget(10)
    await broken.reach(3)
    assert schedule.alive()
    traces = [str(each.exc_info[1]) for each in caplog.records if each.exc_info]
    assert traces[:2] == ["poll broken", "poll broken"]


async def test_a_hung_poll_does_not_hold_up_others(
    schedule: Scheduler, budget: Pace, new_polls: NewPolls
) -> None:
    """While one account's poll hangs, another is polled on time."""
    hung = new_polls(open_=False)
    schedule.add("hung", hung, interval=OFTEN, deadline=lambda: LONG)
    await hung.reach(1)
    await budget(10)
    assert hung.running == 1


async def test_a_pause_is_obeyed(
    schedule: Scheduler, clock: Any, budget: Pace, new_polls: NewPolls
) -> None:
    """A poll that asks for a pause longer than the interval gets it, and that is no sickness."""
    polls = new_polls(pauses=LONG)
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: LONG)
    await polls.reach(1)
    await budget(20)
    assert len(polls.starts) == 1
    clock.ahead = LONG
    assert schedule.alive()
    clock.ahead = LONG + SLACK + 1
    assert not schedule.alive()


async def test_a_pause_shorter_than_the_interval_adds_nothing(
    schedule: Scheduler, new_polls: NewPolls
) -> None:
    """Interval and pause run at the same time: the longer one counts."""
    polls = new_polls(pauses=0.9)
    schedule.add("a", polls, interval=1.0, deadline=lambda: LONG)
    await polls.reach(2)
    assert 0.99 <= polls.starts[1] - polls.starts[0] < 1.85


async def test_removing_ends_a_poll_that_runs(
    schedule: Scheduler, budget: Pace, new_polls: NewPolls
) -> None:
    """On return the poll has ended, and there is none any more."""
    polls = new_polls(open_=False)
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: LONG)
    await polls.reach(1)
    await schedule.remove("a")
    assert (polls.running, polls.cancelled) == (0, 1)
    await budget(10)
    assert len(polls.starts) == 1
    assert schedule.alive()


async def test_removing_ends_a_poll_to_come(
    schedule: Scheduler, budget: Pace, new_polls: NewPolls
) -> None:
    """A poll that was only due does not begin any more."""
    polls = new_polls()
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: LONG)
    await schedule.remove("a")
    await budget(10)
    assert not polls.starts


async def test_a_name_can_be_used_again_at_once(
    schedule: Scheduler, caplog: pytest.LogCaptureFixture, new_polls: NewPolls
) -> None:
    """Removed in the middle of a poll and added anew, an account is polled without delay."""
    old, new = new_polls(open_=False), new_polls()
    schedule.add("a", old, interval=LONG, deadline=lambda: LONG)
    await old.reach(1)
    await schedule.remove("a")
    added = asyncio.get_running_loop().time()
    schedule.add("a", new, interval=LONG, deadline=lambda: LONG)
    await new.reach(1)
    assert new.starts[0] - added < SOON
    assert old.cancelled == 1
    assert not caplog.records


async def test_stopping_ends_all(clock: Any, new_polls: NewPolls) -> None:
    """On return no poll runs, of any account."""
    schedule = Scheduler(clock)
    schedule.start()
    running = [new_polls(open_=False), new_polls(open_=False)]
    for number, polls in enumerate(running):
        schedule.add(str(number), polls, interval=OFTEN, deadline=lambda: LONG)
        await polls.reach(1)
    await schedule.stop()
    assert [each.cancelled for each in running] == [1, 1]


async def test_an_account_rests_once_if_it_is_told_to(
    schedule: Scheduler, new_polls: NewPolls
) -> None:
    """Polls that take longer than the interval would else follow one another without a gap."""
    polls = new_polls(open_=False)
    schedule.add("a", polls, interval=OFTEN, deadline=lambda: LONG)
    await polls.reach(1)
    schedule.rest("a", SOON)
    polls.gate.set()
    await polls.reach(3)
    first, second, third = polls.starts[:3]
    assert second - first >= SOON
    assert third - second < SOON
