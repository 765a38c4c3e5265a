"""One account with the exporter's core on it, in one process and without a network."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.self_metrics import SelfMetrics
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.sinks.delivery import Delivery
from exporter.sync.cycle import Cycle
from exporter.sync.filters import AccountFilters
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.support.simulation import AdvancingClock, InProcessTransport, ManualClock

UNLIMITED = 1e9
"""Requests a second: no benchmark waits for the rate limiter."""

NAME = "benchmark"
"""The account's name, unless another is given."""

KEY = SimulatorSettings().key
"""The key that the simulator takes unless told otherwise."""

PAGE = 250
CONCURRENCY = 4
"""As the exporter's settings are by default."""


@dataclass(frozen=True, slots=True)
class Account:
    """A simulator and the cycle that polls it."""

    simulator: Simulator
    clock: ManualClock
    cycle: Cycle
    ledger: Ledger

    async def poll(self) -> int:
        """Poll a minute later; returns how many requests that took."""
        self.clock.advance(60)
        served = self.simulator.served
        await self.cycle.run()
        return self.simulator.served - served


def open_account(
    world: WorldSettings,
    worker: ThreadPoolExecutor,
    *,
    store: SqliteStore | None = None,
    clock: ManualClock | None = None,
) -> Account:
    """Open an account; unless a ``store`` is given, its state is kept in memory."""
    clock = clock or ManualClock()
    simulator = Simulator(SimulatorSettings(world=world), clock)
    time = AdvancingClock(clock)
    cycle, ledger = open_core(
        InProcessTransport(simulator), time, store or SqliteStore(Database("sqlite://")), worker
    )
    return Account(simulator, clock, cycle, ledger)


def open_core(
    transport: httpx.AsyncBaseTransport,
    clock: Clock,
    store: SqliteStore,
    worker: ThreadPoolExecutor,
    *,
    name: str = NAME,
    audit_interval: float = 1e9,
    delivery: Delivery | None = None,
) -> tuple[Cycle, Ledger]:
    """Put the exporter's core on a ``transport``; audited at the first poll only, unless said."""
    reasons = Reasons.with_configured(())
    ledger = Ledger(
        name=name,
        store=store,
        worker=worker,
        reasons=reasons,
        options=SnapshotOptions((), (), {}, 900.0, reasons.classes),
        sinks=() if delivery is None else delivery.sinks,
        on_events=(lambda _: None) if delivery is None else delivery.wake,
    )
    client = Client(
        base_url="http://telnyx.test/v2",
        key=lambda: KEY,
        http=open_http(timeout=10, concurrency=CONCURRENCY, transport=transport),
        limits=ClientLimits(timeout=10, rate=UNLIMITED, concurrency=CONCURRENCY),
        observer=SelfMetrics(name),
        clock=clock,
    )
    cycle = Cycle(
        client=client,
        ledger=ledger,
        clock=clock,
        filters=AccountFilters((), ()),
        audit_interval=audit_interval,
        page_size=PAGE,
        concurrency=CONCURRENCY,
    )
    return cycle, ledger
