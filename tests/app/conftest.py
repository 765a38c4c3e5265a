"""Run the whole exporter inside the test's event loop, against simulators on loopback."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from exporter.app import Exporter
from exporter.clock import SystemClock
from exporter.config import Account, Poll, Settings, SimCards, State, Web
from exporter.domain import Status
from exporter.errors import ConfigError
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.sinks.event_log import EventLog
from tests.log_stream import LogStream, open_log
from tests.support.simulation import QUIET

DEADLINE = 15.0
PAUSE = 0.03
"""Seconds between two scrapes: without a pause they would take most of the processor time."""

KEY = "KEY-simulated"


class Rig:
    """A service, what it logged, and the settings that a reload will find."""

    def __init__(self, settings: Settings, event_log: EventLog, stream: LogStream) -> None:
        """Build the service; it does not run yet."""
        self.next: Settings | ConfigError = settings
        self._stream = stream
        self.exporter = Exporter(
            settings, load=self._load, clock=SystemClock(), event_log=event_log
        )
        self.http = httpx.AsyncClient(
            trust_env=False,
            timeout=DEADLINE,
            # To read the certificates would take longer than most tests.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    def _load(self) -> Settings:
        if isinstance(self.next, ConfigError):
            raise self.next
        return self.next

    async def start(self) -> None:
        """Start the service; its client asks there from now on."""
        listening = await self.exporter.start()
        self.http.base_url = httpx.URL(listening.url)

    async def stop(self) -> None:
        """Stop the service and the client."""
        await self.exporter.stop()
        await self.http.aclose()

    async def scrape(self, name: str = "") -> dict[str, dict[tuple[str, ...], float]]:
        """Return the samples by metric, then by label values; with ``name`` only of that one."""
        lines = (await self.http.get("/metrics")).text.splitlines()
        # Reading them all takes longer than being asked again and again allows.
        text = "".join(f"{line}\n" for line in lines if line.startswith(name))
        read: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(sample.labels.values())
                read.setdefault(sample.name, {})[labels] = sample.value
        return read

    async def total(self, name: str, account: str | None = None) -> float:
        """Scrape the sum of one metric, of one account or of all."""
        series = (await self.scrape(name)).get(name, {})
        return sum(value for key, value in series.items() if account is None or account in key)

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(DEADLINE):
            while not await holds():  # noqa: ASYNC110 # only a scrape shows it
                await asyncio.sleep(PAUSE)

    async def until_total(self, name: str, value: float, account: str | None = None) -> None:
        """Wait until a metric has a value."""

        async def reached() -> bool:
            return await self.total(name, account) == value

        await self.until(reached)

    async def until_polled(self) -> None:
        """Wait until one more poll has ended, of any account."""
        before = await self.total("telnyx_exporter_polls_total")

        async def polled() -> bool:
            return await self.total("telnyx_exporter_polls_total") > before

        await self.until(polled)

    async def until_delivered(self) -> None:
        """Wait until the log has what is committed, and the state says so: nothing writes then."""
        await asyncio.wait_for(self.exporter._delivery.settle(), DEADLINE)  # noqa: SLF001 # the seam

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of that name."""
        reported = (json.loads(line) for line in self._stream.getvalue().splitlines())
        return [event for event in reported if event["event"] == name]


@pytest.fixture
async def simulators() -> AsyncIterator[Callable[..., Awaitable[tuple[Simulator, str]]]]:
    """Give a starter of simulated accounts, in which nothing happens by itself."""
    async with AsyncExitStack() as stack:

        async def start(key: str = KEY) -> tuple[Simulator, str]:
            simulator = Simulator(SimulatorSettings(world=QUIET, key=key), SystemClock().now)
            return simulator, await stack.enter_async_context(serving(simulator))

        yield start


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Give a maker of settings: accounts by name and URL, polled often; the state in a file.

    SIM cards are not looked up: tests count requests, and lookups would come beside the polls'.
    """

    def make(accounts: dict[str, str], *, interval: float = 0.05, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "accounts": tuple(
                Account(name=name, api_key=SecretStr(KEY), base_url=url)
                for name, url in accounts.items()
            ),
            "poll": Poll(interval=interval, audit_interval=900.0, rate_limit=1000.0),
            "sim_cards": SimCards(lookup=False),
            "state": State(url=f"sqlite:///{tmp_path}/state.db"),
            "web": Web(listen_address=("127.0.0.1:0",)),
        }
        return Settings(**{**values, **changes})

    return make


@pytest.fixture
def event_log() -> tuple[EventLog, LogStream]:
    """Give an event log in memory."""
    return open_log()


@pytest.fixture
async def build(event_log: tuple[EventLog, LogStream]) -> AsyncIterator[Callable[..., Rig]]:
    """Give a builder of services; those that a test did not stop are stopped in the end."""
    built: list[Rig] = []

    def make(settings: Settings) -> Rig:
        rig = Rig(settings, *event_log)
        built.append(rig)
        return rig

    yield make
    for rig in built:
        if not rig.http.is_closed:
            await rig.http.aclose()  # the service gives open connections half a second
            await rig.stop()


@pytest.fixture
def spoil(tmp_path: Path) -> Callable[[], None]:
    """Give what makes the state file unreadable."""

    def spoil_all() -> None:
        for file in tmp_path.glob("state.db*"):
            if not file.name.endswith(".lock"):
                file.write_bytes(b"no database " * 2000)

    return spoil_all


@pytest.fixture
def fail() -> Callable[..., list[str]]:
    """Give what lets actions be created and fail in a simulator."""

    def some(simulator: Simulator, count: int) -> list[str]:
        simulator.tick()
        ids = simulator.world.create(count, action_type="enable")
        for action_id in ids:
            simulator.world.finish(action_id, Status.FAILED, "SIM card is blocked")
        return ids

    return some


@pytest.fixture
def without_certificates(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Give what takes the certificates to trust away for a while, by the environment."""

    @contextmanager
    def away() -> Iterator[None]:
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = str(tmp_path / "none.pem")
        try:
            yield
        finally:
            del os.environ["SSL_CERT_FILE"]
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before

    return away
