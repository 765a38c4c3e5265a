"""The log is a pipe that nobody reads, or reads slowly, or that is gone."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from exporter.domain import Status
from exporter.ledger.ledger import EVENTS_AT_ONCE as AT_ONCE
from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.end_to_end.conftest import KEY, Running
from tests.support.forking import ForkServer
from tests.support.simulation import QUIET
from tests.support.waiting import eventually

T = TypeVar("T")

REASON = "The SIM card is blocked by the network, so it cannot be enabled"

FAILURES = 2000
PROMPT = 2.0
"""Seconds in which a probe and a scrape are answered, on a busy machine."""

STOPPED = 5.0
"""Seconds in which it stops though nobody reads: three, and what a busy machine adds."""


class Log:
    """A pipe as the log of one exporter after the other, which a test reads when it wants to."""

    def __init__(self) -> None:
        """Open it."""
        self.out, self.into = os.pipe()
        self.text = b""
        self._reader: threading.Thread | None = None

    def fill(self) -> None:
        """Fill it up, so that not one line has room."""
        copy = os.open(f"/proc/self/fd/{self.into}", os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(copy, b"\n" * 4096)
        os.close(copy)

    def read(self, pause: float = 0.0) -> None:
        """Read from now on; with a pause between two small pieces."""
        pacer = threading.Event()

        def gather() -> None:
            while part := os.read(self.out, 4096 if pause else 65_536):
                self.text += part
                if pause:
                    pacer.wait(pause)

        self._reader = threading.Thread(target=gather, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Close it; all that was written has been read then."""
        os.close(self.into)
        if self._reader is not None:
            self._reader.join(30)
        os.close(self.out)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines that were read so far, each of which is a whole one."""
        whole = self.text[: self.text.rfind(b"\n") + 1]
        return [json.loads(line) for line in whole.splitlines() if line]

    def failures(self) -> Counter[str]:
        """Return how often each failure was read."""
        return Counter(
            event["action_id"]
            for event in self.events()
            if event["event"] == "sim_card_action_failed"
        )


@pytest.fixture
def log() -> Iterator[Log]:
    """Give a pipe for the log."""
    log = Log()
    yield log
    with suppress(OSError):
        log.close()


class Account:
    """A simulated account, served by a thread."""

    def __init__(self) -> None:
        """Serve it."""
        self._simulator = Simulator(SimulatorSettings(world=QUIET), time.time)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._serving = serving(self._simulator)
        self.url = self._run(self._serving.__aenter__())

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(30)

    def fail(self, count: int) -> set[str]:
        """Let so many actions be created and fail; returns their ids."""

        async def some() -> set[str]:
            self._simulator.tick()
            ids = self._simulator.world.create(count, action_type="enable")
            for action_id in ids:
                self._simulator.world.finish(action_id, Status.FAILED, REASON)
            return set(ids)

        return self._run(some())

    def close(self) -> None:
        """End it."""
        self._run(self._serving.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture
def account() -> Iterator[Account]:
    """Give an account in which nothing happens by itself."""
    account = Account()
    yield account
    account.close()


class Program(Running):
    """An exporter whose log is a descriptor."""

    def failed(self) -> float:
        """Return how many failures it has counted."""
        return self.total("telnyx_sim_card_actions_failed_total")

    def polls(self) -> float:
        """Return how many polls have ended."""
        return self.total("telnyx_exporter_polls_total")

    def dropped(self) -> float:
        """Return how many lines were dropped."""
        return self.total("telnyx_exporter_log_lines_dropped_total")

    def ready(self) -> bool:
        """Tell whether it has polled."""
        return self.get("/-/ready").status_code == 200

    def waiting(self) -> set[str]:
        """Return the actions whose lines are yet to be delivered, as the database says."""
        query = (
            "SELECT body FROM outbox JOIN sink_positions USING (account_id)"
            " WHERE sink = 'log' AND outbox.seq > sink_positions.seq"
        )
        with closing(sqlite3.connect(self.state)) as database:
            return {json.loads(body)["action_id"] for (body,) in database.execute(query)}

    state = ""


@pytest.fixture
def run(
    account: Account, tmp_path: Path, free_port: int, forks: ForkServer
) -> Iterator[Callable[..., Program]]:
    """Give a starter of exporters of the account, one after the other, by what their log is."""
    file = tmp_path / "config.yaml"
    settings = {
        "accounts": [{"api_key": KEY, "base_url": account.url}],
        "poll": {"interval": "200ms", "audit_interval": "1h", "rate_limit": 1000},
        "state": {"url": f"sqlite:///{tmp_path}/state.db"},
        "web": {"listen_address": f"127.0.0.1:{free_port}"},
        "log": {"format": "json"},
    }
    file.write_text(json.dumps(settings), encoding="utf-8")
    started = []

    def start(log: int, word: str = "run") -> Program:
        process = forks.start(
            *(word, "--config.file", str(file)),
            cwd=tmp_path,
            env=os.environ,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        program = Program(process, url=f"http://127.0.0.1:{free_port}")
        program.state = str(tmp_path / "state.db")
        started.append(program)
        return program

    yield start
    for each in started:
        each.end(signal.SIGKILL)
        each.http.close()


def counted_failures(exporter: Program, account: Account, count: int) -> set[str]:
    """Let so many actions fail once the exporter is ready, and wait until it has counted them."""
    eventually(exporter.ready)
    ids = account.fail(count)
    eventually(lambda: exporter.failed() == count)
    return ids


def test_a_log_that_nobody_reads_holds_up_nothing(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """Polls go on, probes and scrapes are answered, and each line of an action comes, once."""
    log.fill()
    exporter = run(log.into)
    ids = counted_failures(exporter, account, FAILURES)
    polls = exporter.polls()
    eventually(lambda: exporter.polls() > polls + 3)
    for path in ("/-/healthy", "/metrics", "/"):
        began = time.monotonic()
        assert exporter.get(path).status_code == 200
        assert time.monotonic() - began < PROMPT
    assert exporter.dropped() == 0
    assert exporter.waiting() == ids
    log.read()
    eventually(lambda: not exporter.waiting())
    assert exporter.end() == 0
    log.close()
    assert log.failures() == Counter(ids)
    events = [event["event"] for event in log.events()]
    assert events[-1] == "stopped"
    assert {"started", "baseline_taken"} <= set(events)


def test_other_lines_are_dropped_and_counted(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """Those that come when too many wait; not one line of an action is among them."""
    log.fill()
    exporter = run(log.into)
    ids = counted_failures(exporter, account, 100)
    broken = {f"unknown_{number}": 1 for number in range(3000)}
    config = Path(exporter.state).with_name("config.yaml")
    config.write_text(json.dumps(broken), encoding="utf-8")

    def drops() -> bool:
        assert exporter.http.post(f"{exporter.url}/-/reload").status_code == 500
        return exporter.dropped() > 0

    eventually(drops)
    log.read()
    eventually(lambda: not exporter.waiting())
    assert exporter.end() == 0
    log.close()
    assert log.failures() == Counter(ids)


def test_a_slow_reader_gets_each_line_once(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """However long it takes, polls do not wait for it."""
    exporter = run(log.into)
    log.read(pause=0.01)
    ids = counted_failures(exporter, account, FAILURES)
    polls = exporter.polls()
    eventually(lambda: exporter.polls() > polls + 3)
    eventually(lambda: not exporter.waiting(), within=60)
    assert exporter.end() == 0
    log.close()
    assert log.failures() == Counter(ids)


def test_a_stop_does_not_wait_for_a_reader(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """It ends within its grace; what was not written then is written after the next start, once."""
    exporter = run(log.into)
    ids = counted_failures(exporter, account, FAILURES)
    began = time.monotonic()
    assert exporter.end() == 0
    assert time.monotonic() - began < STOPPED
    waiting = exporter.waiting()
    assert waiting
    log.read()
    again = run(log.into)
    eventually(lambda: again.ready() and not again.waiting())
    assert again.end() == 0
    log.close()
    assert log.failures() == Counter(ids)


def test_a_crash_loses_no_line(run: Callable[..., Program], account: Account, log: Log) -> None:
    """Killed while nobody reads: what the pipe did not take is written by the next process."""
    exporter = run(log.into)
    ids = counted_failures(exporter, account, FAILURES)
    assert exporter.end(signal.SIGKILL) == -signal.SIGKILL
    waiting = exporter.waiting()
    assert waiting
    log.read()
    again = run(log.into)
    eventually(lambda: again.ready() and not again.waiting())
    assert again.end() == 0
    log.close()
    failures = log.failures()
    assert set(failures) == ids
    repeated = {action_id for action_id, count in failures.items() if count > 1}
    assert len(repeated) <= AT_ONCE
    assert repeated <= waiting


def test_a_closed_pipe_is_no_end(run: Callable[..., Program], account: Account, log: Log) -> None:
    """Polls go on without a log, other lines are counted as dropped, and those of actions wait."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), log.out)
    exporter = run(log.into)
    ids = counted_failures(exporter, account, 10)
    eventually(lambda: exporter.dropped() > 0)
    assert exporter.waiting() == ids
    assert exporter.end() == 0
    other = Log()
    other.read()
    again = run(other.into)
    eventually(lambda: again.ready() and not again.waiting())
    assert again.end() == 0
    other.close()
    assert other.failures() == Counter(ids)


def test_a_full_disk_is_waited_for(run: Callable[..., Program], account: Account) -> None:
    """The log is a file on it: no crash, no loop, a stop in order."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    exporter = run(descriptor)
    os.close(descriptor)
    eventually(exporter.ready)
    ids = account.fail(3)
    eventually(lambda: exporter.failed() == 3)
    eventually(lambda: exporter.dropped() > 0)
    polls = exporter.polls()
    eventually(lambda: exporter.polls() > polls)
    assert exporter.end() == 0
    assert exporter.waiting() == ids


def test_one_poll_alone_writes_all_its_lines(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """`once` ends when they are written."""
    log.read()
    assert run(log.into, "once").process.wait(60) == 0  # the baseline
    ids = account.fail(FAILURES)
    assert run(log.into, "once").process.wait(60) == 0
    log.close()
    assert log.failures() == Counter(ids)


def test_one_poll_alone_does_not_wait_for_a_reader(
    run: Callable[..., Program], account: Account, log: Log
) -> None:
    """What nobody reads is written the next time, by whoever polls then."""
    assert run(log.into, "once").process.wait(60) == 0
    log.fill()
    ids = account.fail(5)
    exporter = run(log.into, "once")
    assert exporter.process.wait(60) == 0
    assert exporter.waiting() == ids
