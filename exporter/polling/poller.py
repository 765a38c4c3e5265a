"""One account's poll from outside: its deadline, what its failure means, what follows it.

It must not ask the API anything itself, nor know when the next poll comes: it only says how
long that has to wait.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from exporter.clock import Clock
from exporter.errors import (
    Cause,
    DeadlineError,
    ExporterError,
    PollError,
    RateLimitedError,
    StateError,
)
from exporter.ledger.ledger import Ledger
from exporter.ledger.model import Event
from exporter.polling.cycle import Cycle

SHORTEST_DEADLINE = 300.0
"""Seconds that a poll may take at least: a long catch-up commits as it goes, and goes on."""

FIRST_POLL = 3600.0
"""Seconds more for the first poll of an account, which has to succeed as a whole."""

PRUNES = 20
"""How often some actions are forgotten after one poll at most: 100,000 in all."""

LONGEST_AUTH_PAUSE = 300.0
"""Seconds between polls at most while the key is refused."""

AUTH_PACE = 5
"""How many intervals lie between polls while the key is refused, within the pause above."""


class Journal(Protocol):
    """Who writes down what happened."""

    def action(self, event: Event) -> None:
        """Write down what happened to one action."""

    def poll_failed(self, account: str, cause: Cause, error: str) -> None:
        """Write down that an account cannot be polled."""

    def poll_recovered(self, account: str) -> None:
        """Write down that it can be again."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""

    def not_found(self, account: str, count: int) -> None:
        """Write down that actions are missing in a listing."""

    def baseline_taken(self, account: str, in_progress: int) -> None:
        """Write down that an account was polled for the first time."""


class Tally(Protocol):
    """Who counts polls."""

    def poll_succeeded(self, at: float, seconds: float) -> None:
        """Count a poll that ended well."""

    def poll_failed(self, at: float, seconds: float, cause: Cause, error: str) -> None:
        """Count a poll that failed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How an account is polled, in seconds; a request for a page may take ``page_time``."""

    interval: float
    retention: float
    page_time: float = 0.5
    page_size: int = 250

    @property
    def deadline(self) -> float:
        """Return how long a poll may take that has nothing to list."""
        return max(SHORTEST_DEADLINE, self.interval)

    def deadline_with(self, running: int | None) -> float:
        """Return how long a poll may take with so many in progress; None: nobody knows yet."""
        if running is None:
            return self.deadline + FIRST_POLL
        return self.deadline + running / self.page_size * self.page_time


class Poller:
    """Polls one account; nothing that goes wrong leaves `poll` but its cancellation."""

    def __init__(
        self,
        *,
        name: str,
        cycle: Cycle,
        ledger: Ledger,
        clock: Clock,
        pace: Pace,
        tally: Tally,
        journal: Journal,
        strike_out: Callable[[str], str] = str,
    ) -> None:
        """Keep the parts; ``strike_out`` takes secrets out of an error's text.

        ``deadline`` is how many seconds the poll that runs may take, or the next one at least.
        """
        self._name = name
        self._cycle = cycle
        self._ledger = ledger
        self._clock = clock
        self._pace = pace
        self._tally = tally
        self._journal = journal
        self._strike_out = strike_out
        self._failing: Cause | None = None
        self.deadline = pace.deadline

    async def poll(self) -> float:
        """Poll once; returns for how many seconds the next poll has to wait at least."""
        started = self._clock.monotonic()
        try:
            await self._attempt()
        except ExporterError as exc:
            self._failed(str(exc), exc.cause, started)
            await self._tell_rest()
            return self._pause(exc)
        except Exception as exc:  # noqa: BLE001 - one account's defect must not touch another
            self._journal.crashed(self._name, exc)
            # Its text is not ours, so nobody knows what it quotes; the page shows this one.
            text = f"internal error: {type(exc).__name__}; the log has its trace"
            self._failed(text, Cause.INTERNAL, started)
            await self._tell_rest()
            return 0.0
        self._tally.poll_succeeded(self._clock.now(), self._clock.monotonic() - started)
        if self._failing is not None:
            self._failing = None
            self._journal.poll_recovered(self._name)
        return 0.0

    async def _attempt(self) -> None:
        """Poll within the deadline, tell what happened, forget what is old."""
        try:
            async with asyncio.timeout(self.deadline) as limit:
                await self._ledger.open(self._clock.now())
                new = not self._ledger.view.baselined
                begun = (limit.when() or 0.0) - self.deadline
                self.deadline = self._pace.deadline_with(
                    None if new else len(self._ledger.book.open)
                )
                limit.reschedule(begun + self.deadline)
                shortfall = await self._cycle.run()
                if new:
                    self._journal.baseline_taken(self._name, len(self._ledger.book.open))
                if shortfall:
                    self._journal.not_found(self._name, shortfall)
                await self._tell()
                await self._forget()
        except TimeoutError as exc:
            raise DeadlineError(f"the poll took longer than {self.deadline:g} s") from exc

    async def _forget(self) -> None:
        """Forget what is old: piece by piece, as other accounts use the same worker."""
        for _ in range(PRUNES):
            if await self._ledger.forget(self._clock.now() - self._pace.retention) == 0:
                break

    async def _tell(self) -> None:
        """Write down what was committed and not yet told: told first, cleared then."""
        while events := await self._ledger.unlogged():
            for _, event in events:
                self._journal.action(event)
            # A poll that is ended here still clears what it told, or it would be told again.
            await asyncio.shield(self._ledger.logged([number for number, _ in events]))

    async def _tell_rest(self) -> None:
        """Tell what a failed poll committed before it failed; if that fails, the next one does."""
        try:
            await self._tell()
        except StateError:
            pass  # the poll that comes next meets it too, and says so
        except Exception as exc:  # noqa: BLE001 - as in `poll`
            self._journal.crashed(self._name, exc)

    def _failed(self, text: str, cause: Cause, started: float) -> None:
        text = self._strike_out(text)  # servers, and libraries, quote what they were sent
        self._tally.poll_failed(self._clock.now(), self._clock.monotonic() - started, cause, text)
        if cause is not self._failing:
            self._failing = cause
            self._journal.poll_failed(self._name, cause, text)

    def _pause(self, exc: ExporterError) -> float:
        if isinstance(exc, RateLimitedError):
            return exc.retry_after
        if isinstance(exc, PollError) and exc.cause is Cause.AUTH:
            return min(self._pace.interval * AUTH_PACE, LONGEST_AUTH_PAUSE)
        return 0.0
