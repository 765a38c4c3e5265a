"""The frame of one account's poll: its deadline, what its failure means, what is reported.

It must not ask the API anything itself, nor know when the next poll starts: it only says how
long that has to wait.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from exporter.clock import Clock
from exporter.errors import (
    Cause,
    DeadlineError,
    ExporterError,
    LeaseLostError,
    RateLimitedError,
    RefusedError,
)
from exporter.ledger.ledger import Ledger
from exporter.scheduling.budget import PollBudget
from exporter.sync.cycle import Cycle, PollResult
from exporter.sync.progress import Progress

SHORTFALL_PAUSE = 3600.0
"""Seconds within which missing actions are reported once: totals may jump at each poll."""

REFUSALS = (Cause.AUTH, Cause.ACCOUNT)
"""Causes that last until somebody changes the key, or settles the account."""

PROGRESS_PAUSE = 10.0
"""Seconds between two lines about how far a poll is."""

PRUNES = 200
"""Batches of old actions that are forgotten after one poll at most: 100,000 actions."""

FORGET_EVERY = 600.0
"""Seconds after which actions to forget are searched for again once there are none left.

Less where they are remembered for less than PATIENT_FOR of these.
"""

PATIENT_FOR = 100
"""How many times longer actions are remembered than they may be kept beyond that."""


class PollLog(Protocol):
    """Who writes down what happened."""

    def poll_failed(self, account: str, cause: Cause, error: str) -> None:
        """Write down that an account cannot be polled."""

    def poll_recovered(self, account: str) -> None:
        """Write down that it can be again."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""

    def not_found(self, account: str, count: int) -> None:
        """Write down that actions are missing in a list."""

    def totals_missing(self, account: str) -> None:
        """Write down that the API does not say how many actions there are."""

    def sweep_given_up(self, account: str, error: str) -> None:
        """Write down that a list which drifted cannot be read again."""

    def lookup_failed(self, account: str, error: str) -> None:
        """Write down that SIM cards cannot be looked up."""

    def lookup_recovered(self, account: str) -> None:
        """Write down that they can again."""

    def bulks_failed(self, account: str, error: str) -> None:
        """Write down that bulk actions cannot be read."""

    def bulks_recovered(self, account: str) -> None:
        """Write down that they can again."""

    def list_order(self, account: str, action_type: str, status: str, order: str) -> None:
        """Write down how a list is sorted, at first and when that changes; "" for all of them."""

    def baseline_taken(self, account: str, in_progress: int) -> None:
        """Write down that an account was polled for the first time."""

    def catching_up(self, account: str, progress: Progress) -> None:
        """Write down how far a poll is that reads many actions."""


class PollObserver(Protocol):
    """Who counts polls."""

    def poll_succeeded(self, at: float, seconds: float) -> None:
        """Count a poll that ended well."""

    def poll_failed(self, at: float, seconds: float, cause: Cause, error: str) -> None:
        """Count a poll that failed."""


class Key(Protocol):
    """Who knows which key is sent; it does not give it away."""

    def begin(self) -> None:
        """Take note of the keys that are sent from now on."""

    def renewed(self) -> bool:
        """Tell whether another key than those would be sent now."""

    def redact(self, text: str) -> str:
        """Return ``text`` without the key."""


@dataclass(slots=True)
class ReportedState:
    """What is written down of the account ``name``: some of it only when it changes.

    ``orders`` is how each list was sorted last, by its action type and status; ``shortfall_at`` is
    when it was written last that actions are missing, on the monotonic clock, and
    ``totals_unknown`` whether it was that the API gives no totals. ``progress_at`` is how many
    seconds the poll had run when its progress was written last. ``is_new``: a poll took the
    baseline, which is to be written by the first one that succeeds: it may be a later one.
    """

    name: str
    event_log: PollLog
    failing: Cause | None = None
    orders: Mapping[tuple[str, str], str] = field(default_factory=dict)
    shortfall_at: float | None = None
    totals_unknown: bool = False
    progress_at: float = 0.0
    is_new: bool = False

    def note_lookups(self, error: str | None) -> None:
        """Write down that SIM cards cannot be looked up, or can again."""
        if error is None:
            self.event_log.lookup_recovered(self.name)
        else:
            self.event_log.lookup_failed(self.name, error)

    def note_bulks(self, error: str | None) -> None:
        """Write down that bulk actions cannot be read, or can again."""
        if error is None:
            self.event_log.bulks_recovered(self.name)
        else:
            self.event_log.bulks_failed(self.name, error)

    def note_progress(self, progress: Progress) -> None:
        """Write down how far a poll is, if that takes long."""
        if progress.seconds < self.progress_at:  # another poll
            self.progress_at = 0.0
        if progress.stage is not None and progress.seconds >= self.progress_at + PROGRESS_PAUSE:
            self.progress_at = progress.seconds
            self.event_log.catching_up(self.name, progress)


class Poller:
    """Polls one account; nothing that goes wrong leaves `poll` but its cancellation."""

    def __init__(
        self,
        *,
        cycle: Cycle,
        ledger: Ledger,
        clock: Clock,
        budget: PollBudget,
        observer: PollObserver,
        key: Key,
        reported: ReportedState,
    ) -> None:
        """Keep the parts; ``reported`` may be of a poller before this one.

        ``deadline`` is how many seconds the poll that runs may take, or the next one at least.
        """
        self._name = reported.name
        self._cycle = cycle
        self._ledger = ledger
        self._clock = clock
        self._budget = budget
        self._observer = observer
        self._event_log = reported.event_log
        self._key = key
        self._reported = reported
        self._key_checks_left = 0
        self._again = False
        self._forget_at = -inf
        self.deadline = budget.deadline

    async def poll(self) -> float:
        """Poll once; returns for how many seconds the next poll has to wait at least.

        While the key is refused most polls only check whether it has changed, and count as none.
        """
        started = self._clock.monotonic()
        try:
            if self._only_checks_key():
                return 0.0
            await self._attempt()
        except LeaseLostError:
            return 0.0  # no failure: whoever follows the leases ends the polls, and says so
        except ExporterError as exc:
            self._failed(str(exc), exc.cause, started)
            return self._pause(exc)
        except Exception as exc:  # noqa: BLE001 - one account's defect must not touch another
            self._event_log.crashed(self._name, exc)
            # Its text is not ours and may quote anything, so the page shows this one.
            text = f"internal error: {type(exc).__name__}; see the traceback in the log"
            self._failed(text, Cause.INTERNAL, started)
            return 0.0
        finally:
            self._ledger.announce()  # also what was committed before the poll failed
        self._observer.poll_succeeded(self._clock.now(), self._clock.monotonic() - started)
        if self._reported.failing is not None:
            self._reported.failing = None
            self._event_log.poll_recovered(self._name)
        return 0.0

    def try_again(self) -> bool:
        """Let the next poll try the key even if it was refused; returns whether it was."""
        self._key_checks_left = 0
        self._again = True  # a poll that runs may still be refused, with the earlier key
        return self._reported.failing in REFUSALS

    def _only_checks_key(self) -> bool:
        """Tell whether to send nothing, as the key is still the one that was refused."""
        if self._key_checks_left and not self._key.renewed():
            self._key_checks_left -= 1
            return True
        self._key_checks_left = 0
        self._again = False
        self._key.begin()
        return False

    async def _attempt(self) -> None:
        """Poll within the deadline, report what happened, forget what is old."""
        try:
            async with asyncio.timeout(self.deadline) as limit:
                await self._ledger.open(self._clock.now())
                new = self._ledger.state.baseline_at is None
                begun = (limit.when() or 0.0) - self.deadline
                self.deadline = self._budget.deadline_with(
                    None if new else len(self._ledger.state.open)
                )
                limit.reschedule(begun + self.deadline)
                try:
                    result = await self._cycle.run()
                finally:
                    self._reported.is_new |= new and self._ledger.snapshot.baselined
                if self._reported.is_new:
                    self._event_log.baseline_taken(self._name, len(self._ledger.state.open))
                    self._reported.is_new = False
                self._note_order()
                self._note_totals(result)
                for what in result.abandoned_sweeps:
                    self._event_log.sweep_given_up(self._name, self._key.redact(what))
                await self._forget()
        except TimeoutError as exc:
            raise DeadlineError(f"the poll exceeded its deadline of {self.deadline:g} s") from exc

    def _note_order(self) -> None:
        orders = self._ledger.snapshot.orders
        for (action_type, status), order in orders.items():
            if order != self._reported.orders.get((action_type, status)):
                self._event_log.list_order(self._name, action_type, status, order)
        self._reported.orders = orders

    def _note_totals(self, result: PollResult) -> None:
        at, now = self._reported.shortfall_at, self._clock.monotonic()
        if result.shortfall and (at is None or now - at >= SHORTFALL_PAUSE):
            self._reported.shortfall_at = now
            self._event_log.not_found(self._name, result.shortfall)
        if not self._reported.totals_unknown and (
            self._ledger.snapshot.totals_unknown or result.totals_unknown
        ):
            self._reported.totals_unknown = True
            self._event_log.totals_missing(self._name)

    async def _forget(self) -> None:
        """Forget what is old: piece by piece, as other accounts use the same worker."""
        retention, monotonic = self._budget.retention, self._clock.monotonic()
        for _ in range(PRUNES if monotonic >= self._forget_at else 0):
            if await self._ledger.forget(self._clock.now() - retention) == 0:
                self._forget_at = monotonic + min(FORGET_EVERY, retention / PATIENT_FOR)
                break

    def _failed(self, text: str, cause: Cause, started: float) -> None:
        text = self._key.redact(text)  # servers, and libraries, quote what they were sent
        self._observer.poll_failed(
            self._clock.now(), self._clock.monotonic() - started, cause, text
        )
        if cause is not self._reported.failing:
            self._reported.failing = cause
            self._event_log.poll_failed(self._name, cause, text)

    def _pause(self, exc: ExporterError) -> float:
        """Return how long the next poll has to wait; after a refusal the next ones only check."""
        if isinstance(exc, RateLimitedError):
            return exc.retry_after
        if isinstance(exc, RefusedError):
            # No pause: a key that was replaced in its file has to be noticed meanwhile.
            self._key_checks_left = 0 if self._again else self._budget.key_checks
        return 0.0
