"""The demo: a simulated account and the exporter of it, in one process.

It needs no key and no file, and keeps its state in memory.
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

POLL_INTERVAL = 2.0
"""Seconds between two polls: short, so that changes show soon."""


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """Where a running demo listens: the status page, and the base URL of the simulated API."""

    page: ListenAddress
    api: str


@asynccontextmanager
async def demo(
    listen_address: Sequence[str],
    *,
    alertmanagers: Sequence[str] = (),
    clock: Clock,
    event_log: EventLog,
) -> AsyncIterator[RunningDemo]:
    """Run the demo while the context lasts; ``alertmanagers`` are URLs that alerts are sent to.

    Raises ConfigError if an address or URL is invalid, UsageError if an address is in use.
    """
    async with serving(Simulator(DEMO, time.time)) as api:
        settings = Settings(
            accounts=(Account(name="demo", api_key=SecretStr(DEMO.key), base_url=api),),
            poll=Poll(interval=POLL_INTERVAL, audit_interval=60.0, rate_limit=100.0),
            stuck_after=StuckAfter(default=600.0),
            state=State(url="sqlite://"),
        ).with_overrides(listen_address=listen_address, alertmanager_targets=alertmanagers)
        exporter = Exporter(settings, load=lambda: settings, clock=clock, event_log=event_log)
        try:
            yield RunningDemo(await exporter.start(), api)
        finally:
            await exporter.stop()


def welcome(running: RunningDemo) -> str:
    """Return the text that says what to open and what to look for."""
    page = running.page.url
    return f"""
  Open      {page}/?refresh=on  what is wrong, then the accounts; it reloads itself
  Problems  {page}/problems  SIM cards that are still broken, and why
  As JSON   {page}/api/v1/problems
  Metrics   {page}/metrics

  Within a minute, look for
    enable failed                              a SIM card with ICCID, group, tags and timeline
    problem_mended, in the log below           another attempt completed, the problem is gone
    set_public_ip failed                       a bulk of 30; five of its SIM cards stay broken
    telnyx_sim_card_problems                   SIM cards still broken, by concern and status
    telnyx_sim_card_actions_failed_total       failures, by action type and reason class
    telnyx_sim_card_actions_interrupted_total  interruptions, for which the API has no filter
    telnyx_sim_card_actions_stuck              actions in progress for longer than ten minutes
  Each failure is logged below with its full reason. The simulated Telnyx API is at
  {running.api}

  Stop with Ctrl-C; nothing is written to disk.
"""
