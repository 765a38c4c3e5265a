"""An account that nobody polled for a while: what it answers then, recorded.

It must not time anything.
"""

import shutil
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from benchmarks.account import open_account
from benchmarks.core import KEY, PAGE, open_core
from benchmarks.recorded import Answers, Asked, Recorder
from exporter.clock import SystemClock
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.simulator.record import ActivityRecord
from exporter.simulator.settings import WorldSettings
from exporter.telnyx.http import open_http
from exporter.telnyx.query import Query
from tests.support.simulation import InProcessTransport, ManualClock

WORLD = WorldSettings(rate=14.0, bulk_every=0.0, history=1_000_000, failed=0.03, interrupted=0.01)
"""Three in a hundred of its actions fail, one is interrupted, some never end; most take 20 s."""

SINGLY = 0.95
"""The share of what is unseen that came one by one; the rest is a bulk that has just begun."""

RUNNING = 30.0
"""Seconds for which the bulk runs."""

MARGIN = 600.0
"""Seconds by which all has happened before now."""

AUDIT_INTERVAL = 900.0
"""As it is by default: an audit is due by then, and part of what is timed."""


PATH = "/v2/sim_card_actions"
BEARER = {"authorization": f"Bearer {KEY}"}


@dataclass(frozen=True, slots=True)
class Scene:
    """An account that was polled once, and then not while ``count`` actions came.

    ``answers`` are those to ``asked``, which is what the exporter asks when it is back, and to
    the listing's first pages. ``happened`` is what the account says of itself.
    """

    count: int
    state: Path
    answers: Answers
    asked: Sequence[Asked]
    happened: ActivityRecord


async def rehearse(count: int, folder: Path) -> Scene:
    """Let the exporter see an account, let that live for hours, and record what is asked then."""
    state, copy = folder / "state.db", folder / "rehearsal.db"
    clock = ManualClock(time.time() - SINGLY * count / WORLD.rate - MARGIN)
    with ThreadPoolExecutor(1) as worker, closing(open_store(state)) as store:
        account = open_account(WORLD, worker, store=store, clock=clock)
        await account.poll()
    world = account.simulator.world
    before = world.record()
    while (came := _created(world.record().since(before))) < SINGLY * count:
        clock.advance((SINGLY * count - came) / WORLD.rate + 1)
        world.advance(clock.now)
    world.pause()
    world.create(count - came, bulk=True, lives=True)
    clock.advance(RUNNING)
    world.advance(clock.now)
    shutil.copy(state, copy)
    recorder = Recorder(InProcessTransport(account.simulator))
    with ThreadPoolExecutor(1) as worker, closing(open_store(copy)) as store:
        cycle, _ = open_core(recorder, SystemClock(), store, worker, audit_interval=AUDIT_INTERVAL)
        await cycle.run()
    asked = tuple(recorder.asked)
    async with open_http(timeout=10, concurrency=1, transport=recorder) as http:
        for number in range(1, ceil(count / PAGE) + 1):
            # Most were asked for already; the SDK needs all.
            await http.get(
                f"http://telnyx.test{PATH}", params=Query(number, PAGE).params(), headers=BEARER
            )
    return Scene(count, state, recorder.answers, asked, world.record().since(before))


def open_store(file: Path) -> SqliteStore:
    """Open the state in a file, as the exporter does."""
    return SqliteStore(Database(f"sqlite:///{file}"))


def _created(record: ActivityRecord) -> int:
    return sum(record.created.values())
