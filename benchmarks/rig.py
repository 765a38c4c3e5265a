"""A simulator and an exporter of its account, as processes on loopback, over the same state file.

It starts, asks, kills and ends them; what to do when, and what it means, it must not decide.
"""

import json
import signal
from pathlib import Path
from typing import Any

import httpx

from benchmarks.programs import Program, ProgramError, start
from benchmarks.signals import held

KEY = "KEY-simulated"
AUDIT_INTERVAL = 10.0
"""Seconds between two audits of the exporter."""

REQUEST_TIMEOUT = 1.0
"""Seconds that a request of the exporter may take."""

ADDRESS = r'"address": "(http://[^"]+)"'
PAGE = 250


class Rig:
    """The two programs; a context manager that ends both. ``logs`` are the exporter's, by run."""

    def __init__(self, folder: Path, options: dict[str, object]) -> None:
        """Start a simulator with these ``options``, and pause it; all files go to ``folder``."""
        self.logs: list[Path] = []
        self._folder = folder
        self._exporter: Program | None = None
        self._simulator: Program | None = None
        words = [f"--{name}={value}" for name, value in options.items()]
        output = folder / "simulator.log"
        self._http = httpx.Client(trust_env=False, timeout=5)
        try:
            with held():
                simulator = self._simulator = start(
                    *("simulate", "--web.listen-address=127.0.0.1:0", f"--key={KEY}"),
                    *words,
                    output=output,
                )
            self._api = simulator.wait_for(r"base_url (http://\S+)/v2")
            quiet(self._http, self._api)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End both programs, whatever they are doing."""
        for program in (self._exporter, self._simulator):
            if program is not None:
                program.end(signal.SIGKILL)
        self._http.close()

    def control(self, what: str, body: dict[str, object] | None = None) -> None:
        """Tell the simulator to do something; raises httpx.HTTPError if it does not."""
        self._http.post(f"{self._api}/_simulator/{what}", json=body or {}).raise_for_status()

    def record(self) -> dict[str, Any]:
        """Ask the simulator what has happened."""
        answer = self._http.get(f"{self._api}/_simulator/record").raise_for_status()
        record: dict[str, Any] = answer.json()
        return record

    def start_exporter(self) -> None:
        """Start the exporter, for the first time or again."""
        self.logs.append(self._folder / f"exporter-{len(self.logs):04}.log")
        config = self._folder / "config.yaml"
        settings = {
            "accounts": [{"api_key": "${SOAK_KEY}", "base_url": f"{self._api}/v2"}],
            "poll": {
                "interval": "1s",
                "audit_interval": f"{AUDIT_INTERVAL:g}s",
                "request_timeout": f"{REQUEST_TIMEOUT:g}s",
                "rate_limit": 1000,
            },
            # The simulator's record knows nothing of what is stuck.
            "stuck_after": {"default": "30d"},
            "state": {"url": f"sqlite:///{self._folder.resolve() / 'state.db'}"},
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"format": "json"},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        words = ("run", "--config.file", str(config))
        with held():
            self._exporter = start(*words, output=self.logs[-1], env={"SOAK_KEY": KEY})

    def wait_for_baseline(self) -> None:
        """Wait until the exporter has polled the account for the first time."""
        self._running().wait_for('"event": "(baseline_taken)"')

    def exposition(self, *, wait: bool = False) -> str | None:
        """Scrape the exporter; None while it is starting, unless told to ``wait`` for it."""
        exporter = self._running()
        url = exporter.wait_for(ADDRESS) if wait else exporter.find(ADDRESS)
        if url is None or self._http.get(f"{url}/-/ready").status_code != httpx.codes.OK:
            return None
        return self._http.get(f"{url}/metrics").raise_for_status().text

    def problems(self) -> list[dict[str, Any]]:
        """Ask the exporter which SIM cards are broken."""
        url = self._running().wait_for(ADDRESS)
        found: list[dict[str, Any]] = []
        after: str | None = None
        while True:
            position = {} if after is None else {"after": after}
            answer = self._http.get(f"{url}/api/v1/problems", params=position).raise_for_status()
            data = answer.json()["data"]
            found += data["problems"]
            if (after := data["next"]) is None:
                return found

    def bulks(self) -> list[dict[str, Any]]:
        """Ask the simulator for its bulk actions, each with the summary of its members."""
        return list_bulks(self._http, self._api)

    def end_exporter(self, how: signal.Signals) -> int:
        """End the exporter with a signal; returns its exit code."""
        return self._running().end(how)

    def _running(self) -> Program:
        if self._exporter is None:
            raise ProgramError("the exporter was not started")
        return self._exporter


def list_bulks(http: httpx.Client, api: str) -> list[dict[str, Any]]:
    """Ask a simulator for its bulk actions, each with the summary of its members."""
    found: list[dict[str, Any]] = []
    while True:
        answer = http.get(
            f"{api}/v2/bulk_sim_card_actions",
            params={"page[size]": PAGE, "page[number]": len(found) // PAGE + 1},
            headers={"authorization": f"Bearer {KEY}"},
        )
        page = answer.raise_for_status().json()["data"]
        found += page
        if len(page) < PAGE:
            return found


def quiet(http: httpx.Client, api: str) -> None:
    """Let nothing arrive at a simulator, and nothing that arrived before happen any more."""

    def control(what: str, body: dict[str, object] | None = None) -> None:
        http.post(f"{api}/_simulator/{what}", json=body or {}).raise_for_status()

    control("pause")
    answer = http.get(
        f"{api}/v2/sim_card_actions",
        params={"page[size]": PAGE, "filter[status]": "in-progress"},
        headers={"authorization": f"Bearer {KEY}"},
    )
    running = answer.raise_for_status().json()["data"]
    if len(running) == PAGE:
        raise ProgramError("too many actions arrived before the pause; give a lower rate")
    for action in running:
        ended = http.post(f"{api}/_simulator/actions/{action['id']}", json={"status": "completed"})
        if ended.status_code != httpx.codes.UNPROCESSABLE_ENTITY:  # it ended in the meantime
            ended.raise_for_status()
    interrupted = http.get(f"{api}/_simulator/record").raise_for_status().json()["interrupted"]
    if any(interrupted.values()):
        raise ProgramError("an action was interrupted before the pause, and may go on")
