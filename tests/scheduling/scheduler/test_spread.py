import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from exporter.scheduling.scheduler import FIRST_POLLS, PATIENCE, SLACK, Scheduler

LONG = 3600.0
INTERVAL = 0.8
ACCOUNTS = 8

NewPolls = Callable[..., Any]


def _add(schedule: Scheduler, all_polls: Sequence[Any], interval: float) -> None:
    for number, polls in enumerate(all_polls):
        schedule.add(f"{number}", polls, interval=interval, deadline=lambda: LONG)


def _spread(all_polls: Sequence[Any], number: int) -> float:
    """Return the seconds between the first and the last of the polls of that number."""
    starts: list[float] = [polls.starts[number] for polls in all_polls]
    return max(starts) - min(starts)


async def test_polls_that_began_together_are_spread_over_the_interval(
    schedule: Scheduler, new_polls: NewPolls
) -> None:
    """Whether they began with the exporter, or at once later: then each is at its moment again."""
    all_polls = [new_polls() for _ in range(ACCOUNTS)]
    _add(schedule, all_polls, INTERVAL)
    for polls in all_polls:
        await polls.reach(1)
    for number in range(ACCOUNTS):
        schedule.poll_now(f"{number}")
    for polls in all_polls:
        await polls.reach(4)
    assert _spread(all_polls, 0) < INTERVAL / 2
    assert _spread(all_polls, 1) < INTERVAL / 2
    assert _spread(all_polls, 2) > INTERVAL / 2
    assert _spread(all_polls, 3) > INTERVAL / 2
    for polls in all_polls:
        first, second, third, fourth = polls.starts[:4]
        # The moment of one poll is met a little late, that of the next perhaps not.
        assert third - second < INTERVAL * 1.5
        assert INTERVAL / 2 < fourth - third < INTERVAL * 1.5
        assert first < second


async def test_few_first_polls_run_at_once(schedule: Scheduler, new_polls: NewPolls) -> None:
    """The next begins when one has ended, and all of them have soon begun."""
    all_polls = [new_polls(open_=False) for _ in range(5 * FIRST_POLLS)]
    most = 0
    _add(schedule, all_polls, LONG)
    began = asyncio.get_running_loop().time()
    for polls in all_polls:
        await polls.reach(1)
        most = max(most, sum(each.running for each in all_polls))
        polls.gate.set()
    assert most <= 2 * FIRST_POLLS  # one more for each PATIENCE that this took
    assert all_polls[-1].starts[0] - began < 4 * FIRST_POLLS * PATIENCE


async def test_accounts_that_hang_do_not_keep_others_from_beginning(
    schedule: Scheduler, clock: Any, new_polls: NewPolls
) -> None:
    """One more begins every now and then, and one that waits is no sign of a dead poll loop."""
    hung = [new_polls(open_=False) for _ in range(FIRST_POLLS)]
    waiting = [new_polls(open_=False), new_polls(open_=False)]
    _add(schedule, [*hung, *waiting], LONG)
    for polls in hung:
        await polls.reach(1)
    clock.ahead = SLACK + 1
    assert schedule.alive()
    for polls in waiting:
        await polls.reach(1)
    starts = [polls.starts[0] for polls in (hung[0], *waiting)]
    assert starts[1] - starts[0] > PATIENCE * 0.8
    assert starts[2] - starts[1] > PATIENCE * 0.8


async def test_a_removed_account_makes_room(schedule: Scheduler, new_polls: NewPolls) -> None:
    """Neither one whose first poll runs nor one that waits for it is in the way of others."""
    hung = [new_polls(open_=False) for _ in range(FIRST_POLLS + 1)]
    last = new_polls()
    _add(schedule, [*hung, last], LONG)
    await hung[FIRST_POLLS - 1].reach(1)
    for number in reversed(range(FIRST_POLLS + 1)):
        await schedule.remove(f"{number}")
    await last.reach(1)
    assert not hung[FIRST_POLLS].starts
