"""The composition root: builds the parts from the settings, starts, reloads and stops them.

It is the only module that knows all packages, and must not make their decisions.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from exporter.account import SharedResources
from exporter.address import ListenAddress
from exporter.clock import Clock
from exporter.config import Settings
from exporter.errors import Cause, ConfigError, StateError
from exporter.ledger.snapshot import AccountSnapshot
from exporter.ledger.views import view_of
from exporter.metrics.exporter_snapshot import ExporterSnapshot, Leases
from exporter.metrics.exposition import Exposition
from exporter.network import find_alertmanager, find_network
from exporter.polls import LAST_WORDS, Polls
from exporter.scheduling.lease_follower import LeaseFollower
from exporter.sinks.alertmanager.http_config import HttpConfigReloader
from exporter.sinks.alertmanager.sink import AlertmanagerSink
from exporter.sinks.delivery import Delivery
from exporter.sinks.event_log import EventLog
from exporter.sinks.log import LogSink
from exporter.state import open_state
from exporter.web.app import create_app
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.detail_routes import LedgerSource
from exporter.web.server import Server

GRACE = 3.0
"""Seconds allowed for open connections and deliveries to sinks when the exporter stops."""

NOT_HELD = (
    "another process polls this account, with the same state; stop it, or ask it for its metrics"
)
UNREADABLE = "the state database does not tell whether another process polls this account"
"""Why `once` does not poll an account."""

INTERRUPT_EVERY = 0.1
"""Seconds between two interruptions of the database, until a reload that runs has ended."""

LAST_LINES = 0.25
"""Minimum seconds allowed for writing the last lines of the log."""

WRITE_EVERY = 1.0
"""Seconds between two looks for what has to be written anew of the exposition."""

REVISION = "TELNYX_SIM_EXPORTER_REVISION"
"""The environment variable with the revision of a build."""

FIXED_SETTINGS = (
    "state.url",
    "state.password_file",
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
        self,
        settings: Settings,
        *,
        load: Callable[[], Settings],
        clock: Clock,
        event_log: EventLog,
        visiting: bool = False,
    ) -> None:
        """Build the parts; nothing is started, and no file is opened yet. Raises ConfigError.

        With replicas, one who is ``visiting`` only polls what no other does.
        """
        self._settings = settings
        self._view = view_of(settings)
        self._load = load
        self._clock = clock
        self._event_log = event_log
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._state = open_state(settings, event_log, visiting=visiting)
        self._store = self._state.store
        self._delivery = Delivery([LogSink(event_log)], clock, event_log)
        self._polls = Polls(
            settings,
            SharedResources(
                self._store,
                self._worker,
                clock,
                event_log,
                find_network(settings),
                self._delivery,
                self._state.holds,
                leased=self._state.keeper is not None,
            ),
        )
        self._alertmanager = AlertmanagerSink(
            clock,
            event_log,
            self._account_snapshots,
            shared=self._state.keeper is not None,
        )
        self._alertmanager_http = find_alertmanager(settings)
        self._page = ""
        self._configure_alertmanager(self._alertmanager_http)
        self._reloading = asyncio.Lock()
        self._follower = (
            None
            if self._state.keeper is None
            else LeaseFollower(self._state.keeper, self._polls, event_log, lambda: self._reloading)
        )
        self._started = self._stopping = False
        self._reload_successful = True
        self._reload_success_at = clock.now()
        self._revision = os.environ.get(REVISION, "unknown")
        self._exposition = Exposition()
        self._writing: asyncio.Task[None] | None = None
        app = create_app(
            snapshot=self.snapshot,
            exposition=self._exposition,
            healthy=self._polls.scheduler.alive,
            waiting_for=self.waiting_for,
            reload=self.reload,
            ledger=(
                LedgerSource(lambda: self._view, self._state.reader)
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

    async def start(self) -> ListenAddress:
        """Start serving and polling; returns the first listen address. Raises UsageError."""
        if self._follower is None:
            await self._polls.open()
        self._polls.scheduler.start()
        listening = await self._server.start(*self._settings.web.addresses)
        if self._follower is None:
            self._polls.start()
        else:
            self._follower.start()
        secure = self._web_config is not None and self._web_config.current().tls is not None
        urls = [each.url.replace("http:", "https:" if secure else "http:", 1) for each in listening]
        prefix = self._settings.web.prefix
        self._event_log.started(",".join(f"{url}{prefix}" for url in urls), self._polls.accounts)
        self._page = (self._settings.web.external_url or f"{urls[0]}{prefix}").rstrip("/")
        self._configure_alertmanager(self._alertmanager_http)
        self._alertmanager.start()
        self._writing = asyncio.create_task(self._keep_exposition_ready())
        self._started = True
        return listening[0]

    async def poll_once(self) -> ExporterSnapshot:
        """Poll all accounts once, concurrently, and deliver to the sinks, without serving."""
        keeper = self._state.keeper
        if keeper is not None:
            keeper.start()
            await keeper.looked()
        await self._polls.poll_once(filter(self._state.holds, self._polls.accounts))
        for name, account in self._polls.accounts.items():
            if not self._state.holds(name):  # or not any more
                why = UNREADABLE if self.waiting_for() else NOT_HELD
                account.self_metrics.poll_failed(self._clock.now(), 0.0, Cause.STATE, why)
                self._event_log.poll_failed(name, Cause.STATE, why)
        await self._delivery.settle(GRACE)
        return self.snapshot()

    async def stop(self) -> None:
        """Stop in order: first polls, then responses and deliveries, then the database."""
        loop = asyncio.get_running_loop()
        self._stopping = True
        if self._writing is not None:
            self._writing.cancel()
        if self._follower is not None:
            await self._follower.stop()
        while self._reloading.locked():  # nobody needs what a reload waits for
            self._store.interrupt()
            await asyncio.sleep(INTERRUPT_EVERY)
        async with self._reloading:  # a running reload would start polls again
            await self._polls.stop()
            end = loop.time() + GRACE
            await asyncio.gather(
                self._server.stop(GRACE), self._stop_telling(), self._alertmanager.stop(GRACE)
            )
            await self._polls.close()
            # What still waits for a database serves nobody any more, whenever it began to.
            closed = loop.run_in_executor(self._worker, self._store.close)
            while not closed.done():
                self._store.interrupt()
                await asyncio.wait({closed}, timeout=INTERRUPT_EVERY)
            closed.result()
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
                    await self._polls.swap(settings)
                    self._settings, self._view = settings, view_of(settings)
                    if self._state.keeper is not None:
                        self._state.keeper.configure(self._polls.accounts)
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
                for each in self._polls.accounts.values()
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
            leases=self._leases(),
            revision=self._revision,
        )

    def secrets(self) -> frozenset[str]:
        """Return all keys used so far, which must not appear in the log. For any thread."""
        return self._polls.secrets()

    def waiting_for(self) -> str:
        """Name what it waits for until it is ready: a complete poll of every account, at first.

        A replica is ready while it can read the leases: it serves what others poll, too.
        """
        keeper = self._state.keeper
        if keeper is not None:
            return "" if keeper.readable else "the state database"
        polled = all(each.ledger.snapshot.baselined for each in self._polls.accounts.values())
        return "" if polled else "the first complete poll of every account"

    def _leases(self) -> Leases:
        names = self._polls.accounts
        keeper, follower = self._state.keeper, self._follower
        takeovers = {} if keeper is None else keeper.takeovers
        lost = {} if follower is None else follower.lost
        return Leases(
            held={name: self._state.holds(name) for name in names},
            holders={} if keeper is None else keeper.holders,
            unheld=0 if keeper is None else keeper.unheld,
            takeovers={name: takeovers.get(name, 0) for name in names},
            lost={name: lost.get(name, 0) for name in names},
        )

    async def _keep_exposition_ready(self) -> None:
        """Write what polls changed before it is scraped, so that a scrape only joins it."""
        loop = asyncio.get_running_loop()
        # A thread of its own, as those of the loop may all be busy: until it has run, scrapes send
        # uncompressed what they found changed.
        thread = ThreadPoolExecutor(1, thread_name_prefix="exposition")
        while True:
            await asyncio.sleep(WRITE_EVERY)
            if self._exposition.is_asked:
                with suppress(Exception):  # a scrape fails as well, and tells why
                    ready = self._exposition.keep_ready
                    await loop.run_in_executor(thread, ready, self.snapshot())

    async def _stop_telling(self) -> None:
        """Tell the sinks what is left, then let go of the leases: others wait for them."""
        keeper = self._state.keeper
        await self._delivery.stop(GRACE if keeper is None else LAST_WORDS)
        if keeper is not None:
            await keeper.stop(LAST_WORDS)

    def _account_snapshots(self) -> Iterator[AccountSnapshot]:
        return (
            each.ledger.announced
            for name, each in self._polls.accounts.items()
            if self._state.holds(name)
        )

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
        return len(self._settings.accounts) * self._settings.poll.concurrency


def _unchangeable(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return a line for each changed setting that requires a restart."""
    mistakes = []
    for place in FIXED_SETTINGS:
        section, key = place.split(".")
        if getattr(getattr(before, section), key) != getattr(getattr(after, section), key):
            mistakes.append(f"{place}: cannot be changed by a reload; restart the exporter")
    return tuple(mistakes)
