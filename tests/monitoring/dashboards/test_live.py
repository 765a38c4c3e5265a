import math
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo_stack.receiver import NotificationReceiver
from tests.monitoring.dashboards.conftest import (
    FILES,
    FOLDER,
    Json,
    filled,
    links,
    panels,
    read,
    selector,
    variables,
)
from tests.monitoring.scraping import LIVELY, scrape, ways_to_store
from tests.support.waiting import eventually

PATIENCE = 40.0
RANGES = {"__rate_interval": "4s", "__range": "1m", "__interval": "1s"}
"""What Grafana makes of them for a Prometheus that scrapes every second."""

METRIC = re.compile(r"\b(?:telnyx_\w+|up)\b")
COUNTING = ("_total", "_count", "_sum", "_bucket")
"""How the names of counters end, and those of the parts of histograms."""

EMPTY_IF_POLLED = {
    "Telnyx: SIM card actions, Accounts with problems, A",
    "Telnyx: SIM card actions, Accounts with problems, B",
}
"""Columns for accounts that are not polled; all accounts are."""

RULES = FOLDER.parent / "rules" / "telnyx-sim-exporter.rules.yaml"
ALERTS = """\
groups:
  - name: of this test
    rules:
      - {alert: TelnyxSimCritical, expr: telnyx_up == 1, labels: {severity: critical}}
      - {alert: TelnyxSimOther, expr: telnyx_up == 1, labels: {severity: warning}}
"""
"""Alerts that fire at once, unlike those of the shipped rules."""

SHOWN = 30
"""Seconds that are asked for."""

GOOD_AT_ZERO = {
    "Telnyx: SIM card actions, Accounts not polled",
    "Telnyx: SIM card actions, Exporters down",
    "Telnyx: SIM exporter health, Accounts not polled",
    "Telnyx: SIM exporter health, Accounts unheld",
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


@pytest.fixture
def alertmanager() -> Iterator[str]:
    """Give the URL of a receiver that accepts every alert."""
    with closing(NotificationReceiver(lambda _: None)) as receiver:
        yield receiver.url


@pytest.fixture(params=ways_to_store())
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
    account = simulate(*LIVELY)
    # It never ends, so that the exporter looks at the others, too.
    account.post("/_simulator/actions", {"count": 20, "bulk": True})
    exporter = export(account.url, alertmanagers=(alertmanager,))
    program = program_path("prometheus")
    alerts = tmp_path / "alerts.yml"
    alerts.write_text(ALERTS, "utf-8")
    stored, rules = request.param, (RULES, alerts)
    running = scrape(start, program, exporter, free_port, tmp_path, stored=stored, rules=rules)
    return Server(running.url, running.http)


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
                if not series and place not in EMPTY_IF_POLLED:
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


def test_links_to_the_page_work(simulate: Callable[..., Any], export: Callable[..., Any]) -> None:
    """Each part of the page that a dashboard links to exists, with these filters."""
    exporter = export(simulate(*LIVELY).url)
    paths = {
        link.removeprefix("${page:raw}") for board in map(read, FILES) for link in links(board)
    }
    paths = {path.replace("${__value.raw:percentencode}", "default") for path in paths}
    parts = {path for path in paths if path.startswith("/")}
    assert parts
    answers = {path: exporter.http.get(f"{exporter.url}{path}").status_code for path in parts}
    assert set(answers.values()) == {200}, answers
