"""A simulator and an exporter of it as processes on loopback, for what is measured from outside.

Every account of the exporter is the same simulated one. It starts, asks and ends them; what to
measure it must not decide.
"""

import gzip
import http.client
import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.programs import PATIENCE, Program, ProgramError, cpu_of, memory_of, start

KEY = "KEY-simulated"
ADDRESS = r'"address": "(http://[^"]+)"'

PROMETHEUS = {
    "accept": (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=1.0.0;q=0.5,"
        "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    ),
    "accept-encoding": "gzip",
}
"""What Prometheus asks for: OpenMetrics, packed."""

PLAIN: dict[str, str] = {}
"""What a person with curl asks for: text, not packed."""


class Stage:
    """The two programs; a context manager that ends both."""

    def __init__(
        self,
        folder: Path,
        options: dict[str, object],
        *,
        accounts: int,
        interval: float,
        alertmanagers: Sequence[str] = (),
        wait: bool = True,
    ) -> None:
        """Start a simulator with ``options``, and an exporter that polls it as ``accounts``.

        ``interval`` is in seconds; ``alertmanagers`` are URLs. Returns when every account has been
        polled, or without ``wait`` when the exporter listens.
        """
        self._programs: list[Program] = []
        self._accounts = accounts
        try:
            words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
            self._programs.append(
                start(
                    "simulate",
                    "--web.listen-address=127.0.0.1:0",
                    *words,
                    output=folder / "simulator.log",
                )
            )
            api = self._programs[0].wait_for(r"base_url (http://\S+)/v2")
            self._control = httpx.Client(base_url=f"{api}/_simulator/", trust_env=False, timeout=60)
            self._programs.append(
                self._start_exporter(folder, api, accounts, interval, alertmanagers)
            )
            address = urlsplit(self._programs[1].wait_for(ADDRESS, PATIENCE + accounts / 5))
            self.address = address.netloc
            self._scraper = http.client.HTTPConnection(self.address, timeout=60)
            if wait:
                self.wait_until_ready()
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """End both programs."""
        self._scraper.close()
        self._control.close()
        self._end()

    def control(self, what: str, body: dict[str, object]) -> httpx.Response:
        """Tell the simulator to do something; raises httpx.HTTPError if it does not."""
        return self._control.post(what, json=body).raise_for_status()

    def cpu(self) -> float:
        """Return the seconds of CPU that the exporter's process has taken, its threads included."""
        return cpu_of(self._programs[1].process.pid)

    def memory(self) -> int:
        """Return the bytes that the exporter's process holds in memory, libraries included."""
        return memory_of(self._programs[1].process.pid)

    def rest(self, seconds: float) -> None:
        """Leave the exporter alone; its connection is opened anew after that."""
        self._scraper.close()
        time.sleep(seconds)

    def scrape(self, headers: dict[str, str] = PLAIN) -> tuple[float, str]:
        """Scrape the exporter; returns the seconds until the last byte was there, and the text."""
        began = time.perf_counter()
        answer, body = self._get("/metrics", headers)
        took = time.perf_counter() - began
        if answer.status != httpx.codes.OK:
            raise ProgramError(f"/metrics answers {answer.status}")
        packed = answer.headers["content-encoding"] == "gzip"
        return took, (gzip.decompress(body) if packed else body).decode()

    def wait_until_ready(self) -> None:
        """Wait until every account has been polled; raises ProgramError if that takes too long."""
        end = time.monotonic() + PATIENCE + self._accounts
        while self._get("/-/ready")[0].status != httpx.codes.OK:
            if time.monotonic() > end:
                raise ProgramError("the exporter does not get ready")
            time.sleep(0.1)

    def ask(self, path: str, headers: dict[str, str] = PLAIN) -> float:
        """Ask the exporter for a path; returns the seconds until the last byte was there."""
        began = time.perf_counter()
        answer, _ = self._get(path, headers)
        if answer.status != httpx.codes.OK:
            raise ProgramError(f"{path} answers {answer.status}")
        return time.perf_counter() - began

    def _get(
        self, path: str, headers: dict[str, str] = PLAIN
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._scraper.request("GET", path, headers=headers)
        answer = self._scraper.getresponse()
        return answer, answer.read()

    def _start_exporter(
        self, folder: Path, api: str, accounts: int, interval: float, alertmanagers: Sequence[str]
    ) -> Program:
        config = folder / "config.yaml"
        settings = {
            "accounts": [
                {"name": f"account-{number:03}", "api_key": KEY, "base_url": f"{api}/v2"}
                for number in range(accounts)
            ],
            "poll": {"interval": f"{interval:g}s", "rate_limit": 1000},
            "state": {"url": f"sqlite:///{folder.resolve() / 'state.db'}"},
            "web": {"listen_address": "127.0.0.1:0"},
            "log": {"format": "json"},
            "alertmanager": {"targets": list(alertmanagers)},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        return start("run", "--config.file", str(config), output=folder / "exporter.log")

    def _end(self) -> None:
        for program in reversed(self._programs):
            program.end(signal.SIGKILL)
