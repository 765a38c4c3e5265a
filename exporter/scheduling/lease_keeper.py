"""Keeps the leases of this process, on a thread and a connection of its own.

A poll that is busy must not starve a renewal. It must not decide who should hold what
(`lease_rules`), nor start or stop polls (`lease_follower`).
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from exporter.errors import LeaseLostError, StateError
from exporter.ledger.leases import Lease, LeaseTable, LeaseView
from exporter.scheduling.lease_rules import (
    LOOK_EVERY,
    RENEW_EVERY,
    TTL,
    Decision,
    LeaseSharing,
    LedgerWatch,
    give_up_at,
    lost,
)

REMOVED = "removed"
"""Why an account is let go that is not configured any more."""


class LeaseLog(Protocol):
    """Who writes down whether the leases can be read. For any thread."""

    def leases_unavailable(self, error: str) -> None:
        """Write down that leases cannot be read or renewed."""

    def leases_available(self) -> None:
        """Write down that they can again."""

    def ledger_replaced(self, reason: str) -> None:
        """Write down that the ledger in the database is an older one, or another."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""


def elapsed() -> float:
    """Return seconds since some fixed point, which go on while the machine is suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux has it, macOS does not
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True)
class HeldLease:
    """A lease of this process, and whose it was before; empty for nobody's."""

    lease: Lease
    before: str


@dataclass(frozen=True, slots=True)
class LostLease:
    """A lease that this process has not any more, and why: `expired` or `taken`."""

    lease: Lease
    reason: str


@dataclass(slots=True)
class _SharedState:
    """What the thread and the event loop share, under a lock.

    ``until`` is when each lease is given up, on the clock of `elapsed`. ``released`` were let go,
    which the database does not know yet. ``reached`` tells whether the last poll of each account
    reached Telnyx.
    """

    accounts: tuple[str, ...]
    held: dict[str, HeldLease] = field(default_factory=dict)
    until: dict[str, float] = field(default_factory=dict)
    released: dict[str, Lease] = field(default_factory=dict)
    let_go: Mapping[str, str] = field(default_factory=dict)
    reached: Mapping[str, bool] = field(default_factory=dict)
    lost: dict[str, LostLease] = field(default_factory=dict)
    holders: Mapping[str, str] = field(default_factory=dict)
    seen_at: float = -inf
    replaced: int = 0
    takeovers: Counter[str] = field(default_factory=Counter)


class LeaseKeeper:
    """The leases of this process; what is not said otherwise may be called from any thread."""

    def __init__(
        self,
        table: LeaseTable,
        holder: str,
        accounts: Iterable[str],
        log: LeaseLog,
        *,
        visiting: bool = False,
        clock: Callable[[], float] = elapsed,
    ) -> None:
        """Keep the parts; nothing is claimed before `start`.

        ``holder`` is unique for this start of the process. One that is ``visiting`` takes no part
        in the spreading: it only claims what nobody holds.
        """
        self._table = table
        self._holder = holder
        self._log = log
        self._visiting = visiting
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _SharedState(tuple(accounts))
        self._watch = LedgerWatch()
        self._sharing = LeaseSharing(holder)
        self._renew_at = -inf
        self._error = ""
        self._last: dict[str, int] = {}
        self._wake = threading.Event()
        self._looked = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._ended: Future[None] = Future()
        self._on_change: Callable[[], None] = lambda: None

    def start(self, on_change: Callable[[], None] = lambda: None) -> None:
        """Start the thread; it calls ``on_change`` when there may be something to follow."""
        self._on_change = on_change
        self._ended.set_running_or_notify_cancel()  # who stops waiting does not cancel it
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    async def stop(self, seconds: float) -> None:
        """Let go of all leases, and end; waits at most ``seconds`` for the database."""
        with self._lock:
            self._stopping = True
            self._state.held.clear()
        self._wake.set()
        if self._thread is not None:
            ended = asyncio.wrap_future(self._ended)
            await asyncio.wait({ended}, timeout=seconds)
            ended.cancel()

    def configure(self, accounts: Iterable[str]) -> None:
        """Take over the accounts of another configuration; leases of others are not renewed."""
        with self._lock:
            self._state.accounts = tuple(accounts)
        self._wake.set()

    def lease(self, account: str) -> Lease:
        """Return the lease of an account; raises LeaseLostError if this process has none (now)."""
        with self._lock:
            held = self._state.held.get(account)
            if held is None or self._clock() >= self._state.until[account]:
                raise LeaseLostError(f"account {account} is not held by this replica (any more)")
            return held.lease

    def holds(self, account: str) -> bool:
        """Tell whether this process holds the lease of an account."""
        try:
            self.lease(account)
        except LeaseLostError:
            return False
        return True

    def held(self) -> dict[str, HeldLease]:
        """Return the leases of this process, by account."""
        with self._lock:
            now = self._clock()
            until = self._state.until
            return {name: each for name, each in self._state.held.items() if now < until[name]}

    def lost(self) -> Mapping[str, LostLease]:
        """Return the leases that were lost and not `dropped` yet, by account."""
        with self._lock:
            self._give_up()
            return dict(self._state.lost)

    def dropped(self, account: str) -> None:
        """Take note that nothing is done under a lost lease any more: it may be claimed again."""
        with self._lock:
            self._state.lost.pop(account, None)

    def to_let_go(self) -> Mapping[str, str]:
        """Return the accounts that are to be let go when no poll of them runs, and why."""
        with self._lock:
            return self._state.let_go

    def release(self, account: str) -> None:
        """Let go of the lease of an account; nothing of it may be written any more."""
        with self._lock:
            held = self._state.held.pop(account, None)
            if held is not None:
                self._state.released[account] = held.lease
        self._wake.set()

    def polled(self, reached: Mapping[str, bool]) -> None:
        """Take note of whether the last poll of each account that is held reached Telnyx."""
        with self._lock:
            self._state.reached = reached

    @property
    def unheld(self) -> int:
        """How many accounts nobody holds; all of them while that cannot be told."""
        with self._lock:
            state = self._state
            if self._clock() - state.seen_at > TTL:
                return len(state.accounts)
            return sum(not state.holders.get(name) for name in state.accounts)

    @property
    def holders(self) -> Mapping[str, str]:
        """Who held each account when the leases were read last, empty for nobody."""
        with self._lock:
            return self._state.holders

    @property
    def takeovers(self) -> Mapping[str, int]:
        """How often this process took over each account from another one."""
        with self._lock:
            return dict(self._state.takeovers)

    @property
    def readable(self) -> bool:
        """Whether the leases could be read within the last time to live."""
        with self._lock:
            return self._clock() - self._state.seen_at <= TTL

    @property
    def replaced(self) -> int:
        """How often the ledger in the database was replaced by an older one, or another."""
        with self._lock:
            return self._state.replaced

    async def looked(self) -> None:
        """Wait until the leases were claimed for the first time, or could not be."""
        await asyncio.to_thread(self._looked.wait)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                self._beat()
                self._looked.set()
                self._wake.wait(LOOK_EVERY)
            self._leave()
        finally:
            self._table.close()
            self._looked.set()
            self._ended.set_result(None)

    def _leave(self) -> None:
        try:
            self._table.leave(self._holder)
        except StateError as exc:
            # They run out by themselves.
            self._unavailable(str(exc))

    def _unavailable(self, error: str) -> None:
        if error != self._error:
            self._error = error
            self._log.leases_unavailable(error)

    def _beat(self) -> None:
        before = self._state.replaced, self.to_let_go(), self.held()
        try:
            self._look()
        except StateError as exc:
            self._unavailable(str(exc))
        except Exception as exc:  # noqa: BLE001 # a defect must not end the renewals
            self._log.crashed("all", exc)
        else:
            if self._error:
                self._error = ""
                self._log.leases_available()
        if (self._state.replaced, self.to_let_go(), self.held()) != before:
            self._on_change()

    def _look(self) -> None:
        """Renew, let go and claim what is due."""
        with self._lock:
            state = self._state
            released, accounts = dict(state.released), state.accounts
        if released:
            self._table.release(released)
            with self._lock:
                for name in released:
                    state.released.pop(name)
        sent = self._clock()
        with self._lock:
            self._give_up()
            held = dict(state.held)
        due = sent >= self._renew_at and not (self._visiting and not held)
        renewed = {name: each.lease.epoch for name, each in held.items()} if due else None
        if due and self._error:
            # Before what is renewed looks new: the ledger may have been replaced meanwhile.
            self._take_in(self._table.exchange(self._holder, accounts, None), accounts, None)
        view = self._table.exchange(self._holder, accounts, renewed)
        if due:
            self._renew_at = sent + RENEW_EVERY
        self._take_in(view, accounts, sent if due else None)
        decision = self._decide(view)
        with self._lock:
            state.let_go = {
                **dict.fromkeys(decision.surplus, "surplus"),
                **dict.fromkeys(decision.unreachable, "unreachable"),
                **{name: REMOVED for name in state.held if name not in state.accounts},
            }
            # What was lost is claimed once nothing is done under the earlier lease.
            claimable = [name for name in decision.claim if name not in state.lost]
        if claimable:
            self._claim(view, claimable)

    def _give_up(self) -> None:
        """Give up the leases that may have run out, even if nobody else took them yet."""
        now, state = self._clock(), self._state
        for name in [name for name in state.held if now >= state.until[name]]:
            state.lost[name] = LostLease(state.held.pop(name).lease, "expired")

    def _take_in(self, view: LeaseView, asked: Iterable[str], renewed_at: float | None) -> None:
        with self._lock:
            held = {name: each.lease for name, each in self._state.held.items()}
        change = self._watch.look(view, held)
        if change is not None:
            self._log.ledger_replaced(change)
        with self._lock:
            state = self._state
            state.replaced += change is not None
            state.seen_at = self._clock()
            # Not what is configured by now: of that, this view may say nothing.
            mine = set(asked)
            state.holders = {
                name: row.holder if row.expires_at > view.now else ""
                for name, row in view.leases.items()
                if name in mine
            }
            for name in lost(view, held) & mine & state.held.keys():
                state.lost[name] = LostLease(state.held.pop(name).lease, "taken")
            if renewed_at is not None:
                state.until.update(dict.fromkeys(state.held, give_up_at(renewed_at)))

    def _decide(self, view: LeaseView) -> Decision:
        with self._lock:
            held = {name: each.lease for name, each in self._state.held.items()}
            reached = self._state.reached
        if self._visiting:
            free = (name for name, row in view.leases.items() if row.expires_at <= view.now)
            return Decision(tuple(free))
        now = self._clock()
        for name, whether in reached.items():
            if name in held:
                self._sharing.polled(name, reached=whether, now=now)
        return self._sharing.decide(view, held, now)

    def _claim(self, view: LeaseView, accounts: Iterable[str]) -> None:
        sent = self._clock()
        claimed = self._table.claim(self._holder, tuple(accounts))
        with self._lock:
            for name, lease in claimed.items():
                row = view.leases.get(name)
                self._state.held[name] = HeldLease(lease, "" if row is None else row.holder)
                self._state.until[name] = give_up_at(sent)
                # With the epoch after its own last one, nobody else had it meanwhile.
                self._state.takeovers[name] += lease.epoch != self._last.get(name, 0) + 1
                self._last[name] = lease.epoch
