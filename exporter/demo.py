"""The demo: a simulated account, the exporter and a page to open, in one process.

It needs no key and no file, and leaves nothing behind: what is known is kept in memory.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from exporter.address import ListenAddress
from exporter.app import Exporter
from exporter.clock import Clock
from exporter.config import Account, Poll, Settings, State, StuckAfter
from exporter.simulator.server import serving
from exporter.simulator.settings import DEMO
from exporter.simulator.simulator import Simulator
from exporter.sinks.event_log import EventLog

INTERVAL = 2.0
"""Seconds between two polls: short, so that there is something to see."""


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that runs: where the page is, and where the simulated API."""

    page: ListenAddress
    api: str


@asynccontextmanager
async def demo(
    listen_address: Sequence[str], *, clock: Clock, event_log: EventLog
) -> AsyncIterator[Running]:
    """Run the demo while the context lasts.

    Raises ConfigError where an address is none, UsageError where one is taken.
    """
    async with serving(Simulator(DEMO, time.time)) as api:
        settings = Settings(
            accounts=(Account(name="demo", api_key=SecretStr(DEMO.key), base_url=api),),
            poll=Poll(interval=INTERVAL, audit_interval=60.0, rate_limit=100.0),
            stuck_after=StuckAfter(default=600.0),
            state=State(url="sqlite://"),
        ).with_overrides(listen_address=listen_address)
        exporter = Exporter(settings, load=lambda: settings, clock=clock, event_log=event_log)
        try:
            yield Running(await exporter.start(), api)
        finally:
            await exporter.stop()


def welcome(running: Running) -> str:
    """Return what to open, and what to look for."""
    page = running.page.url
    return f"""
  Open     {page}/  the accounts, what is in flight, why actions failed
  Metrics  {page}/metrics

  Within a minute, look for
    telnyx_sim_card_actions_failed_total       failures, by action type and class of reason
    telnyx_sim_card_actions_interrupted_total  interruptions, which the API cannot be asked for
    telnyx_sim_card_actions_stuck              actions in progress for longer than ten minutes
  Below, each failure is logged with its whole reason. The simulated Telnyx API is at
  {running.api}

  Ctrl-C ends it; nothing is left behind.
"""
