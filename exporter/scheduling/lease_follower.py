"""Lets the polls follow the leases: polls what this process holds, and nothing else.

It must not talk to the database, nor know how an account is polled.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from exporter.ledger.leases import Lease
from exporter.scheduling.lease_keeper import LeaseKeeper
from exporter.scheduling.lease_rules import LOOK_EVERY


class HeldAccounts(Protocol):
    """Who polls the accounts, and tells the sinks of them."""

    async def take_up(self, account: str) -> None:
        """Read the ledger of an account, and poll it from now on."""

    async def drop(self, account: str) -> None:
        """Stop at once: cancel a poll that runs, tell no sink any more, forget the ledger."""

    async def at_rest(self, account: str) -> bool:
        """Tell whether no poll runs and no sink is being told, so that it can be handed over."""

    def reaches(self, account: str) -> bool | None:
        """Tell whether the last poll of an account reached Telnyx; None if none has ended."""


class FollowerLog(Protocol):
    """Who writes down what became of leases."""

    def lease_acquired(self, account: str, epoch: int, holder_before: str) -> None:
        """Write down that this process polls an account from now on."""

    def lease_released(self, account: str, epoch: int, reason: str) -> None:
        """Write down that this process let an account go."""

    def lease_lost(self, account: str, epoch: int, reason: str) -> None:
        """Write down that this process may not poll an account any more."""

    def crashed(self, account: str, error: BaseException) -> None:
        """Write down a defect."""


class LeaseFollower:
    """Follows the leases of a keeper; on the thread of the event loop."""

    def __init__(
        self,
        keeper: LeaseKeeper,
        accounts: HeldAccounts,
        log: FollowerLog,
        exclusive: Callable[[], AbstractAsyncContextManager[object]],
    ) -> None:
        """Keep the parts; what is done to an account happens within ``exclusive``."""
        self._keeper = keeper
        self._accounts = accounts
        self._log = log
        self._exclusive = exclusive
        self._active: dict[str, Lease] = {}
        self._lost: Counter[str] = Counter()
        self._replaced = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def lost(self) -> Mapping[str, int]:
        """How often each account was lost without being let go."""
        return self._lost

    def start(self) -> None:
        """Claim leases and follow them from now on."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        self._keeper.start(wake)
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Follow them no more; those that are held stay so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def follow(self) -> None:
        """Take up, hand over and drop what is due."""
        reached = {name: self._accounts.reaches(name) for name in self._active}
        self._keeper.polled({name: each for name, each in reached.items() if each is not None})
        replaced = self._keeper.replaced
        for name, lost in self._keeper.lost().items():
            self._lost[name] += 1
            self._log.lease_lost(name, lost.lease.epoch, lost.reason)
            if name in self._active:  # may take long, while the database does not answer
                await self._drop(name)
            self._keeper.dropped(name)
        if replaced != self._replaced:
            for name in [*self._active]:
                await self._drop(name)
            self._replaced = replaced
        for name, reason in self._keeper.to_let_go().items():
            if name in self._active and await self._accounts.at_rest(name):
                lease = self._active[name]
                await self._drop(name)
                self._keeper.release(name)
                self._log.lease_released(name, lease.epoch, reason)
        for name, each in self._keeper.held().items():
            if name not in self._active:
                self._active[name] = each.lease
                self._log.lease_acquired(name, each.lease.epoch, each.before)
                async with self._exclusive():
                    await self._accounts.take_up(name)

    async def _drop(self, name: str) -> None:
        del self._active[name]
        async with self._exclusive():
            await self._accounts.drop(name)

    async def _run(self) -> None:
        while True:
            try:
                await self.follow()
            except Exception as exc:  # noqa: BLE001 # a defect must not end the following
                self._log.crashed("all", exc)
            self._changed.clear()
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._changed.wait()
            except TimeoutError:
                pass
