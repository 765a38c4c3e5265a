"""Examine a simulated account that misbehaves just so, over real connections on loopback."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest

from exporter.address import ListenAddress
from exporter.clock import Clock
from exporter.config import Settings
from exporter.doctor.examination import Examination
from exporter.doctor.findings import AccountReport, Finding, ok
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.telnyx.http import Network
from tests.support.simulation import AdvancingClock, ManualClock

FOUR_KINDS = {"rate": 0.0, "bulk_every": 0.0, "history": 200, "stuck_at_start": 2}
"""An account of one page, of all statuses, in which nothing happens."""

NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


class HastyClock:
    """The clock of the system, but nobody waits."""

    def now(self) -> float:
        """Return the wall clock's time."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some point."""
        return time.monotonic()

    async def sleep(self, _: float) -> None:
        """Let others run."""
        await asyncio.sleep(0)


def settings_for(*urls: str, key: str = "KEY-simulated", **sections: Any) -> Settings:
    """Return the settings of an account for each URL, whose state is in memory."""
    accounts = [
        {"name": f"account-{number}", "api_key": key, "base_url": url}
        for number, url in enumerate(urls)
    ]
    poll = {"rate_limit": 1000, "request_timeout": "5s", **sections.pop("poll", {})}
    given = {"accounts": accounts, "poll": poll, "state": {"url": "sqlite://"}, **sections}
    return Settings.model_validate(given)


async def examined(
    settings: Settings, environ: Mapping[str, str] = NO_VARIABLES, clock: Clock | None = None
) -> tuple[AccountReport, ...]:
    """Return what is found of the accounts of the settings."""
    network = Network.read([each.base_url for each in settings.accounts], environ, strict=False)
    examination = Examination(settings, settings.accounts, network, None, clock or HastyClock())
    await examination.run()
    return examination.report(ok("configuration", "")).accounts


@dataclass
class Examined:
    """What was found of one account, by check, and the simulator that was asked."""

    simulator: Simulator
    checks: dict[str, Finding] = field(default_factory=dict)
    requests: int = 0


Examine = Callable[..., Awaitable[Examined]]


async def examine_simulator(
    options: dict[str, Any] | None = None,
    *,
    ahead: float = 0.0,
    prepare: Callable[[Simulator], object] = lambda _: None,
    address: str = "127.0.0.1",
    waits: bool = False,
    **sections: Any,
) -> Examined:
    """Examine an account with options of the simulator, whose clock is ``ahead`` by seconds.

    If it ``waits``, both follow one clock, which is advanced where the exporter waits.
    """
    given = SimulatorSettings.from_options({**FOUR_KINDS, **(options or {})})
    manual = ManualClock(time.time())
    simulator = Simulator(given, manual if waits else lambda: time.time() + ahead)
    prepare(simulator)
    async with serving(simulator, ListenAddress(address, 0)) as url:
        (report,) = await examined(
            settings_for(url, **sections), clock=AdvancingClock(manual) if waits else None
        )
    checks = {each.check: each for each in report.findings}
    return Examined(simulator, checks, report.requests)


@pytest.fixture
def examine() -> Examine:
    """Give what examines a simulated account: ``examine({"order": "none"})``."""
    return examine_simulator
