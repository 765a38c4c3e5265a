"""An exporter's core in one process with a simulated account: real client, real database."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from exporter.domain import ENDED_STATUSES, ProblemOutcome, ProblemStatus
from exporter.ledger.ledger import Ledger
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import AccountSnapshot, SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.postgresql import open_postgresql
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.store.sqlite import SqliteStore
from exporter.simulator.record import ActivityRecord
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.simulator.world import World
from exporter.sync.bulk import BulkFollower
from exporter.sync.cycle import Cycle
from exporter.sync.filters import AccountFilters
from exporter.sync.naming import Naming, NamingOptions
from exporter.sync.progress import Progress
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.ledger.store.contract import Holder
from tests.support.postgresql import Cluster
from tests.support.simulation import QUIET, AdvancingClock, InProcessTransport, ManualClock

ALL = AccountFilters((), ())
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
class OddAnswers(httpx.AsyncBaseTransport):
    """Sends requests to a simulator, but for those for SIM cards and bulks that ``odd`` answers."""

    simulator: httpx.AsyncBaseTransport
    odd: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        optional = any(each in str(request.url) for each in ("/sim_cards", "bulk_"))
        answer = self.odd(request) if optional else None
        return answer or await self.simulator.handle_async_request(request)


@dataclass
class Account:
    """One account, its simulator and the exporter's core that polls it."""

    simulator: Simulator
    clock: ManualClock
    cycle: Cycle
    ledger: Ledger
    parts: "Callable[[Simulator, ManualClock], tuple[Cycle, Ledger]]"
    answers: OddAnswers
    progress: list[Progress] = field(default_factory=list)
    broken: int = 0

    @property
    def world(self) -> World:
        """The world behind the simulator."""
        return self.simulator.world

    @property
    def snapshot(self) -> AccountSnapshot:
        """What is published."""
        return self.ledger.snapshot

    async def poll(self, after: float = 60.0) -> int:
        """Poll once, ``after`` so many seconds; returns how many requests that took."""
        self.clock.advance(after)
        self.simulator.requests.clear()
        await self.cycle.run()
        return len(self.simulator.requests)

    def restart(self) -> None:
        """Forget all that is in memory, as a new process would begin."""
        self.cycle, self.ledger = self.parts(self.simulator, self.clock)

    def differences(self, since: ActivityRecord | None = None) -> dict[str, tuple[Any, Any]]:
        """Compare every counter with the world's own record; empty where all are equal."""
        record = self.world.record()
        if since is not None:
            record = record.since(since)
        snapshot = self.snapshot
        counted: dict[str, Any] = {
            "created": sum(snapshot.created.values()),
            **{
                f"completed {action_type}": count
                for action_type, count in snapshot.completed.items()
            },
            **{f"failed {action_type}": 0 for action_type, _ in snapshot.failed},
            **{f"interrupted {action_type}": 0 for action_type, _ in snapshot.interrupted},
        }
        for name, by_reason in (("failed", snapshot.failed), ("interrupted", snapshot.interrupted)):
            for (action_type, _), count in by_reason.items():
                counted[f"{name} {action_type}"] += count
        truth: dict[str, Any] = {
            "created": sum(record.created.values()),
            **{
                f"{status.value} {action_type}": count
                for status in ENDED_STATUSES
                for action_type, count in record.by_type(status).items()
            },
        }
        problems = record.problems
        # An action that is stuck is in progress, which is all that the world knows of it.
        counted["open"] = {
            (each.sim_card_id, each.concern)
            for each in snapshot.problems
            if each.status is not ProblemStatus.STUCK
        }
        truth["open"] = set(problems.open)
        for concern in snapshot.problems_opened:
            counted[f"opened {concern}"] = snapshot.problems_opened[concern]
            counted[f"mended {concern}"] = snapshot.problems_closed[concern, ProblemOutcome.MENDED]
            # Opened and mended at once, or not at all: that depends on which is seen first.
            extra = counted[f"opened {concern}"] - problems.opened.get(concern, 0)
            if 0 < extra <= problems.moot.get(concern, 0):
                counted[f"opened {concern}"] -= extra
                counted[f"mended {concern}"] -= extra
        for concern in problems.opened.keys() | problems.mended.keys():
            truth[f"opened {concern}"] = problems.opened.get(concern, 0)
            truth[f"mended {concern}"] = problems.mended.get(concern, 0)
        wrong, missed = counted["open"] - truth["open"], truth["open"] - counted["open"]
        counted["open"], truth["open"] = sorted(wrong), sorted(missed)
        return {
            name: (counted.get(name, 0), truth.get(name, 0))
            for name in counted.keys() | truth.keys()
            if counted.get(name, 0) != truth.get(name, 0)
        }


class OpenAccount(Protocol):
    """Opens an account whose world has the given settings; audits are rare unless asked for."""

    def __call__(  # noqa: PLR0913 - settings, each by its name
        self,
        world: WorldSettings = ...,
        *,
        filters: AccountFilters = ...,
        audit_interval: float = ...,
        page_size: int = ...,
        concurrency: int = ...,
        clock: ManualClock | None = ...,
        on_events: Callable[[Ledger], None] = ...,
        lookups: int = ...,
        on_lookups: Callable[[str | None], None] = ...,
        stuck_after: float = ...,
        bulks: bool = ...,
        on_bulks: Callable[[str | None], None] = ...,
        shows_bulk: Callable[[str], bool] = ...,
    ) -> Account:
        """Open the account; nothing is polled yet."""
        ...


@pytest.fixture
def new_store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[int], LedgerStore]]:
    """Give the way to open a store on the state of a number: in SQLite unless PostgreSQL is asked.

    In PostgreSQL that is always the same database; each number has an account of its own name.
    """
    if getattr(request, "param", "sqlite") == "sqlite":
        yield lambda number: SqliteStore(Database(f"sqlite:///{tmp_path}/state-{number}.db"))
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    database = cluster.new_database()
    fence = Holder(cluster.url(database), cluster.password_file)
    yield lambda _: open_postgresql(cluster.url(database), cluster.password_file, fence=fence)
    fence.table.close()
    cluster.drop_database(database)


@pytest.fixture
def open_account(new_store: Callable[[int], LedgerStore]) -> Iterator[OpenAccount]:
    """Open accounts, each with a state of its own."""
    worker = ThreadPoolExecutor(1)
    stores: list[LedgerStore] = []

    def open_one(  # noqa: PLR0913 - as declared above
        world: WorldSettings = QUIET,
        *,
        filters: AccountFilters = ALL,
        audit_interval: float = 1e9,
        page_size: int = 250,
        concurrency: int = 4,
        clock: ManualClock | None = None,
        on_events: Callable[[Ledger], None] = lambda _: None,
        lookups: int = 0,
        on_lookups: Callable[[str | None], None] = lambda _: None,
        # The world's own record knows nothing of what is stuck.
        stuck_after: float = 1e12,
        bulks: bool = False,
        on_bulks: Callable[[str | None], None] = lambda _: None,
        shows_bulk: Callable[[str], bool] = lambda _: True,
    ) -> Account:
        clock = clock or ManualClock()
        simulator = Simulator(SimulatorSettings(world=world), clock)
        answers = OddAnswers(InProcessTransport(simulator))
        number = len(stores)
        progress: list[Progress] = []

        def parts(simulator: Simulator, clock: ManualClock) -> tuple[Cycle, Ledger]:
            for each in stores[number:]:
                worker.submit(each.close).result()
            store = new_store(number)
            stores.append(store)
            time = AdvancingClock(clock)
            client = Client(
                base_url="http://telnyx.test/v2",
                key=lambda: simulator.key,
                http=open_http(timeout=10, concurrency=4, transport=answers),
                limits=ClientLimits(timeout=10, rate=1e6, concurrency=concurrency),
                observer=Nobody(),
                clock=time,
            )
            ledger = Ledger(
                name=f"test-{number}",
                store=store,
                worker=worker,
                reasons=REASONS,
                options=SnapshotOptions(
                    action_types=filters.action_types,
                    statuses=filters.statuses,
                    stuck_after={},
                    stuck_after_default=stuck_after,
                    reason_classes=REASONS.classes,
                ),
                sinks=("log",),
                on_events=on_events,
            )
            cycle = Cycle(
                client=client,
                ledger=ledger,
                clock=time,
                filters=filters,
                audit_interval=audit_interval,
                page_size=page_size,
                concurrency=concurrency,
                on_progress=progress.append,
                naming=Naming(client, time, NamingOptions(86400.0, lookups), on_lookups)
                if lookups
                else None,
                bulks=BulkFollower(
                    client,
                    time,
                    audit_interval=audit_interval,
                    shows=shows_bulk,
                    on_change=on_bulks,
                )
                if bulks
                else None,
            )
            return cycle, ledger

        return Account(simulator, clock, *parts(simulator, clock), parts, answers, progress)

    yield open_one
    for each in stores:
        worker.submit(each.close).result()
    worker.shutdown()
