"""A wall clock that jumps while the whole exporter runs: here, and at Telnyx."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Running = Callable[..., Awaitable[Any]]

DAY = 86_400.0
POLLS = "telnyx_exporter_polls_total"
HUNG = 3600.0
"""Seconds after which a poll that has not ended is past any deadline."""


@pytest.mark.parametrize("jump", [DAY, 400 * DAY], ids=["a day", "a year"])
async def test_a_wall_clock_that_jumps_back_and_ahead_stops_and_counts_nothing(
    running: Running, api: Any, jump: float
) -> None:
    """Polls go on, /-/healthy stays 200, and each action counts and is told once."""
    exporter = await running()
    # Read in passing, so that no poll ends between this and the jump.
    polls = sum(health.polls for _, health in exporter.app.snapshot().accounts)
    exporter.time.ahead = jump
    # After one poll the next is due at a time by this clock, which is put right then.
    await exporter.until(lambda seen: seen.total(POLLS) > polls)
    for ahead, created, failed in ((0.0, 5, 3), (-jump, 7, 4), (0.0, 9, 5)):
        exporter.time.ahead = ahead
        assert await exporter.status("/-/healthy") == 200
        api.happen(2, failed=1)
        seen = await exporter.until(lambda seen, n=created: seen.created >= n)
        assert (seen.created, seen.failed) == (created, failed)
        await exporter.until_polled(times=2)
    seen = await exporter.look()
    assert (seen.created, seen.failed, seen.up, seen.causes) == (9, 5, 1, set())
    assert await exporter.status("/-/healthy") == 200
    told = await exporter.failures(5)
    assert len(told) == len(set(told)) == 5


async def test_a_loop_whose_polls_no_longer_end_is_not_healthy(running: Running, api: Any) -> None:
    """Time is up for a poll that hangs although its deadline should have ended it: that shows."""
    exporter = await running(request_timeout=60.0)
    waiting = asyncio.Event()

    async def hang(_writer: object) -> None:
        waiting.set()
        await asyncio.Event().wait()

    api.fault = hang
    await waiting.wait()
    assert await exporter.status("/-/healthy") == 200
    exporter.time.skipped += HUNG
    assert await exporter.status("/-/healthy") == 503
