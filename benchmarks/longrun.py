"""Thousands of polls of a living account: `python -m benchmarks.longrun`.

The real core polls, over HTTP, a simulated account in a process of its own; its clock jumps from
poll to poll, and tells that of the account. Actions come, end and are forgotten all the time, by
the exporter as by the API, so that whatever is held on to shows in the memory of this process,
which is printed on the way. It must not judge it.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, TextIO

from benchmarks.core import open_core
from benchmarks.programs import ProgramError, memory_of
from exporter.cli.interpreter import keep_collections_short, keep_heap_small
from exporter.config import LogFormat, LogLevel
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
from exporter.sinks.delivery import Delivery
from exporter.sinks.log import LogSink
from exporter.sinks.logging_setup import open_event_log

NAME = "benchmark"
INTERVAL = 60.0
AUDIT_INTERVAL = 1800.0
RETENTION = 3600.0
"""The API goes on listing actions for twice as long (`told_time.LISTED`)."""

SCRAPED = 10
"""Polls between two scrapes, as writing the metrics takes longer than a poll."""


class JumpingClock:
    """A clock that stands still until it is advanced, or somebody sleeps."""

    def __init__(self, now: float) -> None:
        """Stand at ``now``, in seconds since the epoch."""
        self._now = now

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return the same time: it never goes back."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Advance by ``seconds``."""
        self._now += seconds


class SimulatedAccount:
    """The other process; ``url`` is where its API is."""

    def __init__(self, told: IO[str], said: IO[str], now: float) -> None:
        """Take the pipes, and tell it when it begins."""
        self._told, self._said = told, said
        self.url: str = self._ask(now)

    def advance(self, now: float) -> Counter[str]:
        """Tell it the time; returns what has happened by then, by the name of its sum."""
        return Counter(self._ask(now))

    @classmethod
    @contextmanager
    def started(cls, now: float) -> Iterator[Self]:
        """Run it while the context lasts."""
        command = [sys.executable, "-m", "benchmarks.told_time"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 # ours
            assert process.stdin is not None  # noqa: S101 # it is a pipe
            assert process.stdout is not None  # noqa: S101 # it is a pipe
            yield cls(process.stdin, process.stdout, now)

    def _ask(self, now: float) -> Any:
        self._told.write(f"{now}\n")
        self._told.flush()
        if not (line := self._said.readline()):
            raise ProgramError("the simulated account has ended")
        return json.loads(line)


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


async def run(
    account: SimulatedAccount,
    clock: JumpingClock,
    polls: int,
    every: int,
    store: SqliteStore,
    worker: ThreadPoolExecutor,
    log: TextIO,
) -> None:
    """Poll so often, scrape now and then, and print the memory after ``every`` so many.

    Raises ProgramError where a poll failed, or something was not counted as often as it happened.
    """
    event_log = open_event_log(level=LogLevel.INFO, form=LogFormat.JSON, stream=log, secrets=tuple)
    delivery = Delivery([LogSink(event_log)], clock, event_log)
    cycle, ledger = open_core(
        None,
        clock,
        store,
        worker,
        name=NAME,
        audit_interval=AUDIT_INTERVAL,
        delivery=delivery,
        base_url=account.url,
    )
    self_metrics = SelfMetrics(NAME)
    poller = Poller(
        reported=ReportedState(NAME, event_log),
        cycle=cycle,
        ledger=ledger,
        clock=clock,
        budget=PollBudget(INTERVAL, RETENTION),
        observer=self_metrics,
        key=Fixed(),
    )
    exposition = Exposition()
    before = happened = Counter[str]()
    for number in range(1, polls + 1):
        await clock.sleep(INTERVAL)
        happened = account.advance(clock.now())
        await poller.poll()
        await delivery.settle()
        if number == 1:
            before = happened
        if number % SCRAPED == 0:
            accounts = ((ledger.snapshot, self_metrics.health()),)
            shot = ExporterSnapshot(accounts, True, 0.0, clock.now(), INTERVAL)  # noqa: FBT003 # a record
            exposition.text(shot, Format.TEXT)
        if number % every == 0:
            told = {"polls": number, "rss": memory_of(os.getpid())}
            sys.stdout.write(json.dumps({**told, "tracked": ledger.snapshot.tracked}) + "\n")
            sys.stdout.flush()
    if failed := sum(self_metrics.health().poll_failures.values()):
        raise ProgramError(f"{failed} polls failed: {self_metrics.health().last_error}")
    if (counts := counted(ledger)) != (truth := happened - before):
        raise ProgramError(f"counted {counts}, but there were {truth}")


def counted(ledger: Ledger) -> Counter[str]:
    """Return what the exporter has counted, by the name of the sum."""
    counts: Counter[str] = Counter()
    for key, value in ledger.state.sums.items():
        if key.metric in {SumName.CREATED, *ENTRY_SUMS.values()}:
            counts[key.metric.value] += int(value)
    return counts


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.longrun", description=__doc__)
    parser.add_argument("--polls", type=int, default=10_000, help="how often to poll; 10000")
    parser.add_argument("--every", type=int, default=1_000, help="polls between two lines; 1000")
    parser.add_argument("file", type=Path, help="a new state file")
    arguments = parser.parse_args()
    clock = JumpingClock(1_700_000_000.0)
    keep_heap_small()  # both as in the exporter
    keep_collections_short(clock.monotonic)
    store = SqliteStore(Database(f"sqlite:///{arguments.file}"))
    with (
        SimulatedAccount.started(clock.now()) as account,
        ThreadPoolExecutor(1) as worker,
        Path(os.devnull).open("w", encoding="utf-8") as log,
    ):
        run_it = run(account, clock, arguments.polls, arguments.every, store, worker, log)
        asyncio.run(run_it)


if __name__ == "__main__":
    main()
