"""The composition root: builds the parts from the settings, starts, reloads and stops them.

It is the only module that knows all packages, and must not make their decisions.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from exporter.account import AccountRuntime, SharedResources
from exporter.address import ListenAddress
from exporter.clock import Clock
from exporter.config import Settings
from exporter.errors import ConfigError, StateError
from exporter.ledger.snapshot import AccountSnapshot
from exporter.ledger.store.database import Database
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.store.sqlite_reader import sqlite_reader
from exporter.ledger.views import view_of
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.render import Renderer
from exporter.network import find_alertmanager, find_network
from exporter.scheduling.scheduler import Scheduler
from exporter.sinks.alertmanager.http_config import HttpConfigReloader
from exporter.sinks.alertmanager.sink import AlertmanagerSink
from exporter.sinks.delivery import Delivery
from exporter.sinks.event_log import EventLog
from exporter.sinks.log import LogSink
from exporter.web.app import create_app
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.detail_routes import LedgerSource
from exporter.web.server import Server

GRACE = 3.0
"""Seconds allowed for open connections and deliveries to sinks when the exporter stops."""

LAST_LINES = 0.25
"""Minimum seconds allowed for writing the last lines of the log."""

REVISION = "TELNYX_SIM_EXPORTER_REVISION"
"""The environment variable with the revision of a build."""

FIXED_SETTINGS = (
    "state.url",
    "web.listen_address",
    "web.config_file",
    "web.external_url",
    "web.route_prefix",
    "web.details",
    "log.level",
    "log.format",
)
"""Settings that a reload cannot change."""


class Exporter:
    """The exporter: polls every account and serves the results.

    ``load`` reads the settings again for a reload; it raises ConfigError.
    """

    def __init__(
        self, settings: Settings, *, load: Callable[[], Settings], clock: Clock, event_log: EventLog
    ) -> None:
        """Build the parts; nothing is started, and no file is opened yet. Raises ConfigError."""
        self._settings = settings
        self._view = view_of(settings)
        self._load = load
        self._clock = clock
        self._event_log = event_log
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._store: LedgerStore = SqliteStore(Database(settings.state.url, notices=event_log))
        self._delivery = Delivery([LogSink(event_log)], clock, event_log)
        self._shared = SharedResources(
            self._store, self._worker, clock, event_log, find_network(settings), self._delivery
        )
        self._alertmanager = AlertmanagerSink(clock, event_log, self._account_snapshots)
        self._alertmanager_http = find_alertmanager(settings)
        self._page = ""
        self._configure_alertmanager(self._alertmanager_http)
        self._scheduler = Scheduler(clock)
        self._reloading = asyncio.Lock()
        self._started = self._stopping = False
        # Also keys of accounts that a reload ends: lines of theirs may wait to be written.
        self._struck_out: frozenset[str] = frozenset()
        self._reload_successful = True
        self._reload_success_at = clock.now()
        self._revision = os.environ.get(REVISION, "unknown")
        app = create_app(
            snapshot=self.snapshot,
            write=Renderer().render,
            healthy=self._scheduler.alive,
            ready=self.ready,
            reload=self.reload,
            ledger=(
                LedgerSource(lambda: self._view, sqlite_reader(settings.state.url))
                if settings.web.details
                else None
            ),
            prefix=settings.web.prefix,
            external_url=settings.web.external_url,
        )
        file = settings.web.config_file
        self._web_config = (
            None if file is None else WebConfigReloader(Path(file), event_log.web_config)
        )
        self._server = Server(
            app,
            web_config=self._web_config,
            files=self._files,
            on_full=event_log.connections_limited,
            on_handshake_error=event_log.tls_handshake_failed,
        )
        self._accounts = {
            account.name: AccountRuntime.build(settings, account, self._shared)
            for account in settings.accounts
        }

    async def start(self) -> ListenAddress:
        """Start serving and polling; returns the first listen address. Raises UsageError."""
        # Loaded before the first scrape, so that counters do not disappear for one scrape. If the
        # state cannot be read, the first polls report it: waiting for it here, once per account,
        # would delay listening.
        with suppress(StateError):
            for account in self._accounts.values():
                await account.ledger.open(self._clock.now())
        self._scheduler.start()
        listening = await self._server.start(*self._settings.web.addresses)
        for name, account in self._accounts.items():
            self._poll_from_now(name, account)
        secure = self._web_config is not None and self._web_config.current().tls is not None
        urls = [each.url.replace("http:", "https:" if secure else "http:", 1) for each in listening]
        prefix = self._settings.web.prefix
        self._event_log.started(",".join(f"{url}{prefix}" for url in urls), self._accounts)
        self._page = (self._settings.web.external_url or f"{urls[0]}{prefix}").rstrip("/")
        self._configure_alertmanager(self._alertmanager_http)
        self._alertmanager.start()
        self._started = True
        return listening[0]

    async def poll_once(self) -> ExporterSnapshot:
        """Poll all accounts once, concurrently, and deliver to the sinks, without serving."""
        await asyncio.gather(*(each.poller.poll() for each in self._accounts.values()))
        await self._delivery.settle(GRACE)
        return self.snapshot()

    async def stop(self) -> None:
        """Stop in order: first polls, then responses and deliveries, then the database."""
        loop = asyncio.get_running_loop()
        self._stopping = True
        async with self._reloading:  # a running reload would start polls again
            await self._scheduler.stop()
            end = loop.time() + GRACE
            await asyncio.gather(
                self._server.stop(GRACE),
                self._delivery.stop(GRACE),
                self._alertmanager.stop(GRACE),
            )
            for account in self._accounts.values():
                await account.close()
            await loop.run_in_executor(self._worker, self._store.close)
            self._worker.shutdown(wait=False)
        if self._started:
            self._event_log.stopped()
        await self._event_log.flush(max(LAST_LINES, end - loop.time()))

    async def reload(self) -> tuple[str, ...]:
        """Reload the settings; returns the mistakes in them, and changes nothing if there are."""
        if self._is_stopping():
            return ("the exporter is stopping",)
        async with self._reloading:
            try:
                settings = await asyncio.to_thread(self._load)
                if self._is_stopping():  # reading may have taken long
                    return ("the exporter is stopping",)
                mistakes = _unchangeable(self._settings, settings)
                if self._web_config is not None:
                    mistakes += self._web_config.check()
                if not mistakes:
                    alertmanager = await asyncio.to_thread(find_alertmanager, settings)
                    await self._swap(settings)
                    self._configure_alertmanager(alertmanager)
            except ConfigError as exc:
                mistakes = exc.mistakes
            except StateError as exc:
                mistakes = (str(exc),)
            self._reload_successful = not mistakes
            if mistakes:
                self._event_log.reload_refused(mistakes)
                return mistakes
            self._reload_success_at = self._clock.now()
            self._event_log.reloaded()
            return ()

    def snapshot(self) -> ExporterSnapshot:
        """Return the current state of everything that is published."""
        alerts = self._alertmanager.stats()
        return ExporterSnapshot(
            accounts=tuple(
                (each.ledger.snapshot, each.self_metrics.health())
                for each in self._accounts.values()
            ),
            reload_successful=self._reload_successful,
            reload_success_at=self._reload_success_at,
            now=self._clock.now(),
            poll_interval=self._settings.poll.interval,
            state_bytes=self._store.sizes,
            external_links=tuple(
                (link.name, link.url) for link in self._settings.web.external_links
            ),
            connections_dropped=self._server.connections_dropped,
            tls_handshake_errors=self._server.handshake_errors,
            log_lines_dropped=self._event_log.writer.dropped,
            alerts_active=self._alertmanager.active(),
            alerts_sent={target: each.sent for target, each in alerts.items()},
            alert_errors={target: each.errors for target, each in alerts.items()},
            alertmanager_last_success={
                target: each.last_success for target, each in alerts.items()
            },
            revision=self._revision,
        )

    def secrets(self) -> frozenset[str]:
        """Return all keys used so far, which must not appear in the log. For any thread."""
        return self._struck_out.union(*(each.key.used for each in self._accounts.values()))

    def ready(self) -> bool:
        """Tell whether every account has been polled completely at least once."""
        return all(each.ledger.snapshot.baselined for each in self._accounts.values())

    def _account_snapshots(self) -> Iterator[AccountSnapshot]:
        return (each.ledger.announced for each in self._accounts.values())

    def _configure_alertmanager(self, http: HttpConfigReloader | None) -> None:
        names = (account.name for account in self._settings.accounts)
        self._alertmanager.configure(
            self._settings.alertmanager,
            http,
            names,
            self._page,
            details=self._settings.web.details,
        )

    def _is_stopping(self) -> bool:
        return self._stopping

    def _files(self) -> int:
        """Return the maximum number of connections of the polls."""
        return len(self._accounts) * self._settings.poll.concurrency

    async def _swap(self, settings: Settings) -> None:
        """Switch to new settings; unaffected accounts continue.

        Raises StateError, without any change, if the state database cannot be read.
        """
        before, accounts = self._accounts, await self._built(settings)
        ended = {name: old for name, old in before.items() if accounts.get(name) is not old}
        begun = {name: new for name, new in accounts.items() if before.get(name) is not new}
        self._struck_out = self.secrets().union(*(new.key.used for new in begun.values()))
        for name in ended:
            await self._scheduler.remove(name)
        try:
            # Loaded after the previous polls have ended and before the new accounts are visible:
            # a counter must not lose its last increments, or be 0 in the meantime.
            for new in begun.values():
                await new.ledger.open(self._clock.now())
        except StateError:
            for new in begun.values():
                await new.close()
            for name, old in ended.items():
                self._poll_from_now(name, old)
            raise
        self._settings, self._accounts = settings, accounts
        self._view = view_of(settings)
        for name, new in begun.items():
            new.gate.reopen()
            self._poll_from_now(name, new)
        for name in accounts.keys() - begun.keys():
            # A reload also retries a rejected key, and a rate limit that was reported as exhausted
            # for a long time.
            reopened = accounts[name].gate.reopen()
            if accounts[name].poller.try_again() or reopened:
                self._scheduler.poll_now(name)
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

    def _poll_from_now(self, name: str, account: AccountRuntime) -> None:
        self._scheduler.add(
            name,
            account.poller.poll,
            interval=account.budget.interval,
            deadline=lambda: account.poller.deadline,
        )


def _polled_alike(before: Settings, after: Settings) -> bool:
    """Tell whether accounts whose own settings did not change are polled as before."""
    sections = ("poll", "stuck_after", "reasons", "state", "sim_cards", "problems")
    return all(getattr(before, each) == getattr(after, each) for each in sections)


def _unchangeable(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return a line for each changed setting that requires a restart."""
    mistakes = []
    for place in FIXED_SETTINGS:
        section, key = place.split(".")
        if getattr(getattr(before, section), key) != getattr(getattr(after, section), key):
            mistakes.append(f"{place}: cannot be changed by a reload; restart the exporter")
    return tuple(mistakes)
