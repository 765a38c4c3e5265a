"""An exporter's core in one process with a simulated account: real client, real database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from exporter.ledger.engine import Database
from exporter.ledger.ledger import Ledger
from exporter.ledger.picture import Frame
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store
from exporter.ledger.view import ENDED, AccountView
from exporter.polling.coverage import Coverage
from exporter.polling.cycle import Cycle
from exporter.simulator.record import ActivityRecord
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.simulator.world import World
from exporter.telnyx.client import Client, Manners
from exporter.telnyx.http import open_http
from tests.support.simulation import QUIET, AdvancingClock, InProcessTransport, ManualClock

ALL = Coverage((), ())
REASONS = Reasons.with_configured(())


class Nobody:
    """Is told of requests, and takes no note."""

    def request_done(self, endpoint: str, code: str, seconds: float) -> None:
        """Take no note."""

    def retrying(self, cause: str) -> None:
        """Take no note."""

    def rate_limit_seen(self, limit: float | None, remaining: float | None) -> None:
        """Take no note."""

    def malformed_seen(self, count: int) -> None:
        """Take no note."""


@dataclass
class Account:
    """One account, its simulator and the exporter's core that polls it."""

    simulator: Simulator
    clock: ManualClock
    cycle: Cycle
    ledger: Ledger
    parts: "Callable[[Simulator, ManualClock], tuple[Cycle, Ledger]]"

    @property
    def world(self) -> World:
        """The world behind the simulator."""
        return self.simulator.world

    @property
    def view(self) -> AccountView:
        """What is published."""
        return self.ledger.view

    async def poll(self, after: float = 60.0) -> int:
        """Poll once, ``after`` so many seconds; returns how many requests that took."""
        self.clock.advance(after)
        self.simulator.requests.clear()
        await self.cycle.run()
        return len(self.simulator.requests)

    def restart(self) -> None:
        """Forget all that is in memory, as a new process would begin."""
        self.cycle, self.ledger = self.parts(self.simulator, self.clock)

    def differences(self, since: ActivityRecord | None = None) -> dict[str, tuple[int, int]]:
        """Compare every counter with the world's own record; empty where all are equal."""
        record = self.world.record()
        if since is not None:
            record = record.since(since)
        view = self.view
        counted = {
            "created": sum(view.created.values()),
            **{f"completed {kind}": count for kind, count in view.completed.items()},
            **{f"failed {kind}": 0 for kind, _ in view.failed},
            **{f"interrupted {kind}": 0 for kind, _ in view.interrupted},
        }
        for name, by_reason in (("failed", view.failed), ("interrupted", view.interrupted)):
            for (kind, _), count in by_reason.items():
                counted[f"{name} {kind}"] += count
        truth = {
            "created": sum(record.created.values()),
            **{
                f"{status.value} {kind}": count
                for status in ENDED
                for kind, count in record.by_type(status).items()
            },
        }
        return {
            name: (counted.get(name, 0), truth.get(name, 0))
            for name in counted.keys() | truth.keys()
            if counted.get(name, 0) != truth.get(name, 0)
        }


class OpenAccount(Protocol):
    """Opens an account whose world has the given settings; audits are rare unless asked for."""

    def __call__(
        self,
        world: WorldSettings = ...,
        *,
        coverage: Coverage = ...,
        audit_interval: float = ...,
        page_size: int = ...,
        concurrency: int = ...,
        clock: ManualClock | None = ...,
    ) -> Account:
        """Open the account; nothing is polled yet."""
        ...


@pytest.fixture
def open_account(tmp_path: Path) -> Iterator[OpenAccount]:
    """Open accounts, each with a state file of its own."""
    worker = ThreadPoolExecutor(1)
    stores: list[Store] = []

    def open_one(
        world: WorldSettings = QUIET,
        *,
        coverage: Coverage = ALL,
        audit_interval: float = 1e9,
        page_size: int = 250,
        concurrency: int = 4,
        clock: ManualClock | None = None,
    ) -> Account:
        clock = clock or ManualClock()
        simulator = Simulator(SimulatorSettings(world=world), clock)
        number = len(stores)

        def parts(simulator: Simulator, clock: ManualClock) -> tuple[Cycle, Ledger]:
            for each in stores[number:]:
                worker.submit(each.close).result()
            store = Store(Database(f"sqlite:///{tmp_path}/state-{number}.db"))
            stores.append(store)
            time = AdvancingClock(clock)
            client = Client(
                base_url="http://telnyx.test/v2",
                key=lambda: simulator.key,
                http=open_http(timeout=10, concurrency=4, transport=InProcessTransport(simulator)),
                manners=Manners(timeout=10, rate=1e6, concurrency=concurrency),
                observer=Nobody(),
                clock=time,
            )
            ledger = Ledger(
                name="test",
                store=store,
                worker=worker,
                reasons=REASONS,
                frame=Frame(
                    action_types=coverage.action_types,
                    statuses=coverage.statuses,
                    stuck_after={},
                    stuck_after_default=900.0,
                    reason_classes=REASONS.classes,
                ),
            )
            cycle = Cycle(
                client=client,
                ledger=ledger,
                clock=time,
                coverage=coverage,
                audit_interval=audit_interval,
                page_size=page_size,
                concurrency=concurrency,
            )
            return cycle, ledger

        return Account(simulator, clock, *parts(simulator, clock), parts)

    yield open_one
    for each in stores:
        worker.submit(each.close).result()
    worker.shutdown()
