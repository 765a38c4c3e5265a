import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_stack.receiver import NotificationReceiver
from tests.end_to_end.conftest import eventually
from tests.monitoring.dashboards.conftest import (
    FILES,
    Json,
    filled,
    panels,
    read,
    selector,
    variables,
)

PATIENCE = 40.0
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: telnyx-sim-exporter{options}
    static_configs: [{{targets: ["{target}"]}}]
  - job_name: another
    static_configs: [{{targets: ["127.0.0.1:1"]}}]
"""
"""The other job is no exporter, and is down: nothing on the dashboards may be about it."""

STORED = {
    "classic": "",
    "native": "\n    convert_classic_histograms_to_nhcb: true",
    "both": (
        "\n    convert_classic_histograms_to_nhcb: true\n    always_scrape_classic_histograms: true"
    ),
}
"""How Prometheus stores histograms: as they are exported, or as it converts them from 3.4 on."""

RANGES = {"__rate_interval": "4s", "__range": "1m", "__interval": "1s"}
"""What Grafana makes of them for a Prometheus that scrapes every second."""

METRIC = re.compile(r"\b(?:telnyx_\w+|up)\b")
COUNTING = ("_total", "_count", "_sum", "_bucket")
"""How the names of counters end, and those of the parts of histograms."""

SHOWN = 30
"""Seconds that are asked for."""

LIFE = {
    "rate": 8,
    "mix": "enable=2,disable=1,set_public_ip=1",
    "duration": 1,
    "duration-sigma": 0.5,
    "failed": 0.2,
    "interrupted": 0.15,
    "stuck": 0.02,
    "stuck-at-start": 3,
    "resumed": 0.5,
    "resume-after": 1,
    "bulk-every": 3,
    "bulk-size": 20,
    "history": 1000,
    "rate-limit": 1000,
    "server-error": 0.03,
    "malformed": 0.01,
}
"""The account of the demo, in a hurry, and with an API that is not always well."""

GOOD_AT_ZERO = {
    "Telnyx: SIM card actions, Accounts failing",
    "Telnyx: SIM exporter health, Accounts failing",
    "Telnyx: SIM exporter health, Exporters down",
    "Telnyx: SIM exporter health, Lists without order",
    "Telnyx: SIM exporter health, Problems over time",
}
"""Panels that count the series with a bad value: 0 is right though the metrics are not 0."""


class Server:
    """A Prometheus server that is asked for series; a sample that is not a number is none."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        """Ask at ``url``."""
        self._url = url
        self._http = http

    def get(self, path: str, **parameters: str) -> Any:
        """Return what the API says; it must be no error."""
        answer = self._http.get(f"{self._url}/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    def now(self) -> float:
        """Return the time by the server's clock."""
        return float(self.get("query", query="time()")["result"][1])

    def series(self, query: str, *, instant: bool) -> list[tuple[dict[str, str], list[float]]]:
        """Return the labels and the values of each series that a panel would get."""
        query = filled(query, RANGES)
        if instant:
            found = self.get("query", query=query)["result"]
            pairs = [(each["metric"], [_sample(each)]) for each in found]
        else:
            end = self.now()
            window = {"start": f"{end - SHOWN}", "end": f"{end}", "step": "1"}
            found = self.get("query_range", query=query, **window)["result"]
            # A native histogram has its buckets in it.
            pairs = [
                (each["metric"] | ({"le": ""} if "histograms" in each else {}), _samples(each))
                for each in found
            ]
        series = [(labels, [float(value) for _, value in values]) for labels, values in pairs]
        return [
            (labels, sound)
            for labels, values in series
            if (sound := [value for value in values if not math.isnan(value)])
        ]


def _sample(series: Json) -> Any:
    if "histogram" in series:
        return [series["histogram"][0], series["histogram"][1]["count"]]
    return series["value"]


def _samples(series: Json) -> list[Any]:
    """Give the samples of a series; of a native histogram, its count."""
    native = [[at, each["count"]] for at, each in series.get("histograms", ())]
    return [*series.get("values", ()), *native]


def _converts(prometheus: str) -> bool:
    """Tell whether this Prometheus can convert histograms."""
    told = subprocess.run((prometheus, "--version"), check=True, capture_output=True, text=True)  # noqa: S603 # a fixed program
    found = re.search(r"version (\d+)\.(\d+)", told.stdout + told.stderr)
    # One that was built from source alone knows no version.
    return found is None or (int(found[1]), int(found[2])) >= (3, 4)


def _ways() -> list[str]:
    """Return the ways to store histograms that the Prometheus on this machine has."""
    program = shutil.which("prometheus")
    return list(STORED) if program and _converts(program) else ["classic"]


@pytest.fixture
def alertmanager() -> Iterator[str]:
    """Give the URL of a receiver that accepts every alert."""
    with closing(NotificationReceiver(lambda _: None)) as receiver:
        yield receiver.url


@pytest.fixture(params=_ways())
def server(  # one for each program
    request: pytest.FixtureRequest,
    alertmanager: str,
    start: Callable[..., Any],
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    program_path: Callable[[str], str],
    free_port: int,
    tmp_path: Path,
) -> Server:
    """Give a Prometheus that scrapes an exporter of a lively account, for each way it stores."""
    program = program_path("prometheus")
    options = (f"--{name}={value}" for name, value in LIFE.items())
    exporter = export(simulate(*options).url, alertmanagers=(alertmanager,))
    target = exporter.url.removeprefix("http://")
    config = PROMETHEUS.format(target=target, options=STORED[request.param])
    file = tmp_path / "prometheus.yml"
    file.write_text(config, "utf-8")
    listen = f"127.0.0.1:{free_port}"
    prometheus = start(
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={listen}",
    )
    return Server(f"http://{listen}", prometheus.http)


def names(target: Json, panel: Json) -> set[str]:
    """Give the labels that the names of a query's series are made of, or a table's columns."""
    if panel["type"] != "table":
        return set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    (columns,) = (
        each["options"]["renameByName"]
        for each in panel["transformations"]
        if each["id"] == "organize"
    )
    return {label for label in columns if not label.startswith("Value")}


def silent(server: Server) -> Iterator[str]:
    """List what would be empty on the dashboards, or without a name."""
    for board in map(read, FILES):
        for panel in panels(board):
            for target in panel["targets"]:
                place = f"{board['title']}, {panel['title']}, {target['refId']}"
                series = server.series(target["expr"], instant=target["instant"])
                if not series:
                    yield f"{place}: no data"
                for labels, _ in series:
                    yield from (
                        f"{place}: no {name} in {labels}"
                        for name in names(target, panel) - labels.keys()
                    )
        for each in board["annotations"]["list"]:
            if not server.series(each["expr"], instant=False):
                yield f"{board['title']}, {each['name']}: no mark"
        for each in variables(board):
            match = {"match[]": filled(selector(each), RANGES)}
            if not server.get(f"label/{each['name']}/values", **match):
                yield f"{board['title']}, {each['name']}: nothing to choose"


def moved(server: Server, query: str) -> Iterator[str]:
    """Give the metrics of a query that were not 0, or counters that went on."""
    for name in set(METRIC.findall(query)):
        counts = name.endswith(COUNTING)
        for _, values in server.series(name, instant=False):
            if len(set(values)) > 1 if counts else any(values):
                yield name
                break


def zero_of_what_moves(server: Server) -> Iterator[tuple[str, list[str]]]:
    """Give the panels that show 0 and nothing else, with the metrics in them that are not 0."""
    for board in map(read, FILES):
        for panel in panels(board):
            targets = panel["targets"]
            shown = (server.series(each["expr"], instant=each["instant"]) for each in targets)
            if not any(any(values) for series in shown for _, values in series):
                queries = " ".join(each["expr"] for each in targets)
                if names := sorted(moved(server, queries)):
                    yield f"{board['title']}, {panel['title']}", names


@pytest.mark.program("prometheus")
def test_every_query_returns_data(server: Server) -> None:
    """With an account at work, no panel, mark or choice is empty, and no series is nameless."""

    def shown() -> bool:
        assert list(silent(server)) == []
        zeros = dict(zero_of_what_moves(server))
        assert zeros.keys() == GOOD_AT_ZERO, f"0, unlike what they show: {zeros}"
        return True

    eventually(shown, within=PATIENCE)
