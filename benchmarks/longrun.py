"""Thousands of polls of a living account in one process: `python -m benchmarks.longrun`.

The real core polls a simulated account whose clock jumps from poll to poll. Actions come, end
and are forgotten all the time, by the exporter as by the API, so that whatever is held on to
shows in the memory of the process, which is printed on the way. It must not judge it.
"""

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from benchmarks.account import open_core
from benchmarks.programs import ProgramError
from exporter.config import LogFormat, LogLevel
from exporter.domain import ENDED_STATUSES
from exporter.ledger.ledger import Ledger
from exporter.ledger.records import ENTRY_SUMS, SumName
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.negotiation import Format
from exporter.metrics.self_metrics import SelfMetrics
from exporter.scheduling.budget import PollBudget
from exporter.scheduling.poller import Poller, ReportedState
from exporter.simulator.settings import SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from exporter.sinks.delivery import Delivery
from exporter.sinks.log import LogSink
from exporter.sinks.logging_setup import open_event_log
from tests.support.simulation import AdvancingClock, InProcessTransport, ManualClock

NAME = "benchmark"
INTERVAL = 60.0
AUDIT_INTERVAL = 1800.0
RETENTION = 3600.0
LISTED = 800
"""Actions that the API goes on listing: two hours of them, twice what the exporter remembers."""

SCRAPED = 10
"""Polls between two scrapes, as writing the metrics takes longer than a poll."""

WORLD = WorldSettings(
    rate=0.08,
    bulk_every=1800.0,
    bulk_size=40,
    duration=90.0,
    stuck=0.0,  # those that never end would add up
    resumed=0.0,  # one that is interrupted twice between two audits cannot be told
    stuck_at_start=0,
    history=0,
)


class Fixed:
    """A key that never changes."""

    def begin(self) -> None:
        """Take no note."""

    def renewed(self) -> bool:
        """Tell that it has not changed."""
        return False

    def redact(self, text: str) -> str:
        """Return ``text`` as it is."""
        return text


async def run(polls: int, every: int, file: Path, worker: ThreadPoolExecutor, log: TextIO) -> None:
    """Poll so often, scrape now and then, and print the memory after ``every`` so many.

    Raises ProgramError where a poll failed, or something was not counted as often as it happened.
    """
    clock = ManualClock()
    time = AdvancingClock(clock)
    simulator = Simulator(SimulatorSettings(world=WORLD), clock)
    store = SqliteStore(Database(f"sqlite:///{file}"))
    transport = InProcessTransport(simulator)
    event_log = open_event_log(level=LogLevel.INFO, form=LogFormat.JSON, stream=log, secrets=tuple)
    delivery = Delivery([LogSink(event_log)], time, event_log)
    cycle, ledger = open_core(
        transport,
        time,
        store,
        worker,
        name=NAME,
        audit_interval=AUDIT_INTERVAL,
        delivery=delivery,
    )
    self_metrics = SelfMetrics(NAME)
    poller = Poller(
        reported=ReportedState(NAME, event_log),
        cycle=cycle,
        ledger=ledger,
        clock=time,
        budget=PollBudget(INTERVAL, RETENTION),
        observer=self_metrics,
        key=Fixed(),
    )
    exposition = Exposition()
    before: Counter[SumName] = Counter()
    for number in range(1, polls + 1):
        clock.advance(INTERVAL)
        await poller.poll()
        await delivery.settle()
        if number == 1:
            before = happened(simulator)
        if number % SCRAPED == 0:
            accounts = ((ledger.snapshot, self_metrics.health()),)
            shot = ExporterSnapshot(accounts, True, 0.0, time.now(), INTERVAL)  # noqa: FBT003 # a record
            exposition.text(shot, Format.TEXT)
        simulator.requests.clear()
        simulator.world.prune(max(0, listed(simulator) - LISTED))
        if number % every == 0:
            told = {"polls": number, "rss": resident(), "tracked": ledger.snapshot.tracked}
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()
    if failed := sum(self_metrics.health().poll_failures.values()):
        raise ProgramError(f"{failed} polls failed: {self_metrics.health().last_error}")
    if (counts := counted(ledger)) != (truth := happened(simulator) - before):
        raise ProgramError(f"counted {counts}, but there were {truth}")


def listed(simulator: Simulator) -> int:
    """Return how many actions the API lists."""
    return sum(simulator.world.record().current.values())


def happened(simulator: Simulator) -> Counter[SumName]:
    """Return what has happened in the account."""
    record = simulator.world.record()
    entered = {
        ENTRY_SUMS[status]: sum(record.by_type(status).values()) for status in ENDED_STATUSES
    }
    return Counter({SumName.CREATED: sum(record.created.values()), **entered})


def counted(ledger: Ledger) -> Counter[SumName]:
    """Return what the exporter has counted."""
    counts: Counter[SumName] = Counter()
    for key, value in ledger.state.sums.items():
        if key.metric in {SumName.CREATED, *ENTRY_SUMS.values()}:
            counts[key.metric] += int(value)
    return counts


def resident() -> int:
    """Return the resident memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.longrun", description=__doc__)
    parser.add_argument("--polls", type=int, default=10_000, help="how often to poll; 10000")
    parser.add_argument("--every", type=int, default=1_000, help="polls between two lines; 1000")
    parser.add_argument("file", type=Path, help="a new state file")
    arguments = parser.parse_args()
    with ThreadPoolExecutor(1) as worker, Path(os.devnull).open("w", encoding="utf-8") as log:
        asyncio.run(run(arguments.polls, arguments.every, arguments.file, worker, log))


if __name__ == "__main__":
    main()
