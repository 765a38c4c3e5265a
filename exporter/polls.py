"""Which accounts are polled by this process: their parts, taken up, dropped and swapped.

It must not decide which (that is up to the leases, or to the settings without any), nor serve.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from exporter.account import AccountRuntime, SharedResources
from exporter.config import Settings
from exporter.errors import Cause, LeaseLostError, StateError
from exporter.network import find_network
from exporter.scheduling.scheduler import Scheduler

LAST_WORDS = 1.0
"""Seconds that a sink may take for events it was handed before an account is dropped."""


REST = 3.0
"""Seconds between two polls of an account that is to be handed over: time to notice it.

Those that take longer than the interval would else follow one another without a gap.
"""


class Polls:
    """The accounts of the settings, and the polls of those that are taken up."""

    def __init__(self, settings: Settings, shared: SharedResources) -> None:
        """Build the accounts; none is polled yet."""
        self._settings = settings
        self._shared = shared
        self.scheduler = Scheduler(shared.clock)
        # Also keys of accounts that a reload ends: lines of theirs may wait to be written.
        self._struck_out: frozenset[str] = frozenset()
        self._active: set[str] = set()
        # With leases: those that are held, also while a reload has removed them.
        self._taken_up: set[str] = set()
        self._accounts = {
            account.name: AccountRuntime.build(settings, account, shared)
            for account in settings.accounts
        }

    @property
    def accounts(self) -> Mapping[str, AccountRuntime]:
        """The accounts by name, in the order of the settings."""
        return self._accounts

    def secrets(self) -> frozenset[str]:
        """Return all keys used so far, which must not appear in the log. For any thread."""
        return self._struck_out.union(*(each.key.used for each in self._accounts.values()))

    async def open(self) -> None:
        """Read the ledgers, so that counters do not miss in the first scrape.

        If one cannot be read, its first poll reports it: waiting for it here, once per account,
        would take long.
        """
        with suppress(StateError):
            for account in self._accounts.values():
                await account.ledger.open(self._shared.clock.now())

    def start(self) -> None:
        """Poll all accounts from now on."""
        for name in self._accounts:
            self._poll_from_now(name)

    async def poll_once(self, names: Iterator[str]) -> None:
        """Poll these accounts once, concurrently."""
        await asyncio.gather(*(self._accounts[name].poller.poll() for name in names))

    async def stop(self) -> None:
        """Stop all polls; none is running on return."""
        await self.scheduler.stop()

    async def close(self) -> None:
        """Close the connections of all accounts."""
        for account in self._accounts.values():
            await account.close()

    async def take_up(self, account: str) -> None:
        """Read the ledger of an account, and poll it from now on."""
        self._taken_up.add(account)
        runtime = self._accounts.get(account)
        if runtime is None:
            return  # a reload removed it
        runtime.self_metrics.unheld()
        with suppress(StateError):
            await runtime.ledger.open(self._shared.clock.now())
        self._poll_from_now(account)

    async def drop(self, account: str) -> None:
        """Stop at once: cancel a poll that runs, tell no sink any more, forget the ledger."""
        self._taken_up.discard(account)
        if account in self._active:
            self._active.remove(account)
            await self.scheduler.remove(account)
        await self._shared.delivery.leave(account, LAST_WORDS)
        runtime = self._accounts.get(account)
        if runtime is not None:
            runtime.self_metrics.unheld()
            await runtime.ledger.leave()

    async def at_rest(self, account: str) -> bool:
        """Tell whether no poll runs and no sink is being told, so that it can be handed over."""
        if account in self._active and self.scheduler.busy(account):
            self.scheduler.rest(account, REST)
            return False
        told = await self._shared.delivery.leave(account, LAST_WORDS)
        if told and not (account in self._active and self.scheduler.busy(account)):
            return True
        if account in self._accounts:
            self._shared.delivery.wake(self._accounts[account].ledger)
        return False

    def reaches(self, account: str) -> bool | None:
        """Tell whether the last poll of an account reached Telnyx; None if none has ended."""
        runtime = self._accounts.get(account)
        health = None if runtime is None else runtime.self_metrics.health()
        if health is None or health.up is None:
            return None
        return health.last_cause is not Cause.UNAVAILABLE

    async def swap(self, settings: Settings) -> None:
        """Switch to new settings; unaffected accounts continue.

        Raises StateError, without any change, if the state database cannot be read.
        """
        before, accounts = self._accounts, await self._built(settings)
        ended = {name: old for name, old in before.items() if accounts.get(name) is not old}
        begun = {name: new for name, new in accounts.items() if before.get(name) is not new}
        self._struck_out = self.secrets().union(*(new.key.used for new in begun.values()))
        polled = [name for name in ended if name in self._active]
        for name in polled:
            await self.scheduler.remove(name)
        self._active.difference_update(polled)
        # With leases, an account that is new is taken up when its lease is held.
        taken_up = [name for name in begun if name in self._taken_up or not self._shared.leased]
        try:
            # Loaded after the previous polls have ended and before the new accounts are visible:
            # a counter must not lose its last increments, or be 0 in the meantime.
            for name in taken_up:
                with suppress(LeaseLostError):  # it is dropped soon
                    await begun[name].ledger.open(self._shared.clock.now())
        except StateError:
            for new in begun.values():
                await new.close()
            for name in polled:
                self._poll_from_now(name)
            raise
        self._settings, self._accounts = settings, accounts
        for name in taken_up:
            accounts[name].gate.reopen()
            self._poll_from_now(name)
        for name in self._active - begun.keys():
            # A reload also retries a rejected key, and a rate limit that was reported as exhausted
            # for a long time.
            reopened = accounts[name].gate.reopen()
            if accounts[name].poller.try_again() or reopened:
                self.scheduler.poll_now(name)
        for old in ended.values():
            await old.close()

    async def _built(self, settings: Settings) -> dict[str, AccountRuntime]:
        """Return the accounts of new settings, reusing unaffected ones."""
        same = _polled_alike(self._settings, settings)
        shared: SharedResources | None = None
        accounts: dict[str, AccountRuntime] = {}
        for account in settings.accounts:
            before = self._accounts.get(account.name)
            if before is not None and same and before.account == account:
                accounts[account.name] = before
            else:
                if shared is None:
                    network = await asyncio.to_thread(find_network, settings)
                    shared = replace(self._shared, network=network)
                accounts[account.name] = AccountRuntime.build(
                    settings, account, shared, self._accounts
                )
                await asyncio.sleep(0)  # each takes a millisecond, and there may be a hundred
        return accounts

    def _poll_from_now(self, name: str) -> None:
        account = self._accounts[name]
        self._active.add(name)
        self.scheduler.add(
            name,
            account.poller.poll,
            interval=account.budget.interval,
            deadline=lambda: account.poller.deadline,
        )


def _polled_alike(before: Settings, after: Settings) -> bool:
    """Tell whether accounts whose own settings did not change are polled as before."""
    sections = ("poll", "stuck_after", "reasons", "state", "sim_cards", "problems", "metrics")
    return all(getattr(before, each) == getattr(after, each) for each in sections)
