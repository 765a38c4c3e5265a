"""Three replicas, their PostgreSQL server, a simulator and a Prometheus, as processes on loopback.

It starts, asks, breaks and mends them; what to do when, and what it means, it must not decide.
"""

import json
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import httpx

from benchmarks.programs import PATIENCE, PAUSE, Program, ProgramError, run, start
from benchmarks.rig import AUDIT_INTERVAL, KEY, REQUEST_TIMEOUT, list_bulks, quiet
from benchmarks.tcp_relay import TcpRelay
from demo_stack.programs import free_port
from tests.support.postgresql import Cluster, new_cluster

JOB = "telnyx-sim-exporter"
OFTEN: Mapping[str, object] = {
    "interval": "1s",
    "audit_interval": f"{AUDIT_INTERVAL:g}s",
    "request_timeout": f"{REQUEST_TIMEOUT:g}s",
    "rate_limit": 1000,
}
"""Polls at short intervals, so that much happens in little time."""

CUT_OFF = 2
"""The replica between which and the database is a relay that can fall silent."""


@dataclass(slots=True)
class Replica:
    """One place for a replica: its port, the process that runs there, and the logs of all runs.

    ``killed`` has the numbers of the runs that were ended by SIGKILL.
    """

    port: int
    program: Program | None = None
    logs: list[Path] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"


class ReplicaRig:
    """The programs; `replica_rig` makes one, and ends them all."""

    def __init__(
        self, folder: Path, api: str, cluster: Cluster, relay: TcpRelay, poll: Mapping[str, object]
    ) -> None:
        """Keep the parts; no replica runs before `start`. ``poll`` has settings of that section."""
        self.cluster = cluster
        self.relay = relay
        self.database = cluster.new_database()
        self.replicas = [Replica(free_port()) for _ in range(3)]
        self._folder = folder
        self._api = api
        self._poll = poll
        self._http = httpx.Client(trust_env=False, timeout=5)

    def close(self) -> None:
        """End the replicas, whatever they are doing."""
        for each in self.replicas:
            if each.program is not None:
                each.program.end(signal.SIGKILL)
        self._http.close()

    def start(self, number: int, accounts: int) -> None:
        """Start a replica that polls this many accounts, all of them at the same simulator."""
        replica = self.replicas[number]
        replica.logs.append(self._folder / f"replica-{number}-{len(replica.logs):04}.log")
        config = self._folder / f"config-{number}.yaml"
        port = self.relay.port if number == CUT_OFF else None
        settings = {
            "accounts": [
                {"name": name, "api_key": "${SOAK_KEY}", "base_url": f"{self._api}/v2"}
                for name in account_names(accounts)
            ],
            "poll": self._poll,
            # The simulator's record knows nothing of what is stuck.
            "stuck_after": {"default": "30d"},
            "state": {
                "url": self.cluster.url(self.database, port),
                "password_file": self.cluster.password_file,
            },
            "web": {"listen_address": f"127.0.0.1:{replica.port}"},
            "log": {"format": "json"},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        words = ("run", "--config.file", str(config))
        replica.program = start(*words, output=replica.logs[-1], env={"SOAK_KEY": KEY})

    def end(self, number: int, how: signal.Signals) -> int:
        """End a replica with a signal; returns its exit code."""
        replica = self.replicas[number]
        if replica.program is None:
            raise ProgramError("the replica does not run")
        if how is signal.SIGKILL:
            replica.killed.add(len(replica.logs) - 1)
        program, replica.program = replica.program, None
        return program.end(how)

    def signal(self, number: int, how: signal.Signals) -> None:
        """Send a signal that does not end a replica."""
        program = self.replicas[number].program
        if program is not None:
            program.process.send_signal(how)

    def expositions(self, within: float = 5.0) -> list[str]:
        """Scrape the replicas that answer within so many seconds."""
        found = []
        for each in self.replicas:
            try:
                found.append(
                    self._http.get(f"{each.url}/metrics", timeout=within).raise_for_status().text
                )
            except httpx.HTTPError:
                continue
        return found

    def problems(self, account: str) -> list[dict[str, Any]]:
        """Ask any replica which SIM cards of an account are broken."""
        url = f"{self.replicas[0].url}/api/v1/problems"
        found: list[dict[str, Any]] = []
        position: dict[str, str] = {"account": account}
        while True:
            data = self._http.get(url, params=position).raise_for_status().json()["data"]
            found += data["problems"]
            if data["next"] is None:
                return found
            position["after"] = data["next"]

    def control(self, what: str, body: dict[str, object] | None = None) -> None:
        """Tell the simulator to do something; raises httpx.HTTPError if it does not."""
        self._http.post(f"{self._api}/_simulator/{what}", json=body or {}).raise_for_status()

    def record(self) -> dict[str, Any]:
        """Ask the simulator what has happened."""
        answer = self._http.get(f"{self._api}/_simulator/record").raise_for_status()
        record: dict[str, Any] = answer.json()
        return record

    def bulks(self) -> list[dict[str, Any]]:
        """Ask the simulator for its bulk actions, each with the summary of its members."""
        return list_bulks(self._http, self._api)

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Execute a statement as the superuser, in the database of the ledger."""
        return self.cluster.execute(statement, self.database)

    def quiet(self) -> None:
        """Let nothing arrive, and nothing that arrived before that happen any more."""
        quiet(self._http, self._api)

    def wait_for_baselines(self, accounts: Sequence[str]) -> None:
        """Wait until each account was polled for the first time."""
        end = time.monotonic() + PATIENCE + len(accounts)
        while True:
            logs = "".join(log.read_text() for each in self.replicas for log in each.logs)
            taken = (line for line in logs.splitlines() if '"baseline_taken"' in line)
            if {json.loads(line)["account"] for line in taken} >= set(accounts):
                return
            if time.monotonic() > end:
                raise ProgramError("not every account was polled")
            time.sleep(PAUSE)

    @contextmanager
    def prometheus(self) -> Iterator[str]:
        """Run a Prometheus that scrapes all replicas each second; gives its URL."""
        binary = which("prometheus")
        if binary is None:
            raise ProgramError("prometheus is not installed; run scripts/programs.sh prometheus")
        port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {
                    "job_name": JOB,
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{each.port}" for each in self.replicas]}
                    ],
                    "metric_relabel_configs": [
                        {
                            "source_labels": ["__name__"],
                            "regex": "telnyx_(sim_card|bulk)_.+|telnyx_up",
                            "target_label": "instance",
                            "replacement": JOB,
                        }
                    ],
                }
            ],
        }
        file = self._folder / "prometheus.yml"
        file.write_text(json.dumps(config), encoding="utf-8")
        program = run(
            [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={self._folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            output=self._folder / "prometheus.log",
        )
        try:
            program.wait_for("(Server is ready to receive web requests)")
            yield f"http://127.0.0.1:{port}"
        finally:
            program.end(signal.SIGTERM)


def account_names(count: int) -> list[str]:
    """Return the names of the accounts."""
    return [f"account-{number:02}" for number in range(count)]


@contextmanager
def replica_rig(
    folder: Path, options: Mapping[str, object], poll: Mapping[str, object] = OFTEN
) -> Iterator[ReplicaRig]:
    """Start a simulator with these ``options`` and a PostgreSQL server; all files go to ``folder``.

    No replica runs yet; ``poll`` are settings of theirs.
    """
    with ExitStack() as stack:
        simulator = start(
            "simulate",
            "--web.listen-address=127.0.0.1:0",
            f"--key={KEY}",
            *(f"--{name}={value}" for name, value in options.items()),
            output=folder / "simulator.log",
        )
        stack.callback(simulator.end, signal.SIGKILL)
        api = simulator.wait_for(r"base_url (http://\S+)/v2")
        cluster = stack.enter_context(new_cluster())
        relay = stack.enter_context(closing(TcpRelay(cluster.port)))
        yield stack.enter_context(closing(ReplicaRig(folder, api, cluster, relay, poll)))
