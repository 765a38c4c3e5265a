"""What the programs hold in memory: many actions in flight, many polls, a long history.

The exporter and the simulator are processes of their own, so that neither is measured with the
other. Megabytes are a million bytes. Of the whole run, none depends on how fast it goes.
"""

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.figures import Figure, Report
from benchmarks.programs import Program, ProgramError, start

KEY = "KEY-simulated"
IN_FLIGHT = (10_000, 100_000)
POLLS = (1_000, 10_000)
HISTORIES = (10_000, 10_000_000)
PATIENCE = 300.0
"""Seconds to wait for one thing: a poll that lists 100,000 actions takes its time."""

FAST_DISK = Path("/dev/shm")  # noqa: S108 - for the state of a run that is thrown away
"""Where ten thousand polls need not wait for a disk to write each of them down."""

MEANING = (
    "RSS is what the operating system holds of the process, libraries included, with one account. "
    '"At rest" is the most that was found between polls: after the first one, after some in which '
    "nothing came, after one tenth more had come and ended, after an audit, a scrape and a page, "
    "and after a restart. "
    "The peak is of one poll: the first, or one in which much changes. The ten thousand polls are "
    "of a simulated week: actions come, end and are forgotten, by the exporter and by the API, "
    "and each is counted, by the exporter's core over HTTP. The API is a process of its own."
)


def measure() -> Report:
    """Measure all of it; the polls run beside the rest, as memory does not mind."""
    with _many_polls() as polls:
        used = {count: _exporter(count) for count in IN_FLIGHT}
        simulated = [_simulator(history) for history in HISTORIES]
        rss = polls()
    few, many = IN_FLIGHT
    each = (used[many][1] - used[few][1]) / (many - few)
    return Report(
        "Memory",
        MEANING,
        (
            Figure("memory: exporter as it starts", used[few][0] / 1e6, "MB"),
            Figure(f"memory: at rest, {few:,} in flight", used[few][1] / 1e6, "MB"),
            Figure(f"memory: at rest, {many:,} in flight", used[many][1] / 1e6, "MB", most=150),
            Figure(f"memory: peak, {many:,} in flight", used[many][2] / 1e6, "MB"),
            Figure("memory: for each action in flight", each, "bytes"),
            Figure(
                "memory: after 10,000 polls over after 1,000",
                rss[POLLS[1]] / rss[POLLS[0]],
                "x",
                most=1.02,
            ),
            Figure(f"memory: simulator, {HISTORIES[1]:,} of history", simulated[1] / 1e6, "MB"),
            Figure(
                f"memory: simulator, {HISTORIES[1]:,} over {HISTORIES[0]:,} of history",
                simulated[1] / simulated[0],
                "x",
            ),
        ),
    )


class Exporter:
    """An exporter as a process, on a state file of its own, that polls as often as it can."""

    def __init__(self, folder: Path, api: str) -> None:
        """Start it on the account at ``api``."""
        self._words = ("run", "--config.file", str(folder / "config.yaml"))
        self._log = folder / "exporter.log"
        settings = {
            "accounts": [{"api_key": KEY, "base_url": f"{api}/v2"}],
            "poll": {"interval": "1s", "audit_interval": "30s", "rate_limit": 100_000},
            "state": {"url": f"sqlite:///{folder.resolve() / 'state.db'}"},
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"format": "json"},
        }
        (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")  # is YAML
        self._http = httpx.Client(trust_env=False, timeout=60)
        self._start()

    def _start(self) -> None:
        self.program = start(*self._words, output=self._log)
        self._url = self.program.wait_for(r'"address": "(http://[^"]+)"')

    def restart(self) -> None:
        """End it in order, and start it again."""
        self.program.end(signal.SIGTERM)
        self._start()

    def close(self) -> None:
        """End it, whatever it does."""
        self.program.end(signal.SIGKILL)
        self._http.close()

    def metric(self, name: str) -> float:
        """Scrape it; returns a metric of the account, all its series added up."""
        text = self._http.get(f"{self._url}/metrics").raise_for_status().text
        return sum(float(each) for each in re.findall(rf"^{name}{{.*}} (\S+)$", text, re.MULTILINE))

    def wait(self, name: str, least: float) -> None:
        """Wait until a metric has grown so far; raises ProgramError if that takes too long."""
        end = time.monotonic() + PATIENCE
        while self.metric(name) < least:
            if time.monotonic() > end:
                raise ProgramError(f"{name} does not get to {least:g}")
            time.sleep(0.2)

    def poll(self, times: int) -> None:
        """Wait until so many more polls have ended."""
        polls = "telnyx_exporter_polls_total"
        self.wait(polls, self.metric(polls) + times)

    def tell(self, api: str, actions: Mapping[str, object]) -> None:
        """Let the simulator at ``api`` create actions."""
        self._http.post(f"{api}/_simulator/actions", json=actions).raise_for_status()

    def look(self) -> None:
        """Open the page for people."""
        self._http.get(self._url).raise_for_status()


def _exporter(count: int) -> tuple[float, float, float]:
    """Return the memory of an exporter with so many actions in flight, in bytes.

    As it starts, the most at rest, and the peak.
    """
    options = {"stuck-at-start": count, "stuck-age": 0.001, "duration": 5.0, "history": 10_000}
    with tempfile.TemporaryDirectory() as name, _simulated(Path(name), options) as (_, api):
        exporter = Exporter(Path(name), api)
        try:
            began, _ = resident(exporter.program)
            exporter.poll(1)
            rest = [resident(exporter.program)]
            exporter.poll(2)
            rest.append(resident(exporter.program))
            bulk = {"count": count // 10, "bulk": True, "lives": True}
            exporter.tell(api, bulk)
            exporter.wait("telnyx_sim_card_actions_completed_total", count // 20)
            exporter.poll(2)
            rest.append(resident(exporter.program))
            audit = "telnyx_exporter_last_audit_timestamp_seconds"
            exporter.wait(audit, exporter.metric(audit) + 1)
            exporter.look()
            exporter.poll(2)
            rest.append(resident(exporter.program))
            exporter.restart()
            exporter.poll(3)
            rest.append(resident(exporter.program))
        finally:
            exporter.close()
    return began, max(now for now, _ in rest), max(peak for _, peak in rest)


def _simulator(history: int) -> float:
    """Return the memory of a simulator with so long a history, in bytes, after some questions."""
    options = {"history": history, "history-spacing": 1}
    with tempfile.TemporaryDirectory() as name, _simulated(Path(name), options) as (program, api):
        with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {KEY}"}) as http:
            for number in (1, history // 500, history // 250):
                for status in ("", "&filter[status]=failed"):
                    query = f"page[number]={number}&page[size]=250{status}"
                    http.get(f"{api}/v2/sim_card_actions?{query}").raise_for_status()
            http.get(f"{api}/_simulator/record").raise_for_status()
        return resident(program)[0]


@contextmanager
def _simulated(folder: Path, options: Mapping[str, float]) -> Iterator[tuple[Program, str]]:
    """Run a simulator in which nothing comes by itself; yields it and where it is."""
    words = [f"--{name}={value}" for name, value in {"rate": 0, "bulk-every": 0, **options}.items()]
    program = start(
        "simulate", "--web.listen-address=127.0.0.1:0", *words, output=folder / "simulator.log"
    )
    try:
        yield program, program.wait_for(r"base_url (http://\S+)/v2")
    finally:
        program.end(signal.SIGKILL)


def resident(program: Program) -> tuple[float, float]:
    """Return the memory of a process, now and at most, in bytes."""
    text = Path(f"/proc/{program.process.pid}/status").read_text(encoding="ascii")
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE))
    return int(found["VmRSS"]) * 1024.0, int(found["VmHWM"]) * 1024.0


@contextmanager
def _many_polls() -> Iterator[Callable[[], dict[int, float]]]:
    """Run thousands of polls in a process of their own; yields what waits for its memory.

    That is in bytes, by the number of polls.
    """
    place = FAST_DISK if FAST_DISK.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        words = [f"--polls={POLLS[1]}", f"--every={POLLS[0]}", f"{folder}/state.db"]
        process = subprocess.Popen(  # noqa: S603 # our own program
            [sys.executable, "-m", "benchmarks.longrun", *words], stdout=subprocess.PIPE, text=True
        )

        def finished() -> dict[int, float]:
            output, _ = process.communicate()
            if process.returncode != 0:
                raise ProgramError(f"the polls ended with {process.returncode}")
            told = [json.loads(line) for line in output.splitlines()]
            return {each["polls"]: each["rss"] for each in told}

        try:
            yield finished
        finally:
            process.kill()
            process.wait()
