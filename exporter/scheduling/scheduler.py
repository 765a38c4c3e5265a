"""When each account is polled: immediately, then once every interval, at a moment of its own.

The moments of the accounts are spread over the interval, and stay the same: polls that all start at
once, because the machine was suspended, are apart again at the next one. First polls take long, so
only a few run at once, and of accounts that hang one more begins now and then.
Polls of one account never overlap, and none is skipped: a long one delays the next. A run that
APScheduler misses, for whatever reason, is started a little late. `alive` says whether polls start
and end in time. It must not know what a poll does.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from exporter.clock import Clock

SLACK = 30.0
"""Seconds by which a poll may be late before the poll loop counts as dead."""

LATE = 1.0
"""Seconds after which a poll that APScheduler did not start is started anyway."""


FIRST_POLLS = 8
"""First polls that run at once: those of a thousand take all memory, and starve all else."""

PATIENCE = 1.0
"""Seconds after which one more begins though none of them has ended."""

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""Its multiples, modulo 1, are spread evenly however many there are."""

EARLY = 1.0
"""Seconds by which the interval between two polls may be exceeded to meet an account's moment."""


@dataclass(slots=True)
class _ScheduledAccount:
    """One account; its times are on the monotonic clock.

    It is polled at ``moment`` seconds plus a multiple of the interval, which is ``phase`` behind
    the start of its first poll.
    """

    poll: Callable[[], Awaitable[float]]
    interval: float
    deadline: Callable[[], float]
    phase: float
    due: float = math.inf
    moment: float | None = None
    started: float | None = None
    task: asyncio.Task[None] | None = None
    job: str | None = None
    watch: asyncio.TimerHandle | None = None
    poll_again: bool = False
    rest: float = 0.0

    def next_after(self, started: float) -> float:
        """Return when the poll after one that started then is due: its next moment."""
        if self.moment is None:
            self.moment = started + self.phase
        earliest = started + min(EARLY, self.interval / 10)
        periods = math.ceil((earliest - self.moment) / self.interval)
        return self.moment + periods * self.interval


class Scheduler:
    """Starts the polls; each returns the minimum seconds until the next one."""

    def __init__(self, clock: Clock) -> None:
        """Store the clock; nothing runs before `start`."""
        self._clock = clock
        self._entries: dict[str, _ScheduledAccount] = {}
        self._added = 0
        self._new: deque[tuple[str, _ScheduledAccount]] = deque()
        self._beginning: set[str] = set()
        self._hurry: asyncio.TimerHandle | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Start polling, on the running event loop."""
        self._scheduler.start()

    def add(
        self,
        name: str,
        poll: Callable[[], Awaitable[float]],
        *,
        interval: float,
        deadline: Callable[[], float],
    ) -> None:
        """Poll ``name`` from now on, every ``interval`` seconds; the first interval is shorter.

        A poll that takes longer than ``deadline`` says, in seconds, counts as hung (`alive`).
        """
        phase = interval * (self._added * GOLDEN_RATIO % 1)
        self._added += 1
        entry = self._entries[name] = _ScheduledAccount(poll, interval, deadline, phase)
        self._new.append((name, entry))
        self._begin(FIRST_POLLS - len(self._beginning))

    def poll_now(self, name: str) -> None:
        """Poll ``name`` immediately, or again after a running poll of it."""
        entry = self._entries[name]
        entry.poll_again = entry.started is not None
        if not entry.poll_again:
            self._arm(name, 0.0)

    def busy(self, name: str) -> bool:
        """Tell whether a poll of ``name`` is running."""
        return self._entries[name].started is not None

    def rest(self, name: str, seconds: float) -> None:
        """Let ``seconds`` pass between the running poll of ``name`` and the next one."""
        self._entries[name].rest = seconds

    async def remove(self, name: str) -> None:
        """Stop polling ``name``; a running poll is cancelled and has ended on return."""
        entry = self._entries.pop(name)
        self._disarm(entry)
        self._began(name)
        if entry.task is not None:
            entry.task.cancel()
            await asyncio.wait({entry.task})

    async def stop(self) -> None:
        """Stop all polling; no poll is running on return."""
        self._new.clear()
        await asyncio.gather(*(self.remove(name) for name in list(self._entries)))
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # takes effect in the next iteration of the loop

    def alive(self) -> bool:
        """Tell whether every account's polls start and end when they should."""
        now = self._clock.monotonic()
        return self._scheduler.running and all(
            now
            <= (entry.due if entry.started is None else entry.started + entry.deadline()) + SLACK
            for entry in self._entries.values()
        )

    def _begin(self, count: int) -> None:
        """Begin with ``count`` of the new accounts, and with one more if these take long."""
        while self._new and count > 0:
            name, entry = self._new.popleft()
            if self._entries.get(name) is entry and entry.due == math.inf:
                self._beginning.add(name)
                self._arm(name, 0.0)
                count -= 1
        if self._hurry is not None:
            self._hurry.cancel()
        loop = asyncio.get_running_loop()
        self._hurry = loop.call_later(PATIENCE, self._begin, 1) if self._new else None

    def _began(self, name: str) -> None:
        """Take in that a first poll has ended, or will never be."""
        if name in self._beginning:
            self._beginning.remove(name)
            self._begin(FIRST_POLLS - len(self._beginning))

    def _arm(self, name: str, wait: float) -> None:
        """Schedule the next poll of ``name`` in ``wait`` seconds."""
        entry = self._entries[name]
        entry.due = self._clock.monotonic() + wait
        self._submit(name, entry, wait)

    def _submit(self, name: str, entry: _ScheduledAccount, wait: float) -> None:
        self._disarm(entry)
        # One job per run: a job that is just ending does not allow a second instance.
        entry.job = self._scheduler.add_job(
            self._run,
            "date",
            run_date=datetime.fromtimestamp(self._clock.now(), UTC) + timedelta(seconds=wait),
            args=[name, entry],
            name=f"poll of {name}",
        ).id
        # APScheduler uses the wall clock: if it is set back by an hour, it would wait for an hour.
        loop = asyncio.get_running_loop()
        entry.watch = loop.call_later(wait + LATE, self._start_late, name, entry)

    def _disarm(self, entry: _ScheduledAccount) -> None:
        """Cancel the scheduled run of ``entry``."""
        if entry.watch is not None:
            entry.watch.cancel()
        if entry.job is not None and self._scheduler.get_job(entry.job) is not None:
            self._scheduler.remove_job(entry.job)

    def _start_late(self, name: str, entry: _ScheduledAccount) -> None:
        # `due` is unchanged, so that `alive` shows a scheduler that starts nothing at all.
        if self._entries.get(name) is entry and entry.started is None:
            self._submit(name, entry, 0.0)

    async def _run(self, name: str, entry: _ScheduledAccount) -> None:
        if self._entries.get(name) is not entry or entry.started is not None:
            return
        self._disarm(entry)
        entry.started = self._clock.monotonic()
        entry.task = asyncio.ensure_future(self._poll(name, entry))
        with suppress(asyncio.CancelledError):
            await entry.task

    async def _poll(self, name: str, entry: _ScheduledAccount) -> None:
        started = self._clock.monotonic()
        pause = 0.0
        try:
            pause = await entry.poll()
        finally:
            entry.started = entry.task = None
            self._began(name)
            if self._entries.get(name) is entry:
                pause = max(pause, entry.rest)
                left = entry.next_after(started) - self._clock.monotonic()
                self._arm(name, pause if entry.poll_again else max(0.0, left, pause))
                entry.poll_again = False
                entry.rest = 0.0
