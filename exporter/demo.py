"""The demo: a simulated account, the exporter and a page to open, in one process.

It needs no key and no file, and keeps its state in memory.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from exporter.address import ListenAddress
from exporter.clock import Clock
from exporter.config import Account, Poll, Settings, State, StuckAfter
from exporter.publish.journal import Journal
from exporter.service import Service
from exporter.simulator.server import serving
from exporter.simulator.settings import DEMO
from exporter.simulator.simulator import Simulator

INTERVAL = 2.0
"""Seconds between two polls: short, so that something happens soon."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running demo: the addresses of its page and its simulated API."""

    page: ListenAddress
    api: str


@asynccontextmanager
async def demo(
    listen_address: Sequence[str], *, clock: Clock, journal: Journal
) -> AsyncIterator[Running]:
    """Run the demo while the context lasts.

    Raises ConfigError if an address is invalid, UsageError if it is in use.
    """
    async with serving(Simulator(DEMO, time.time)) as api:
        settings = Settings(
            accounts=(Account(name="demo", api_key=SecretStr(DEMO.key), base_url=api),),
            poll=Poll(interval=INTERVAL, audit_interval=60.0, rate_limit=100.0),
            stuck_after=StuckAfter(default=600.0),
            state=State(url="sqlite://"),
        ).with_overrides(listen_address=listen_address)
        service = Service(settings, load=lambda: settings, clock=clock, journal=journal)
        try:
            yield Running(await service.start(), api)
        finally:
            await service.stop()


def welcome(running: Running) -> str:
    """Return the URLs to open and the metrics to look for."""
    page = running.page.url
    return f"""
  Open     {page}/  accounts, actions in flight, latest failures with their reasons
  Metrics  {page}/metrics

  Within a minute, look for
    telnyx_sim_card_actions_failed_total       failures by action type and reason class
    telnyx_sim_card_actions_interrupted_total  interruptions, which the API has no filter for
    telnyx_sim_card_actions_stuck              actions in progress for longer than ten minutes
  Each failure is logged below with its full reason. The simulated Telnyx API is at
  {running.api}

  Stop with Ctrl-C; nothing is written to disk.
"""
