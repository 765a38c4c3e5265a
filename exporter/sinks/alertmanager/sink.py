"""Keeps the Alertmanagers up to date with the problems of all accounts.

The problems of the snapshots are the state; nothing is remembered for a restart. It must not know
how an alert looks or how it is sent.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol
from urllib.parse import urlsplit

from exporter.clock import Clock
from exporter.config import Alertmanager
from exporter.errors import DeliveryError
from exporter.ledger.snapshot import AccountSnapshot
from exporter.sinks.alertmanager.alerts import AccountAlerts, Alert, AlertOptions
from exporter.sinks.alertmanager.http_config import HttpConfig, HttpConfigReloader
from exporter.sinks.alertmanager.names import (
    INTERVAL,
    Names,
    Resolver,
    in_thread,
    system_addresses,
)
from exporter.sinks.alertmanager.sender import QUEUE, Sender, SenderLog, TargetStats

TICK = 0.25
"""Seconds between two looks at the snapshots: alerts are to be sent within a second of a change."""

VALID_FOR = 4
"""Intervals of resending after which Alertmanager resolves an alert that is not sent again."""

VALID_AT_LEAST = 30.0
"""Seconds for which an alert is valid anyway: a request or two may fail."""


class AlertmanagerLog(SenderLog, Protocol):
    """Who writes down how sending goes, and what is wrong with the configuration file."""

    def alertmanager_config(self, mistakes: Iterable[str]) -> None:
        """Write down that the file changed: its mistakes, or that it holds now."""


class AlertmanagerSink:
    """Tells every target of the problems of the accounts that ``snapshots`` returns."""

    def __init__(
        self,
        clock: Clock,
        log: AlertmanagerLog,
        snapshots: Callable[[], Iterable[AccountSnapshot]],
        resolver: Resolver = system_addresses,
        *,
        shared: bool = False,
    ) -> None:
        """Keep what is needed; nothing is sent before `configure` and `start`.

        If the accounts are ``shared``, others may tell of those that are gone from here.
        """
        self._clock = clock
        self._log = log
        self._snapshots = snapshots
        self._shared = shared
        self._lookups = Names(clock, resolver)
        self._settings = Alertmanager()
        self._http: HttpConfigReloader | None = None
        self._reading: tuple[HttpConfigReloader, asyncio.Task[HttpConfig]] | None = None
        self._options = AlertOptions()
        self._names: frozenset[str] = frozenset()
        self._seen: dict[str, AccountSnapshot] = {}
        self._alerts: dict[str, AccountAlerts] = {}
        self._targets: dict[str, _Target] = {}
        self._stats: dict[str, TargetStats] = {}
        self._resend_at = 0.0
        self._configured = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def configure(
        self,
        settings: Alertmanager,
        http: HttpConfigReloader | None,
        accounts: Iterable[str],
        page: str,
        *,
        details: bool = True,
    ) -> None:
        """Take over settings, for the first time or again; ``page`` is the URL of the page.

        Without ``details`` there are no pages of SIM cards to link to.

        The alerts of accounts that are not configured any more are resolved; shared ones end by
        themselves, unless somebody else sends them again.
        """
        self._settings = settings
        if settings.targets:  # else senders go on as before until they are closed
            self._http = http
        self._names = frozenset(accounts)
        self._options = AlertOptions(dict(settings.labels), settings.max_alerts, page, details)
        self._seen.clear()
        self._resend_at = 0.0
        for target in settings.targets:
            self._stats.setdefault(target, TargetStats())
        if not settings.targets:
            self._alerts.clear()
        self._configured.set()

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self, seconds: float) -> None:
        """Send what changed last for at most ``seconds``, then end; nothing is resolved."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})
        if self._targets:
            if changed := self._look(self._clock.now()):
                self._tell(changed)
            senders = [each for target in self._targets.values() for each in target.senders]
            waiting = {asyncio.ensure_future(each.settle()) for each in senders if not each.failing}
            if waiting:
                _, late = await asyncio.wait(waiting, timeout=seconds)
                for each in late:
                    each.cancel()
        await asyncio.gather(*(target.close() for target in self._targets.values()))
        # Threads that hang end with the process.
        self._lookups.close()
        if self._reading is not None:
            self._reading[1].cancel()

    def active(self) -> Mapping[str, int]:
        """Return how many alerts are active, by account."""
        return {
            name: len(self._alerts[name].active) if name in self._alerts else 0
            for name in sorted(self._names)
        }

    def stats(self) -> Mapping[str, TargetStats]:
        """Return what became of the alerts, by target."""
        return {target: self._stats[target] for target in self._settings.targets}

    async def _run(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception as exc:  # noqa: BLE001 # a defect here must not end the sending
                self._log.crashed("all", exc)
            if self._targets or self._settings.targets:
                await self._clock.sleep(TICK)
            else:
                self._configured.clear()
                await self._configured.wait()

    async def _tick(self) -> None:
        await self._follow_targets()
        if not self._targets:
            return
        now = self._clock.now()
        changed = self._look(now)
        if self._clock.monotonic() >= self._resend_at:
            self._resend_at = self._clock.monotonic() + self._settings.resend_interval
            self._tell(self._all(now))
        elif changed:
            self._tell(changed)

    async def _follow_targets(self) -> None:
        """Open and close targets as configured, and look up their addresses in turn."""
        for url in self._targets.keys() - set(self._settings.targets):
            await self._targets.pop(url).close()
        for url in self._settings.targets:
            if url not in self._targets:
                self._targets[url] = _Target(self, url)
            self._targets[url].refresh()

    def _look(self, now: float) -> list[Alert]:
        """Take over what changed in the snapshots; return what is to be told of it."""
        changed: list[Alert] = []
        snapshots = {each.name: each for each in self._snapshots()}
        for name in [*self._alerts]:
            if name not in self._names and not self._shared:
                alerts = self._alerts[name]
                changed += alerts.resolve_all(now)
                if not alerts.current(now):
                    del self._alerts[name]
            elif name not in snapshots:  # somebody else watches it now
                del self._alerts[name]
                self._seen.pop(name, None)
                for target in self._targets.values():
                    for sender in target.senders:
                        sender.forget(name)
        for name, snapshot in snapshots.items():
            if name in self._names and snapshot.readable:
                if self._differs(snapshot):
                    alerts = self._alerts.setdefault(name, AccountAlerts())
                    changed += alerts.update(snapshot, self._options, now)
                # Also if it only looks new, so that it is not compared again at the next look.
                self._seen[name] = snapshot
        return changed

    def _differs(self, snapshot: AccountSnapshot) -> bool:
        seen = self._seen.get(snapshot.name)
        return seen is None or (
            seen is not snapshot
            and (seen.problems, seen.resolved_problems, seen.sim_cards)
            != (snapshot.problems, snapshot.resolved_problems, snapshot.sim_cards)
        )

    def _all(self, now: float) -> list[Alert]:
        return [alert for each in self._alerts.values() for alert in each.current(now)]

    def _tell(self, alerts: Sequence[Alert], only: Iterable[Sender] | None = None) -> None:
        senders = (each for target in self._targets.values() for each in target.senders)
        count = sum(len(each.active) + len(each.resolved) for each in self._alerts.values())
        for sender in senders if only is None else only:
            sender.put(
                alerts,
                valid_for=max(VALID_AT_LEAST, VALID_FOR * self._settings.resend_interval),
                most=max(QUEUE, 2 * count),
            )

    def open_senders(self, url: str, addresses: Iterable[str]) -> dict[str, Sender]:
        """Open a sender for each address, which is told everything at once."""
        opened = {
            address: Sender(
                url,
                address,
                self._stats[url],
                self._config,
                self._lookups,
                self._clock,
                self._log,
            )
            for address in addresses
        }
        self._tell(self._all(self._clock.now()), opened.values())
        return opened

    async def addresses(self, url: str) -> tuple[str, ...]:
        """Return the addresses of a target, or an empty one for whichever of them answers.

        Those of two families belong to one host, unless there are several of one family. Raises
        DeliveryError.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return ("",)
        if url in (await self._config()).proxies:
            return ("",)
        families: dict[int, list[str]] = {}
        for address in await self._lookups.addresses(host, port):
            families.setdefault(ipaddress.ip_address(address).version, []).append(address)
        several = max(families.values(), key=len, default=[])
        return tuple(several) if len(several) > 1 else ("",)

    def crashed(self, error: BaseException) -> None:
        """Write down a defect."""
        self._log.crashed("all", error)

    def monotonic(self) -> float:
        """Return the clock's time that never jumps."""
        return self._clock.monotonic()

    async def _config(self) -> HttpConfig:
        http = self._http
        if http is None:
            message = "there are no targets"
            raise RuntimeError(message)
        reading = self._reading
        if reading is None or reading[0] is not http or reading[1].done():
            reading = self._reading = (http, asyncio.ensure_future(self._read(http)))
        # Who stops waiting must not end the reading for the others.
        return await asyncio.shield(reading[1])

    async def _read(self, http: HttpConfigReloader) -> HttpConfig:
        current, reports = await in_thread("reading alertmanager.config_file", http.current)
        for mistakes in reports:
            self._log.alertmanager_config(mistakes)
        return current


class _Target:
    """One URL, and a sender for each of its addresses."""

    def __init__(self, sink: AlertmanagerSink, url: str) -> None:
        self._sink = sink
        self._url = url
        self._by_address: dict[str, Sender] = {}
        self._look_up: asyncio.Task[None] | None = None
        self._next = 0.0

    @property
    def senders(self) -> Iterable[Sender]:
        return self._by_address.values()

    def refresh(self) -> None:
        """Look up the addresses in the background, if it is time."""
        idle = self._look_up is None or self._look_up.done()
        if idle and self._sink.monotonic() >= self._next:
            self._next = self._sink.monotonic() + INTERVAL
            self._look_up = asyncio.ensure_future(self._follow())

    async def close(self) -> None:
        if self._look_up is not None:
            self._look_up.cancel()
            await asyncio.wait({self._look_up})
        await asyncio.gather(*(each.close() for each in self._by_address.values()))

    async def _follow(self) -> None:
        try:
            addresses = await self._sink.addresses(self._url)
        except DeliveryError:
            # Without any known so far, a sender for the name says what is wrong.
            addresses = tuple(self._by_address) or ("",)
        except Exception as exc:  # noqa: BLE001 # a defect here must not end the sending
            self._sink.crashed(exc)
            return
        gone = [self._by_address.pop(each) for each in [*self._by_address] if each not in addresses]
        new = [each for each in addresses if each not in self._by_address]
        self._by_address |= self._sink.open_senders(self._url, new)
        for sender in gone:
            await sender.close()
