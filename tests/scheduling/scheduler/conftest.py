"""Polls whose beginning and end a test sees and decides, and time that it can put forward."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from exporter.scheduling.scheduler import LATE, Scheduler

OFTEN = 0.002
"""Seconds between the polls of an account that serves as a pacer."""

LONG = 3600.0
DEADLINE = 10.0
SOON = LATE * 0.9
"""Seconds in which a poll begins that the scheduler itself starts."""


class Time:
    """The real time, but for what a test adds to it."""

    def __init__(self) -> None:
        """Begin with nothing added."""
        self.ahead = 0.0
        self.wall_offsets: list[float] = []
        self.no_offset_left = asyncio.Event()

    def now(self) -> float:
        """Return the wall clock's time; each offset that was given holds for one call."""
        offset = self.wall_offsets.pop(0) if self.wall_offsets else 0.0
        if not self.wall_offsets:
            self.no_offset_left.set()
        return time.time() + offset

    def monotonic(self) -> float:
        """Return the loop's time, and what was added."""
        return asyncio.get_running_loop().time() + self.ahead

    async def sleep(self, seconds: float) -> None:
        """Never needed here."""
        raise NotImplementedError(seconds)


class Polls:
    """A poll that notes when it runs, and lasts as long as its gate is shut."""

    def __init__(self, *, open_: bool = True, pauses: float = 0.0, fails: bool = False) -> None:
        """Let `pauses` be what each poll returns; with ``fails`` each raises."""
        self.starts: list[float] = []
        self.running = self.most = self.cancelled = 0
        self.gate = asyncio.Event()
        if open_:
            self.gate.set()
        self._pauses = pauses
        self._fails = fails
        self._grew = asyncio.Condition()

    async def __call__(self) -> float:
        """Poll once."""
        self.starts.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most = max(self.most, self.running)
        async with self._grew:
            self._grew.notify_all()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if self._fails:
            raise RuntimeError("poll broken")
        return self._pauses

    async def reach(self, count: int) -> None:
        """Wait until so many polls have begun."""
        async with asyncio.timeout(DEADLINE), self._grew:
            await self._grew.wait_for(lambda: len(self.starts) >= count)


@pytest.fixture
def clock() -> Time:
    """Give the time."""
    return Time()


@pytest.fixture
async def schedule(clock: Time) -> AsyncIterator[Scheduler]:
    """Give a schedule that runs."""
    running = Scheduler(clock)
    running.start()
    yield running
    await running.stop()


Pace = Callable[[int], Awaitable[None]]


@pytest.fixture
def budget(schedule: Scheduler) -> Pace:
    """Give what waits for a number of polls of another account: time enough for a poll."""

    async def wait(count: int) -> None:
        polls = Polls()
        schedule.add("pacer", polls, interval=OFTEN, deadline=lambda: DEADLINE)
        await polls.reach(count)
        await schedule.remove("pacer")

    return wait


@pytest.fixture
def new_polls() -> type[Polls]:
    """Give a maker of polls."""
    return Polls
