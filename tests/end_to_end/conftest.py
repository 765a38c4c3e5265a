"""Run the programs as users run them: processes on loopback, each on a free port, none left over.

What is waited for is a condition with a deadline, never a length of time.
"""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo_stack import programs
from tests.support.forking import Forked, ForkServer
from tests.support.waiting import DEADLINE, eventually

Process = subprocess.Popen[str] | Forked

KEY = "KEY-simulated"


def loopback() -> httpx.Client:
    """Open a client for plain HTTP; to read the certificates takes longer than most requests."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.Client(trust_env=False, timeout=5, verify=context)


@dataclass
class Running:
    """A process whose output is read as it comes."""

    process: Process
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    url: str = ""
    grew: threading.Condition = field(default_factory=threading.Condition)
    readers: list[threading.Thread] = field(default_factory=list)
    http: httpx.Client = field(default_factory=loopback)

    def read(self, stream: IO[str] | None, lines: list[str]) -> None:
        """Begin to gather the lines of a stream."""
        assert stream is not None

        def gather() -> None:
            with stream:
                for line in stream:
                    with self.grew:
                        lines.append(line.rstrip("\n"))
                        self.grew.notify_all()

        reader = threading.Thread(target=gather, daemon=True)
        reader.start()
        self.readers.append(reader)

    def wait_for(self, pattern: str, within: float = DEADLINE) -> re.Match[str]:
        """Wait for a line of output in which the pattern is found."""

        def find() -> re.Match[str] | None:
            lines = [*self.out, *self.err]
            return next((hit for line in lines if (hit := re.search(pattern, line))), None)

        with self.grew:
            found = self.grew.wait_for(find, within)
        assert found, f"no line with {pattern!r}:\n" + "\n".join([*self.out, *self.err])
        return found

    def end(self, how: signal.Signals = signal.SIGTERM, within: float = DEADLINE) -> int:
        """Send a signal and return the exit code; all output is there then."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.ended(within)

    def ended(self, within: float = DEADLINE) -> int:
        """Wait until it has ended by itself and return the exit code; all output is there then."""
        code = self.process.wait(within)
        for reader in self.readers:
            reader.join(within)
        return code

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log events of that name, written as JSON so far."""
        found = (json.loads(line) for line in list(self.err) if line.startswith("{"))
        return [event for event in found if event["event"] == name]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Send a GET."""
        return self.http.get(f"{self.url}{path}", headers=headers)

    def post(self, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        """Send a POST with a JSON body; the answer must be good."""
        answer = self.http.post(f"{self.url}{path}", json=body or {})
        return answer.raise_for_status()

    def samples(self, begin: str = "") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """Scrape: the samples by name, then by sorted labels; of those that ``begin`` so."""
        lines = self.get("/metrics").text.splitlines()
        text = "".join(f"{line}\n" for line in lines if line.startswith(begin))
        read: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                read.setdefault(sample.name, {})[labels] = sample.value
        return read

    def total(self, name: str, **labels: str) -> float:
        """Scrape: the sum of one metric over all series that have these labels."""
        return sum(
            value
            for key, value in self.samples(name).get(name, {}).items()
            if labels.items() <= set(key)
        )

    def counted(self) -> dict[str, Counter[str]]:
        """Scrape: what was counted, by what happened and action type; zeros left out."""
        counted = {}
        samples = self.samples("telnyx_sim_card_actions_")
        for name in ("created", "completed", "failed", "interrupted"):
            by_type: Counter[str] = Counter()
            for labels, value in samples[f"telnyx_sim_card_actions_{name}_total"].items():
                by_type[dict(labels)["action_type"]] += int(value)
            counted[name] = +by_type
        return counted

    def recorded(self) -> dict[str, Counter[str]]:
        """Ask a simulator what has happened in it, in the form of `counted`."""
        record = self.get("/_simulator/record").json()
        return {
            name: +Counter(record[name])
            for name in ("created", "completed", "failed", "interrupted")
        }


@pytest.fixture
def gather() -> Iterator[Callable[[Process], Running]]:
    """Give what reads the output of a process; it is killed in the end if it still runs."""
    started: list[Running] = []

    def run(process: Process) -> Running:
        running = Running(process)
        started.append(running)
        running.read(process.stdout, running.out)
        running.read(process.stderr, running.err)
        return running

    yield run
    for each in started:
        each.end(signal.SIGKILL)
        each.http.close()


@pytest.fixture
def start(gather: Callable[[Process], Running], tmp_path: Path) -> Callable[..., Running]:
    """Give a starter of processes; those that still run in the end are killed."""

    def run(*command: str, cwd: Path = tmp_path, env: Mapping[str, str] | None = None) -> Running:
        process = subprocess.Popen(  # noqa: S603 # our own programs, and Prometheus
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return gather(process)

    return run


@pytest.fixture
def command(
    start: Callable[..., Running],
    gather: Callable[[Process], Running],
    forks: ForkServer,
    tmp_path: Path,
) -> Callable[..., Running]:
    """Give a starter of our own program; ``before`` are words of a program that starts it.

    Without them it is forked, wherever a new interpreter would make no difference.
    """

    def run(
        *words: str,
        before: tuple[str, ...] = (),
        cwd: Path = tmp_path,
        env: Mapping[str, str] | None = None,
    ) -> Running:
        whole = {**os.environ, **(env or {})}
        if before or not forks.serves(cwd, whole):
            return start(*before, sys.executable, "-m", "exporter", *words, cwd=cwd, env=env)
        return gather(forks.start(*words, cwd=cwd, env=whole))

    return run


@pytest.fixture
def simulate(command: Callable[..., Running]) -> Callable[..., Running]:
    """Give a starter of simulators, in which nothing happens but what options or a test ask for."""

    def run(*options: str) -> Running:
        quiet = ("--rate", "0", "--bulk-every", "0", "--stuck-at-start", "0", "--history", "1000")
        running = command("simulate", "--web.listen-address", "127.0.0.1:0", *quiet, *options)
        running.url = running.wait_for(r"base_url (http://\S+)/v2")[1]
        return running

    return run


@pytest.fixture
def export(command: Callable[..., Running], tmp_path: Path) -> Callable[..., Running]:
    """Give a starter of exporters of the account at a URL; they log JSON and poll often.

    Further words are environment variables; ``before`` are words of a program that starts it.
    """

    def run(
        api: str,
        *options: str,
        key: str = KEY,
        state: str = "sqlite:///telnyx-sim-exporter.db",
        before: tuple[str, ...] = (),
        alertmanagers: tuple[str, ...] = (),
        poll: Mapping[str, object] | None = None,
        web: Mapping[str, object] | None = None,
        **env: str,
    ) -> Running:
        file = tmp_path / "config.yaml"
        settings = {
            "accounts": [{"api_key": "${THE_KEY}", "base_url": f"{api}/v2"}],
            "poll": {
                "interval": "200ms",
                "audit_interval": "1h",
                "rate_limit": 1000,
                "request_timeout": "5s",
                **(poll or {}),
            },
            "state": {"url": state},
            "web": {"listen_address": "127.0.0.1:0", **(web or {})},
            "log": {"format": "json"},
            "alertmanager": {"targets": alertmanagers, "resend_interval": "1s"},
        }
        file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        words = ("run", "--config.file", str(file), *options)
        running = command(*words, before=before, env={"THE_KEY": key, **env})
        running.url = running.wait_for(r'"address": "(https?://[^"]+)"')[1]
        return running

    return run


@pytest.fixture
def free_port() -> int:
    """Give a port of loopback on which nobody listens."""
    return programs.free_port()


@pytest.fixture
def until() -> Callable[..., Any]:
    """Give what waits for a condition (`eventually`)."""
    return eventually
