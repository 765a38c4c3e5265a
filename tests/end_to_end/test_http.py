import gzip
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def exporter(
    simulate: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> Any:
    """Start an exporter of an account in which one action has failed and one was interrupted."""
    simulator = simulate("--history", "0")
    running = export(simulator.url)
    until(lambda: running.get("/-/ready").status_code == 200)
    made = simulator.post("/_simulator/actions", {"count": 2, "action_type": "enable"}).json()
    for action_id, status in zip(made["ids"], ("failed", "interrupted"), strict=True):
        body = {"status": status, "reason": "SIM <b>blocked</b>"}
        simulator.post(f"/_simulator/actions/{action_id}", body)
    # A poll may read one list before an action ends, and another one after that.
    for name in ("failed", "interrupted"):
        until(lambda name=name: running.total(f"telnyx_sim_card_actions_{name}_total") == 1)
    running.failed, running.interrupted = made["ids"]
    return running


@pytest.mark.program("promtool")
def test_it_speaks_http(exporter: Any, program_path: Callable[[str], str]) -> None:
    """Over a real connection: paths, methods, formats, compression, exemplars, a clean lint."""

    def ask(method: str, path: str) -> httpx.Response:
        answer: httpx.Response = exporter.http.request(method, f"{exporter.url}{path}")
        return answer

    assert ask("GET", "/nothing").status_code == 404
    assert ask("GET", "/metrics/").status_code == 404
    assert ask("POST", "/metrics").status_code == 405
    assert ask("GET", "/-/reload").status_code == 405
    head, whole = ask("HEAD", "/metrics"), ask("GET", "/metrics")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert whole.headers["content-type"].startswith("text/plain; version=0.0.4")

    with exporter.http.stream("GET", f"{exporter.url}/metrics") as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert b"telnyx_up" in gzip.decompress(raw)
    assert "content-encoding" not in exporter.get("/metrics", **{"accept-encoding": ""}).headers

    shown = exemplars(exporter.get("/metrics", accept=OPENMETRICS))
    assert shown["telnyx_sim_card_actions_failed_total"] == exporter.failed
    assert shown["telnyx_sim_card_actions_interrupted_total"] == exporter.interrupted
    page = exporter.get("/").text
    assert "SIM &lt;b&gt;blocked&lt;/b&gt;" in page
    assert exporter.failed in page

    verdict = subprocess.run(  # noqa: S603 # a fixed program, our own input
        [program_path("promtool"), "check", "metrics"],
        input=whole.content,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")


def exemplars(answer: httpx.Response) -> dict[str, str]:
    """Read the action ids of the exemplars, by metric, from an answer in OpenMetrics."""
    read: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    return {
        sample.name: sample.exemplar.labels["action_id"]
        for family in read(answer.text)
        for sample in family.samples
        if sample.exemplar is not None
    }
