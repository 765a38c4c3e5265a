"""Builds the parts of one account from the settings: client, ledger, cycle, poller.

It must not run them, which is up to the scheduler.
"""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Self

from exporter.account_client import open_client
from exporter.api_key import ApiKey
from exporter.clock import Clock
from exporter.config import Account, Settings
from exporter.ledger.ledger import Ledger
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.views import options_of, reasons_of
from exporter.metrics.self_metrics import SelfMetrics
from exporter.scheduling.budget import PollBudget
from exporter.scheduling.poller import Poller, ReportedState
from exporter.sinks.delivery import Delivery
from exporter.sinks.event_log import EventLog
from exporter.sync.bulk import LONGEST_READING, BulkFollower
from exporter.sync.cycle import Cycle
from exporter.sync.discovery import CHUNK_PAGES
from exporter.sync.filters import AccountFilters
from exporter.sync.naming import LONGEST_LOOKUP, Naming, NamingOptions
from exporter.sync.progress import Progress
from exporter.telnyx.http import Network
from exporter.telnyx.rate_limit_gate import RateLimitGate

NO_ACCOUNTS: Mapping[str, Any] = MappingProxyType({})
"""No previous accounts."""


@dataclass(frozen=True, slots=True)
class SharedResources:
    """What all accounts share.

    ``holds`` tells whether this process may poll an account; ``leased`` whether that can change.
    """

    store: LedgerStore
    worker: ThreadPoolExecutor
    clock: Clock
    event_log: EventLog
    network: Network
    delivery: Delivery
    holds: Callable[[str], bool] = lambda _: True
    leased: bool = False


@dataclass(frozen=True, slots=True)
class AccountRuntime:
    """The parts of one account that others need."""

    account: Account
    budget: PollBudget
    ledger: Ledger
    poller: Poller
    self_metrics: SelfMetrics
    reported: ReportedState
    key: ApiKey
    gate: RateLimitGate
    close: Callable[[], Awaitable[None]]
    """Closes the connections; must be called after the polls have ended."""

    @classmethod
    def build(
        cls,
        settings: Settings,
        account: Account,
        shared: SharedResources,
        earlier: Mapping[str, Self] = NO_ACCOUNTS,
    ) -> Self:
        """Build the parts of ``account``.

        ``earlier`` has the accounts before a reload, by name: the self-metrics of this account are
        kept, and an exhausted rate limit remains exhausted for the same key on the same server,
        and the same managed account.
        """
        poll = settings.poll
        before = earlier.get(account.name)
        self_metrics = SelfMetrics(account.name) if before is None else before.self_metrics
        if before is None and shared.leased:
            self_metrics.unheld()
        reported = (
            ReportedState(account.name, shared.event_log) if before is None else before.reported
        )
        key = ApiKey(account)
        alike = (
            each
            for each in earlier.values()
            if each.account.base_url == account.base_url
            and each.account.managed_account_id == account.managed_account_id
        )
        gates = (each.gate for each in alike if key.is_sent_by(each.key))
        gate = next(gates, None) or RateLimitGate(shared.clock)
        reasons = reasons_of(settings)
        options = options_of(settings, account, reasons)
        ledger = Ledger(
            name=account.name,
            store=shared.store,
            worker=shared.worker,
            reasons=reasons,
            options=options,
            sinks=shared.delivery.sinks,
            on_events=shared.delivery.wake,
            is_held=partial(shared.holds, account.name),
        )
        if before is not None:
            ledger.go_on_from(before.ledger)
        client, close = open_client(
            account,
            poll,
            key=key,
            route=shared.network.routes[account.base_url],
            observer=self_metrics,
            clock=shared.clock,
            gate=gate,
            transport=shared.network.connect(account.base_url),
        )

        def note_progress(progress: Progress) -> None:
            self_metrics.progressed(progress)
            reported.note_progress(progress)

        cycle = Cycle(
            client=client,
            ledger=ledger,
            clock=shared.clock,
            filters=AccountFilters(options.action_types, options.statuses),
            audit_interval=poll.audit_interval,
            page_size=poll.page_size,
            concurrency=poll.concurrency,
            on_sweep=self_metrics.sweep_started,
            on_progress=note_progress,
            naming=Naming(
                client,
                shared.clock,
                NamingOptions(
                    settings.sim_cards.refresh,
                    _lookups(settings),
                    min(poll.interval / 2, LONGEST_LOOKUP),
                ),
                on_change=lambda error: reported.note_lookups(error and key.redact(error)),
            ),
            bulks=BulkFollower(
                client,
                shared.clock,
                audit_interval=poll.audit_interval,
                seconds=min(poll.interval / 4, LONGEST_READING),
                shows=options.shows_bulk,
                on_change=lambda error: reported.note_bulks(error and key.redact(error)),
            )
            if options.shows_bulks
            else None,
        )
        budget = PollBudget(
            poll.interval,
            settings.state.retention,
            # Twice the time that the rate limit requires, or that one-second responses take.
            page_time=2 * max(1 / poll.rate_limit, 1 / poll.concurrency),
            page_size=poll.page_size,
            chunk_time=2 * CHUNK_PAGES * poll.request_timeout / poll.concurrency,
        )
        poller = Poller(
            cycle=cycle,
            ledger=ledger,
            clock=shared.clock,
            budget=budget,
            observer=self_metrics,
            key=key,
            reported=reported,
        )
        return cls(account, budget, ledger, poller, self_metrics, reported, key, gate, close)


def _lookups(settings: Settings) -> int:
    """Return how many requests for SIM cards a poll may send: they take half its interval."""
    if not settings.sim_cards.lookup:
        return 0
    affordable = int(settings.poll.rate_limit * settings.poll.interval / 2)
    return max(1, min(settings.sim_cards.requests_per_poll, affordable))
