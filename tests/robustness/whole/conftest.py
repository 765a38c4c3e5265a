"""The whole exporter in the test's event loop, over real HTTP on both sides."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from exporter.app import Exporter
from exporter.config import Account, Poll, Settings, State, Web
from tests.log_stream import open_log

DEADLINE = 15.0
PAUSE = 0.03
"""Seconds between two scrapes: without a pause they would take most of the processor time."""

KEY = "KEY-simulated"


class Time:
    """The real time, in which waiting takes none; ``ahead`` is added to the wall clock."""

    def __init__(self, ahead: float) -> None:
        """Begin with nothing skipped."""
        self.ahead, self.skipped = ahead, 0.0

    def now(self) -> float:
        """Return the wall clock's time."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Return the real time and what was waited."""
        return time.monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        """Skip a wait."""
        self.skipped += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one scrape of /metrics said, by series."""

    series: dict[str, float]

    def total(self, name: str, account: str = "") -> float:
        """Return the sum of one metric, of one account or of all."""
        begin = f'{name}{{account="{account}'
        return sum(value for key, value in self.series.items() if key.startswith(begin))

    @property
    def up(self) -> float:
        """How many accounts are up."""
        return self.total("telnyx_up")

    @property
    def failures(self) -> float:
        """How many polls failed."""
        return self.total("telnyx_exporter_poll_failures_total")

    @property
    def causes(self) -> set[str]:
        """Why polls failed."""
        begin = "telnyx_exporter_poll_failures_total{"
        failed = (key for key, n in self.series.items() if n and key.startswith(begin))
        return {key.split('cause="')[1].split('"')[0] for key in failed}

    @property
    def created(self) -> float:
        """How many actions were counted as created."""
        return self.total("telnyx_sim_card_actions_created_total")

    @property
    def failed(self) -> float:
        """How many actions were counted as failed."""
        return self.total("telnyx_sim_card_actions_failed_total")

    @property
    def domain(self) -> dict[str, float]:
        """What is said of SIM card actions, by series."""
        begin = "telnyx_sim_card_action"
        return {key: value for key, value in self.series.items() if key.startswith(begin)}


class RunningExporter:
    """A service over real HTTP on both sides, and what it has told so far."""

    def __init__(self, settings: Settings, ahead: float) -> None:
        """Build it; it does not run yet."""
        self.time = Time(ahead)
        event_log, self._log = open_log()
        self.app = Exporter(settings, load=lambda: settings, clock=self.time, event_log=event_log)
        self.http = httpx.AsyncClient(
            trust_env=False,
            timeout=DEADLINE,
            # To read the certificates would take longer than most tests.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    async def start(self) -> None:
        """Start the service."""
        self.http.base_url = httpx.URL((await self.app.start()).url)

    async def stop(self) -> None:
        """Stop it, if it runs."""
        if not self.http.is_closed:
            await self.http.aclose()  # the service gives open connections half a second
            await self.app.stop()

    async def look(self) -> Exposed:
        """Scrape; there has to be an answer whenever it is asked for."""
        answer = (await self.http.get("/metrics")).raise_for_status()
        lines = answer.text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("telnyx_"))
        return Exposed({series: float(value) for series, value in pairs})

    async def status(self, path: str) -> int:
        """Return the HTTP status of a page."""
        return (await self.http.get(path)).status_code

    async def until(self, holds: Callable[[Exposed], bool]) -> Exposed:
        """Wait until a condition holds; returns the scrape in which it does."""
        async with asyncio.timeout(DEADLINE):
            while not holds(seen := await self.look()):  # noqa: ASYNC110 # no event
                await asyncio.sleep(PAUSE)
        return seen

    async def until_polled(self, times: int = 1, account: str = "") -> Exposed:
        """Wait until so many more polls have ended."""
        polls = "telnyx_exporter_polls_total"
        before = (await self.look()).total(polls, account)
        return await self.until(lambda seen: seen.total(polls, account) >= before + times)

    async def failures(self, count: int) -> list[str]:
        """Wait until so many failures are logged; returns the ids of all that are."""
        await self.until(lambda _: len(self.events("sim_card_action_failed")) >= count)
        return [event["action_id"] for event in self.events("sim_card_action_failed")]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of that name."""
        told = (json.loads(line) for line in self._log.getvalue().splitlines())
        return [event for event in told if event["event"] == name]


@pytest.fixture
async def export(
    stack: AsyncExitStack, tmp_path: Path
) -> Callable[..., Awaitable[RunningExporter]]:
    """Give a starter of exporters, of accounts by their URLs, polled often."""

    async def start(
        accounts: dict[str, str], request_timeout: float = 10.0, ahead: float = 0.0
    ) -> RunningExporter:
        exporter = RunningExporter(
            Settings(
                accounts=tuple(
                    Account(name=name, api_key=SecretStr(KEY), base_url=url)
                    for name, url in accounts.items()
                ),
                poll=Poll(
                    interval=0.05,
                    audit_interval=900.0,
                    rate_limit=1000.0,
                    request_timeout=request_timeout,
                ),
                state=State(url=f"sqlite:///{tmp_path}/state.db"),
                web=Web(listen_address=("127.0.0.1:0",)),
            ),
            ahead,
        )
        await exporter.start()
        stack.push_async_callback(exporter.stop)
        return exporter

    return start


@pytest.fixture
async def running(
    export: Callable[..., Awaitable[RunningExporter]], api: Any
) -> Callable[..., Awaitable[RunningExporter]]:
    """Give a starter of an exporter that has counted two failures, with one action in flight."""

    async def start(request_timeout: float = 10.0) -> RunningExporter:
        exporter = await export({"default": api.url}, request_timeout)
        await exporter.until(lambda seen: seen.up == 1)
        api.happen(3, failed=2)
        await exporter.until(lambda seen: seen.failed == 2)
        return exporter

    return start
