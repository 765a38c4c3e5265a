"""The state file: bytes an action, growth over a year, and whether forgetting holds anybody up.

Everything is written by the real ledger to a real file, but for the millions of rows of the
full table, which are filled in.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.figures import Figure, Report
from benchmarks.tables import arrivals, dated, ended, fill
from exporter.domain import Action
from exporter.ledger.ledger import PRUNED_AT_ONCE, Ledger, PageContext
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, SortOrder
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.scheduling.poller import PRUNES

DAY = 86_400.0
YEAR = 365 * DAY
RETENTION = 30 * DAY
REMEMBERED = 20_000
"""Actions of one retention in the year that is really written; one of each 1,296."""

SINK = "log"
BATCH = 250
"""Actions that come between two commits, in the year."""

RATE = 10.0
"""Actions a second of the account that is asked for."""

STEADY = int(RATE * 60)
"""Actions that come, and have to be forgotten, in each poll, a minute apart."""

FULL = 2_000_000
"""Rows of the full table."""

LONGEST_STEP = 1000.0
"""Milliseconds that a step may take: the shortest interval between polls in use is a second."""

BEGUN = 1_700_000_000.0
REASONS = Reasons.with_configured(())
NEW = PageContext(ListCursor(SortOrder.NEWEST, 0, None))

MEANING = (
    f"The year is {int(REMEMBERED * YEAR / RETENTION):,} actions, seen in progress, seen ended "
    f"and forgotten after 30 days: as often over as with 10 actions a second, {REMEMBERED:,} "
    f"instead of {int(RATE * RETENTION):,} at a time. Each is of a SIM card of its own, so each "
    "that fails or is interrupted, one in eight, opens a problem, which is forgotten after 30 "
    "days. Sizes are of the file with its indexes and problems, never vacuumed. The size at 10 "
    "actions a second is computed from the "
    f"bytes an action. The full table has {FULL:,} rows of one account; it forgets half as much as "
    "one poll may, twice, while another account waits for the same worker. Cold: nothing of the "
    "file is in the cache of the operating system."
)


def measure() -> Report:
    """Measure both."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as worker:
        return Report(
            "State file",
            MEANING,
            (
                *asyncio.run(_year(Path(name) / "year.db", worker)),
                *asyncio.run(_full(Path(name) / "full.db", worker)),
            ),
        )


async def _year(file: Path, worker: ThreadPoolExecutor) -> Sequence[Figure]:
    """Live through a year, and look at the file every day."""
    store, stream = SqliteStore(Database(f"sqlite:///{file}")), arrivals(Random(1))  # noqa: S311
    ledger = _ledger("year", store, worker)
    step = RETENTION * BATCH / REMEMBERED
    now, sizes = BEGUN, [0.0]
    running: list[Action] = []
    while now < BEGUN + YEAR:
        now += step
        done = [ended(action, now) for action in running]
        running = [dated(action, now) for action in islice(stream, BATCH)]
        await _commit(ledger, [*running, *done], now)
        await _forget_all(ledger, now - RETENTION)
        if now >= BEGUN + len(sizes) * DAY:
            sizes.append(_size(file))
    tracked = ledger.state.tracked
    store.close()
    retention, year = int(RETENTION / DAY), int(YEAR / DAY)
    each = max(sizes[-retention:]) / tracked
    return (
        Figure("state: for each action remembered", each, "bytes"),
        Figure(
            "state: file after a year over after two retentions",
            sizes[year] / sizes[2 * retention],
            "x",
            most=1.05,
        ),
        Figure(
            "state: file at 10 actions a second (computed)", each * RATE * RETENTION / 1e9, "GB"
        ),
    )


async def _full(file: Path, worker: ThreadPoolExecutor) -> Sequence[Figure]:
    """Forget from a full table, with another account on the same worker."""
    await asyncio.to_thread(fill, file, "full", rows=FULL, since=BEGUN, rate=RATE)
    store = SqliteStore(Database(f"sqlite:///{file}"))
    full, other = (_ledger(name, store, worker) for name in ("full", "other"))
    began = time.perf_counter()
    await full.open(BEGUN)
    opened = time.perf_counter() - began
    await other.open(BEGUN)
    end = BEGUN + FULL / RATE
    # The rows are as far apart in time as they come, so that a time says how many are forgotten.
    steady = [await _forget_all(full, BEGUN + number * 60) for number in range(1, 31)]
    stream = arrivals(Random(2))  # noqa: S311 - nothing to guess
    commits = []
    for number in range(10):
        came = [dated(action, end) for action in islice(stream, STEADY)]
        began = time.perf_counter()
        await _commit(full, came, end + number)
        commits.append(time.perf_counter() - began)
    backlog = BEGUN + 1800 + PRUNED_AT_ONCE * PRUNES / RATE
    _chill(file)
    cold = await _half(full, backlog)
    forgetting = asyncio.create_task(_half(full, backlog))
    waits = []
    while not forgetting.done():
        began = time.perf_counter()
        came = [dated(action, end) for action in islice(stream, 1)]
        await _commit(other, came, end)
        waits.append(time.perf_counter() - began)
    warm = await forgetting
    log = file.with_name(f"{file.name}-wal").stat().st_size
    store.close()
    return (
        Figure("state: rows of the full table", FULL, ""),
        _ms("state: forget what one minute brings", median(steady)),
        _ms("state: commit what one minute brings", median(commits)),
        _ms("state: longest step of forgetting", max(warm), most=LONGEST_STEP),
        _ms("state: longest step of forgetting, cold", max(cold), most=LONGEST_STEP),
        _ms(
            "state: longest poll's part in the ledger of another account",
            max(waits),
            most=LONGEST_STEP,
        ),
        _ms("state: open the full table", opened),
        Figure("state: write-ahead log beside the full table", log / 1e6, "MB"),
    )


async def _commit(ledger: Ledger, actions: Sequence[Action], now: float) -> None:
    """Do with actions what a poll does: take them in, conclude, announce, deliver."""
    await ledger.open(now)
    unit = ledger.begin(now)
    for start in range(0, len(actions), BATCH):
        await ledger.record(unit, actions[start : start + BATCH], NEW)
    unit.baseline_at = ledger.state.baseline_at or now
    await ledger.conclude(unit, now)
    ledger.announce()
    while events := await ledger.undelivered(SINK):
        await ledger.delivered(SINK, events[-1][0])


async def _half(ledger: Ledger, before: float) -> list[float]:
    """Forget half as much as a poll may, step by step as it does; returns the seconds of each."""
    return [await _forget(ledger, before) for _ in range(PRUNES // 2)]


async def _forget(ledger: Ledger, before: float) -> float:
    """Forget one step; returns its seconds."""
    began = time.perf_counter()
    await ledger.forget(before)
    return time.perf_counter() - began


async def _forget_all(ledger: Ledger, before: float) -> float:
    """Forget until there is nothing left; returns the seconds."""
    began = time.perf_counter()
    while await ledger.forget(before):
        pass
    return time.perf_counter() - began


def _ledger(name: str, store: SqliteStore, worker: ThreadPoolExecutor) -> Ledger:
    options = SnapshotOptions((), (), {}, 900.0, REASONS.classes, forget_after=RETENTION)
    return Ledger(
        name=name,
        store=store,
        worker=worker,
        reasons=REASONS,
        options=options,
        sinks=(SINK,),
    )


def _size(file: Path) -> float:
    return float(file.stat().st_size)


def _chill(file: Path) -> None:
    """Let the operating system forget what it holds of a file."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _ms(what: str, seconds: float, most: float | None = None) -> Figure:
    return Figure(what, seconds * 1000, "ms", most=most, steady=False)
