"""A simulated account with the exporter's core on it, in one process and without a network."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.core import open_core
from exporter.ledger.ledger import Ledger
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.sync.cycle import Cycle
from tests.support.simulation import AdvancingClock, InProcessTransport, ManualClock


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
