"""One simulated account with the exporter's core on it, in one process and without a network."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from exporter.ledger.engine import Database
from exporter.ledger.ledger import Ledger
from exporter.ledger.picture import Frame
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store
from exporter.polling.coverage import Coverage
from exporter.polling.cycle import Cycle
from exporter.publish.health import Telemetry
from exporter.simulator.clock import ManualClock, WorldClock
from exporter.simulator.inprocess import InProcessTransport
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.telnyx.client import Client, Manners
from exporter.telnyx.http import open_http

UNLIMITED = 1e9
"""Requests a second: no benchmark waits for the rate limiter."""


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


def open_account(world: WorldSettings, worker: ThreadPoolExecutor) -> Account:
    """Open an account whose state is kept in memory."""
    clock = ManualClock()
    simulator = Simulator(SimulatorSettings(world=world), clock)
    time = WorldClock(clock)
    client = Client(
        base_url="http://telnyx.test/v2",
        key=lambda: simulator.key,
        http=open_http(timeout=10, concurrency=4, transport=InProcessTransport(simulator)),
        manners=Manners(timeout=10, rate=UNLIMITED, concurrency=4),
        observer=Telemetry("benchmark"),
        clock=time,
    )
    reasons = Reasons.with_configured(())
    ledger = Ledger(
        name="benchmark",
        store=Store(Database("sqlite://")),
        worker=worker,
        reasons=reasons,
        frame=Frame((), (), {}, 900.0, reasons.classes),
    )
    cycle = Cycle(
        client=client,
        ledger=ledger,
        clock=time,
        coverage=Coverage((), ()),
        audit_interval=1e9,
        page_size=250,
        concurrency=4,
    )
    return Account(simulator, clock, cycle, ledger)
