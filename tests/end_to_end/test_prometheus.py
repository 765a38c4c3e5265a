from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

CONFIGURATION = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: telnyx
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """A Prometheus server that is asked by PromQL."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        """Ask at ``url``."""
        self._url = url
        self._http = http

    def ask(self, query: str, by: str = "action_type") -> dict[str, float]:
        """Return the values of an instant query by one label."""
        answer = self._http.get(f"{self._url}/api/v1/query", params={"query": query})
        assert answer.status_code == 200, answer.text
        results = answer.json()["data"]["result"]
        return {each["metric"].get(by, ""): float(each["value"][1]) for each in results}


@pytest.fixture
def prometheus(
    start: Callable[..., Any], program_path: Callable[[str], str], free_port: int, tmp_path: Path
) -> Callable[[str], Prometheus]:
    """Give a starter of a real Prometheus that scrapes one exporter every second."""

    def run(url: str) -> Prometheus:
        file = tmp_path / "prometheus.yml"
        file.write_text(CONFIGURATION.format(target=url.removeprefix("http://")), encoding="utf-8")
        listen = f"127.0.0.1:{free_port}"
        running = start(
            program_path("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={listen}",
        )
        return Prometheus(f"http://{listen}", running.http)

    return run


@pytest.mark.program("prometheus")
def test_prometheus_sees_what_happened(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    prometheus: Callable[[str], Prometheus],
    until: Callable[..., Any],
) -> None:
    """By PromQL the counts equal the account's own record, and the first failure is an increase."""
    simulator = simulate(
        "--duration", "1", "--failed", "0.2", "--interrupted", "0.2", "--stuck", "0",
        "--resumed", "0", "--duration-sigma", "0.3",
    )  # fmt: skip
    exporter = export(simulator.url)
    server = prometheus(exporter.url)
    failures = 'telnyx_sim_card_actions_failed_total{action_type="disable"}'
    until(lambda: server.ask(f"min(count_over_time({failures}[1m])) >= 2", ""))
    assert server.ask(f"sum({failures})", "") == {"": 0}

    ids = simulator.post("/_simulator/actions", {"count": 3, "action_type": "disable"}).json()[
        "ids"
    ]
    simulator.post(f"/_simulator/actions/{ids[0]}", {"status": "failed", "reason": "Refused."})
    simulator.post(f"/_simulator/actions/{ids[1]}", {"status": "interrupted"})
    simulator.post("/_simulator/actions", {"count": 300, "action_type": "enable", "lives": True})

    def counted() -> dict[str, Counter[str]]:
        return {
            name: +Counter(
                {
                    kind: int(value)
                    for kind, value in server.ask(
                        f"sum by (action_type) (telnyx_sim_card_actions_{name}_total)"
                    ).items()
                }
            )
            for name in ("created", "completed", "failed", "interrupted")
        }

    def settled() -> bool:
        record = simulator.recorded()
        assert counted() == record
        return bool(record["failed"]["enable"] and record["interrupted"]["enable"])

    until(lambda: simulator.get("/_simulator/record").json()["in_flight"] == 1)
    until(settled)
    assert server.ask("up", "job") == {"telnyx": 1}
    assert server.ask("telnyx_up", "account") == {"default": 1}
    assert server.ask(f"sum(increase({failures}[1m])) > 0", "")
    assert server.ask('sum(telnyx_sim_card_actions{status="in-progress"})', "") == {"": 1}
