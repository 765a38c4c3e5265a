"""Nothing runs on the event loop for longer than a probe may wait.

The service runs in a thread of its own, on a loop whose selector notes how much processor time
passes between two of its calls: all that the loop runs in one turn. It is the thread's own time,
so a machine that is busy with other things makes no difference.
"""

import asyncio
import gc
import os
import re
import selectors
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from exporter.app import Exporter
from exporter.clock import SystemClock
from exporter.config import Settings, load
from exporter.domain import Status
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.log_stream import open_log
from tests.support.loopback import NO_TLS
from tests.support.simulation import QUIET

DEADLINE = 60.0
PAUSE = 0.05
"""Seconds between two rounds of requests: without a pause they would take most of the time."""

LIMIT = 0.020
LIVE = 2
"""Accounts that the simulator answers for."""

SILENT = 23
"""Accounts that nobody answers for: they are exported and built anew at a reload all the same."""

NEW = 3_000
ENDINGS = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, None)

T = TypeVar("T")


class Watch(selectors.DefaultSelector):
    """A selector that notes which turns of its loop took longer than ``LIMIT``, and where."""

    def __init__(self) -> None:
        """Watch from the first turn on."""
        super().__init__()
        self.phase = ""
        self.longest: dict[str, float] = {}
        self.late: list[str] = []
        self.turns = 0
        self._began: float | None = None
        self._clock: int | None = None
        self._loop_thread = 0
        self._place = ""
        self._over = threading.Event()
        self._looker = threading.Thread(target=self._look, name="watch", daemon=True)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events; between two calls there is one turn of the loop."""
        if self._began is None:
            self._loop_thread = threading.get_ident()
            self._clock = time.pthread_getcpuclockid(self._loop_thread)
            self._looker.start()
        else:
            self._note(time.thread_time() - self._began)
        try:
            return super().select(timeout)
        finally:
            self._place = ""
            self._began = time.thread_time()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._looker.is_alive():
            self._looker.join()
        super().close()

    def _note(self, took: float) -> None:
        self.turns += 1
        self.longest[self.phase] = max(took, self.longest.get(self.phase, 0.0))
        if took > LIMIT:
            self.late.append(f"{self.phase}: {took * 1000:.0f} ms\n{self._place}")

    def _look(self) -> None:
        """Remember where the loop is in the middle of a turn that has become long."""
        while not self._over.wait(LIMIT / 8):
            if self._clock is None or self._began is None or self._place:
                continue
            if time.clock_gettime(self._clock) - self._began > LIMIT / 2:
                options = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 # documented
                self._place = "".join(traceback.format_stack(options, limit=8))


@contextmanager
def _in_thread(
    body: AbstractAsyncContextManager[T], selector: selectors.BaseSelector
) -> Iterator[tuple[T, asyncio.AbstractEventLoop]]:
    """Hold ``body`` entered in another thread, whose loop waits by ``selector``."""
    ready: Future[tuple[T, asyncio.AbstractEventLoop]] = Future()
    stop = asyncio.Event()

    async def hold() -> None:
        async with body as value:
            ready.set_result((value, asyncio.get_running_loop()))
            await stop.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
                runner.run(hold())
        except BaseException as exc:
            if ready.done():
                raise
            ready.set_exception(exc)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        value, loop = ready.result(DEADLINE)
        try:
            yield value, loop
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join(DEADLINE)


@asynccontextmanager
async def _serving(exporter: Exporter) -> AsyncIterator[str]:
    try:
        yield (await exporter.start()).url
    finally:
        await exporter.stop()


def _config(tmp_path: Path, url: str, interval: str) -> Path:
    """Write the configuration: live accounts and those that nobody answers for."""
    accounts = [
        *(f"- {{name: live-{n}, api_key: KEY-simulated, base_url: '{url}'}}" for n in range(LIVE)),
        *(
            f"- {{name: silent-{n}, api_key: KEY-simulated, base_url: 'http://127.0.0.1:1/v2'}}"
            for n in range(SILENT)
        ),
    ]
    file = tmp_path / "config.yaml"
    file.write_text(
        "\n".join(
            (
                "accounts:",
                *accounts,
                f"poll: {{interval: {interval}, audit_interval: 1s, rate_limit: 1000}}",
                "stuck_after: {default: 1s}",
                f"state: {{url: 'sqlite:///{tmp_path}/state.db'}}",
                "web: {listen_address: '127.0.0.1:0'}",
            )
        )
    )
    return file


@dataclass
class Scene:
    """A simulated account, an exporter of it, and the watch on the exporter's loop."""

    simulator: Simulator
    loop: asyncio.AbstractEventLoop
    watch: Watch
    http: httpx.Client
    configure: Callable[[str], Path]

    def happen(self, count: int) -> None:
        """Let actions be created, and most of them end in every way there is."""

        async def some() -> None:
            self.simulator.tick()
            world = self.simulator.world
            for number, action_id in enumerate(world.create(count)):
                if (status := ENDINGS[number % len(ENDINGS)]) is not None:
                    world.finish(action_id, status, "SIM card is blocked")

        asyncio.run_coroutine_threadsafe(some(), self.loop).result(DEADLINE)

    def scrape(self, metric: str) -> list[float]:
        """Scrape the sum over a metric's series, for each live account."""
        return _sums(self.http.get("/metrics").text, metric)

    def until(self, metric: str, holds: Callable[[float], bool]) -> None:
        """Ask for all that is served until a metric is as it should be for each live account."""
        end = time.monotonic() + DEADLINE
        pacer = threading.Event()
        openmetrics = {"accept": "application/openmetrics-text;version=1.0.0"}
        while not all(map(holds, self.scrape(metric))):
            assert time.monotonic() < end, metric
            assert self.http.get("/-/healthy").is_success
            assert self.http.get("/metrics", headers=openmetrics).is_success
            assert self.http.get("/").is_success
            pacer.wait(PAUSE)


def _sums(text: str, metric: str) -> list[float]:
    """Return the sum over the series of a metric, for each live account."""
    series = rf'^{metric}\{{account="live-%s".*\}} (\S+)$'
    return [
        sum(map(float, re.findall(series % number, text, re.MULTILINE))) for number in range(LIVE)
    ]


@contextmanager
def _without_gc() -> Iterator[None]:
    """Collect no garbage: it is the whole process', pytest's and the simulator's too.

    Whose allocation sets the collector off is chance, and what it takes is no one callback's.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _scene(tmp_path: Path) -> Iterator[Scene]:
    """Start an exporter, and stop it in the end."""
    world = replace(QUIET, history=10_000)
    simulator = Simulator(SimulatorSettings(world=world), SystemClock().now)
    simulator.world.create(1_000)
    watch = Watch()
    with _in_thread(serving(simulator), selectors.DefaultSelector()) as (url, loop):

        def configure(interval: str) -> Path:
            return _config(tmp_path, url, interval)

        def read() -> Settings:
            return load(tmp_path / "config.yaml", os.environ)

        configure("250ms")
        # Opened here, as pytest has put handlers of its own beside by now.
        event_log, _ = open_log()
        exporter = Exporter(read(), load=read, clock=SystemClock(), event_log=event_log)
        with (
            _in_thread(_serving(exporter), watch) as (address, _),
            httpx.Client(
                base_url=address, trust_env=False, verify=NO_TLS, timeout=DEADLINE
            ) as http,
        ):
            yield Scene(simulator, loop, watch, http, configure)


@pytest.mark.skipif(sys.gettrace() is not None, reason="tracing takes longer than what it traces")
@pytest.mark.usefixtures("event_log")  # which puts logging back as it was
def test_nothing_holds_up_the_loop(tmp_path: Path) -> None:
    """First poll, catch-up, audit, scrapes, pages, a reload: none of it keeps the loop for long."""
    with _without_gc(), _scene(tmp_path) as scene:
        scene.watch.phase = "first poll"
        scene.until("telnyx_up", lambda up: up == 1)
        scene.watch.phase = "catching up"
        scene.happen(NEW)
        scene.until("telnyx_sim_card_actions_created_total", lambda created: created == NEW)
        scene.watch.phase = "audit"
        since = time.time()
        scene.until("telnyx_exporter_last_audit_timestamp_seconds", lambda at: at > since)
        scene.watch.phase = "reload"
        scene.configure("300ms")
        assert scene.http.post("/-/reload").is_success
        polls = max(scene.scrape("telnyx_exporter_polls_total"))
        scene.watch.phase = "after the reload"
        scene.until("telnyx_exporter_polls_total", lambda count: count > polls)
        scene.watch.phase = "stop"
    assert not scene.watch.late, "\n".join(scene.watch.late)


def test_the_watch_tells_what_holds_up_a_loop() -> None:
    """It tells what computes for long, and where, but not what waits."""
    watch = Watch()
    never = threading.Event()

    async def compute() -> None:
        end = time.thread_time() + 10 * LIMIT
        while time.thread_time() < end:
            pass

    async def both() -> None:
        watch.phase = "waiting"
        never.wait(3 * LIMIT)
        await asyncio.sleep(0)
        watch.phase = "computing"
        await compute()
        await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
        runner.run(both())
    (late,) = watch.late
    assert late.startswith("computing: ")
    assert "in compute" in late
