"""The past of an account in a real Prometheus, beside what it scrapes."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

COUNTERS = {
    name: f"telnyx_sim_card_actions_{name}_total"
    for name in ("created", "completed", "failed", "interrupted")
}
DURATIONS = "telnyx_sim_card_action_duration_seconds_count"
CONFIGURATION = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: telnyx-sim-exporter
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """A real Prometheus on one folder of data, which can be stopped and started again."""

    def __init__(self, start: Callable[..., Any], program: str, folder: Path, port: int) -> None:
        """Keep the parts; it does not run yet."""
        self._start = start
        self._program = program
        self._folder = folder
        self._listen = f"127.0.0.1:{port}"
        self._running: Any = None

    @property
    def data(self) -> Path:
        """Its folder of data."""
        return self._folder / "data"

    def run(self, exporter: str) -> None:
        """Start it; it scrapes an exporter every second."""
        file = self._folder / "prometheus.yml"
        target = exporter.removeprefix("http://")
        file.write_text(CONFIGURATION.format(target=target), encoding="utf-8")
        self._running = self._start(
            self._program,
            f"--config.file={file}",
            f"--storage.tsdb.path={self.data}",
            f"--web.listen-address={self._listen}",
        )

    def stop(self) -> None:
        """Stop it; what it holds is on disk then."""
        assert self._running.end() == 0

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        answer: httpx.Response = self._running.http.get(
            f"http://{self._listen}/api/v1/query", params={"query": query}
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def by_type(self, query: str) -> Counter[str]:
        """Return the values of an instant query by action type, rounded; zeros left out."""
        found = self.ask(query)
        return +Counter({e["metric"]["action_type"]: round(float(e["value"][1])) for e in found})

    def steps(self, name: str) -> Counter[str]:
        """Return by how much the samples of a counter rise in all, by action type.

        What follows a reset counts from 0. There is no extrapolation as in `increase`.
        """
        risen: Counter[str] = Counter()
        for series in self.ask(f"{name}[9h]"):
            values = [float(value) for _, value in series["values"]]
            assert values[0] == 0, series["metric"]
            for before, after in pairwise(values):
                risen[series["metric"]["action_type"]] += int(
                    after - before if after >= before else after
                )
        return +risen


def listed(record: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return all that an account lists, as the counters would have it from the first day."""
    return {
        "created": +Counter({name: sum(each.values()) for name, each in record["current"].items()}),
        **{
            status: +Counter({name: each[status] for name, each in record["current"].items()})
            for status in ("completed", "failed", "interrupted")
        },
    }


@pytest.mark.program("prometheus", "promtool")
def test_the_past_goes_on_in_the_present(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    command: Callable[..., Any],
    start: Callable[..., Any],
    program_path: Callable[[str], str],
    free_port: int,
    tmp_path: Path,
    until: Callable[..., Any],
) -> None:
    """Over both, `increase` is the account's own record: nothing is lost or doubled at the seam."""
    simulator = simulate(
        "--history", "1500", "--history-spacing", "10", "--stuck-at-start", "3",
        "--failed", "0.2", "--interrupted", "0.1", "--stuck", "0", "--resumed", "0",
    )  # fmt: skip

    def create(count: int, action_type: str) -> list[str]:
        wanted = {"count": count, "action_type": action_type}
        ids: list[str] = simulator.post("/_simulator/actions", wanted).json()["ids"]
        return ids

    def finish(ids: list[str], status: str) -> None:
        for each in ids:
            simulator.post(
                f"/_simulator/actions/{each}", {"status": status, "reason": "SIM card is blocked"}
            )

    before = create(20, "enable")
    finish(before[:5], "failed")
    exporter = export(simulator.url)
    prometheus = Prometheus(start, program_path("prometheus"), tmp_path, free_port)
    prometheus.run(exporter.url)
    scraped = f'min(count_over_time({COUNTERS["failed"]}{{action_type="enable"}}[5m])) >= 2'
    until(lambda: prometheus.ask(scraped))
    finish(before[5:9], "failed")  # in progress at the baseline
    finish(create(6, "disable")[:4], "completed")
    until(lambda: exporter.total(COUNTERS["failed"]) == 4)

    file = tmp_path / "past.om"
    address = exporter.url.removeprefix("http://")
    reading = command(
        "history", "--config.file", str(tmp_path / "config.yaml"), "--format", "openmetrics",
        "--output", str(file), "--instance", address, env={"THE_KEY": "KEY-simulated"},
    )  # fmt: skip
    assert reading.ended() == 0, reading.err
    finish(before[9:11], "interrupted")  # read as in progress

    prometheus.stop()
    blocks = start(
        program_path("promtool"), "tsdb", "create-blocks-from", "openmetrics",
        str(file), str(prometheus.data),
    )  # fmt: skip
    assert blocks.ended() == 0, blocks.err
    prometheus.run(exporter.url)
    finish(create(3, "enable")[:2], "failed")

    def agree() -> bool:
        truth = listed(simulator.get("/_simulator/record").json())
        assert {name: prometheus.steps(metric) for name, metric in COUNTERS.items()} == truth
        ended = truth["completed"] + truth["failed"] + truth["interrupted"]
        assert prometheus.steps(DURATIONS) == ended
        for name, metric in COUNTERS.items():
            query = f"sum by (action_type) (increase({metric}[9h]))"
            assert prometheus.by_type(query) == truth[name]
        return True

    assert until(agree)
    # One series: its past, a reset where both agree on 0, and what was scraped.
    (series,) = prometheus.ask(f'{COUNTERS["failed"]}{{reason_class="sim_blocked",'
                               'action_type="enable"}[9h]')  # fmt: skip
    values = [float(value) for _, value in series["values"]]
    assert [after for before, after in pairwise(values) if after < before] == [0.0]
    assert values[-1] == 6
    # A graph of the past has no holes, and the gauge was what it is.
    hour_ago = f'{COUNTERS["completed"]}{{action_type="enable"}} offset 1h'
    assert prometheus.ask(hour_ago)
    assert prometheus.ask('telnyx_sim_card_actions{status="in-progress"} offset 1h')
