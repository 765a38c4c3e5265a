"""One account at work: its client, ledger and poller, put together from the settings.

It builds and takes apart; what runs when is the schedule's matter, and what is shown the
service's.
"""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from exporter.clock import Clock
from exporter.config import Account, Settings, read_api_key
from exporter.errors import ConfigError
from exporter.ledger.ledger import Ledger
from exporter.ledger.picture import Frame
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.store import Store
from exporter.ledger.view import Status
from exporter.polling.coverage import Coverage
from exporter.polling.cycle import Cycle
from exporter.polling.head import CHUNK
from exporter.polling.pace import Pace
from exporter.polling.poller import Poller, Told
from exporter.publish.health import Telemetry
from exporter.publish.journal import STRUCK_OUT, Journal
from exporter.telnyx.client import Client, Manners
from exporter.telnyx.http import Network, open_http
from exporter.telnyx.window import Window

NOBODY: Mapping[str, Any] = MappingProxyType({})
"""No account: there was nothing before."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all accounts share."""

    store: Store
    worker: ThreadPoolExecutor
    clock: Clock
    journal: Journal
    network: Network


class Key:
    """The API key of an account, read anew at each request as its file may change."""

    def __init__(self, account: Account) -> None:
        """Keep where it comes from."""
        self._account = account
        self._last = ""
        self._first, self._steady = True, True

    def __call__(self) -> str:
        """Return the key; raises ConfigError where it cannot be read."""
        try:
            key = read_api_key(self._account)
        except ConfigError:
            self._steady = False
            raise
        self._steady = self._steady and (self._first or key == self._last)
        self._first = False
        self._last = key
        return key

    def is_sent_by(self, other: "Key") -> bool:
        """Tell whether another has sent the same key last."""
        try:
            return read_api_key(self._account) == other.last
        except ConfigError:
            return False

    def begin(self) -> None:
        """Take note, from now on, whether the key stays the same from request to request."""
        self._first, self._steady = True, True

    def renewed(self) -> bool:
        """Tell whether there is a key now, and not all requests since `begin` had that one.

        A file that cannot be read is being replaced, perhaps: it says nothing new as yet.
        """
        try:
            key = read_api_key(self._account)
        except ConfigError:
            return False
        return not self._steady or key != self._last

    def __repr__(self) -> str:
        """Say whose it is, not what it is."""
        return f"Key({self._account.name!r})"

    def strike_out(self, text: str) -> str:
        """Return ``text`` without the key."""
        return text.replace(self._last, STRUCK_OUT) if self._last else text

    @property
    def last(self) -> str:
        """Return the key that was read last, to be struck out of logs; empty at first."""
        return self._last


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one account that others need."""

    account: Account
    pace: Pace
    ledger: Ledger
    poller: Poller
    telemetry: Telemetry
    told: Told
    key: Key
    window: Window
    close: Callable[[], Awaitable[None]]
    """Closes the connections; the polls have to have ended."""

    @classmethod
    def build(
        cls,
        settings: Settings,
        account: Account,
        shared: Shared,
        earlier: Mapping[str, Self] = NOBODY,
    ) -> Self:
        """Put the parts of ``account`` together.

        ``earlier`` are the accounts as they were before a reload, by name: the tallies of this
        one go on, and a rate limit that is spent stays so for the same key at the same server.
        """
        poll = settings.poll
        before = earlier.get(account.name)
        telemetry = Telemetry(account.name) if before is None else before.telemetry
        told = Told(account.name, shared.journal) if before is None else before.told
        key = Key(account)
        alike = (each for each in earlier.values() if each.account.base_url == account.base_url)
        windows = (each.window for each in alike if key.is_sent_by(each.key))
        window = next(windows, None) or Window(shared.clock)
        statuses = tuple(Status(each) for each in account.statuses)
        reasons = Reasons.with_configured(
            [Rule(each.reason_class, each.match) for each in settings.reasons]
        )
        ledger = Ledger(
            name=account.name,
            store=shared.store,
            worker=shared.worker,
            reasons=reasons,
            frame=Frame(
                action_types=account.action_types,
                statuses=statuses,
                stuck_after=dict(settings.stuck_after.model_extra or {}),
                stuck_after_default=settings.stuck_after.default,
                reason_classes=reasons.classes,
            ),
        )
        route = shared.network.routes[account.base_url]
        http = open_http(timeout=poll.request_timeout, concurrency=poll.concurrency, route=route)
        client = Client(
            base_url=account.base_url,
            key=key,
            http=http,
            manners=Manners(poll.request_timeout, poll.rate_limit, poll.concurrency),
            observer=telemetry,
            clock=shared.clock,
            window=window,
            route=route,
        )
        cycle = Cycle(
            client=client,
            ledger=ledger,
            clock=shared.clock,
            coverage=Coverage(account.action_types, statuses),
            audit_interval=poll.audit_interval,
            page_size=poll.page_size,
            concurrency=poll.concurrency,
            on_sweep=telemetry.sweep_started,
        )
        pace = Pace(
            poll.interval,
            settings.state.retention,
            # Twice what the rate limit allows, or a second each over all connections.
            page_time=2 * max(1 / poll.rate_limit, 1 / poll.concurrency),
            page_size=poll.page_size,
            chunk_time=2 * CHUNK * poll.request_timeout / poll.concurrency,
        )
        poller = Poller(
            cycle=cycle,
            ledger=ledger,
            clock=shared.clock,
            pace=pace,
            tally=telemetry,
            key=key,
            told=told,
        )
        return cls(account, pace, ledger, poller, telemetry, told, key, window, http.aclose)
