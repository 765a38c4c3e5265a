"""Poll a simulated account with the real core, and let single polls go wrong."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.api_key import ApiKey
from exporter.config import Account, LogLevel
from exporter.domain import Status
from exporter.metrics.self_metrics import SelfMetrics
from exporter.scheduling.budget import PollBudget
from exporter.scheduling.poller import Poller, ReportedState
from exporter.sinks.delivery import Delivery
from exporter.sinks.event_log import EventLog
from exporter.sinks.log import LogSink
from exporter.sinks.logging_setup import QUIET_LIBRARIES
from exporter.sync.cycle import Cycle, PollResult
from exporter.sync.filters import AccountFilters
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from tests.log_stream import LogStream, open_log
from tests.support.simulation import AdvancingClock, InProcessTransport, ManualClock
from tests.sync import conftest as sync_fixtures

OpenAccount = Callable[..., Any]
new_store = sync_fixtures.new_store
open_account = sync_fixtures.open_account
SECRET = "KEY-of-the-test"


class Scripted(Cycle):
    """The real cycle, but for the polls that a test lets fail."""

    def __init__(self, real: Cycle, *errors: BaseException | None) -> None:
        """Poll as ``real`` does, and raise ``errors`` first, one a poll; None raises nothing."""
        self._real = real
        self.errors = list(errors)
        self.begun = asyncio.Event()
        self.hangs = False
        self.late_error: BaseException | None = None

    async def run(self) -> PollResult:
        """Poll once."""
        self.begun.set()
        if self.hangs:
            await asyncio.Event().wait()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        result = await self._real.run()
        if self.late_error is not None:
            raise self.late_error
        return result


class Inline:
    """A key that never changes."""

    def begin(self) -> None:
        """Take no note."""

    def renewed(self) -> bool:
        """Tell that it has not changed."""
        return False

    def redact(self, text: str) -> str:
        """Return the text without it."""
        return text.replace(SECRET, "[secret]")


class Rig:
    """A poller over a simulated account, and what it told."""

    def __init__(self, open_account: OpenAccount, event_log: EventLog, stream: LogStream) -> None:
        """Build a poller on the real core."""
        clock = ManualClock()
        self.delivery = Delivery([LogSink(event_log)], Still(clock), event_log)
        self.account = open_account(clock=clock, on_events=self.delivery.wake)
        self.stream = stream
        self.event_log = event_log
        self.telemetry = SelfMetrics("test")
        self.cycle = Scripted(self.account.cycle)
        self.budget = PollBudget(60.0, 86_400.0)
        self.key: Any = Inline()

    def poller(self, reported: ReportedState | None = None) -> Poller:
        """Make a poller."""
        return Poller(
            cycle=self.cycle,
            ledger=self.account.ledger,
            clock=Still(self.account.clock),
            budget=self.budget,
            observer=self.telemetry,
            key=self.key,
            reported=reported or ReportedState("test", self.event_log),
        )

    def read_key_from(self, file: Path) -> None:
        """Let the key come from a file, as it does outside of tests."""
        self.key = ApiKey(Account(api_key_file=str(file)))
        time = AdvancingClock(self.account.clock)
        client = Client(
            base_url="http://telnyx.test/v2",
            key=self.key,
            http=open_http(
                timeout=10, concurrency=4, transport=InProcessTransport(self.account.simulator)
            ),
            limits=ClientLimits(timeout=10, rate=1e6, concurrency=4),
            observer=self.telemetry,
            clock=time,
        )
        self.cycle = Scripted(
            Cycle(
                client=client,
                ledger=self.account.ledger,
                clock=time,
                filters=AccountFilters((), ()),
                audit_interval=1e9,
                page_size=250,
                concurrency=4,
            )
        )

    def restart(self, reported: ReportedState | None = None) -> Poller:
        """Begin anew, as another process would, or one that was already there."""
        self.account.restart()
        self.cycle = Scripted(self.account.cycle)
        return self.poller(reported)

    def fail_some(self, count: int) -> list[str]:
        """Let actions be created and fail."""
        ids: list[str] = self.account.world.create(count, action_type="enable")
        for action_id in ids:
            self.account.world.finish(action_id, Status.FAILED, "SIM card is blocked")
        return ids

    def reported(self, *names: str) -> list[dict[str, Any]]:
        """Return the log events of these names."""
        events = (json.loads(line) for line in self.stream.getvalue().splitlines())
        return [event for event in events if event["event"] in names]

    async def failures(self) -> list[str]:
        """Wait for deliveries, and return the ids of the failures that were told, in order."""
        await self.delivery.settle()
        return [event["action_id"] for event in self.reported("sim_card_action_failed")]


class Still:
    """A clock that stands still; it is the simulator's."""

    def __init__(self, world: Any) -> None:
        """Follow the world's clock."""
        self._world = world

    def now(self) -> float:
        """Return the world's time."""
        return float(self._world())

    def monotonic(self) -> float:
        """Return the world's time."""
        return float(self._world())

    async def sleep(self, seconds: float) -> None:
        """Never needed here."""
        raise NotImplementedError(seconds)


@pytest.fixture
def rig(open_account: OpenAccount) -> Iterator[Rig]:
    """Give a poller of a quiet account, not yet polled; logging is as before in the end."""
    loggers = [logging.getLogger(name) for name in ("", *QUIET_LIBRARIES)]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    log = open_log(level=LogLevel.DEBUG, secrets=lambda: [SECRET])
    yield Rig(open_account, *log)
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
