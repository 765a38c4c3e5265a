from collections.abc import Callable, Mapping
from typing import Any

import pytest

OLD = {"key": "KEY-simulated"}


@pytest.mark.parametrize(
    ("path", "break_", "mend", "cause"),
    [
        # Other ways to be down are tried in one process: robustness/whole/test_bad_answers.py.
        pytest.param(
            "faults", {"server_error": 1}, {"server_error": 0}, "unavailable", id="server error"
        ),
        pytest.param("key", {"key": "KEY-new"}, OLD, "auth", id="wrong key"),
    ],
)
def test_an_outage_shows_and_passes(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    path: str,
    break_: Mapping[str, object],
    mend: Mapping[str, object],
    cause: str,
) -> None:
    """While the API is down, telnyx_up and the cause say so, and what is known stays."""
    simulator = simulate()
    exporter = export(simulator.url)
    simulator.post("/_simulator/actions", {"count": 3, "action_type": "enable"})
    until(lambda: exporter.total("telnyx_sim_card_actions", status="in-progress") == 3)
    until(lambda: exporter.total("telnyx_up") == 1)  # the poll goes on after it has counted
    assert exporter.total("telnyx_exporter_poll_failures_total") == 0
    before = domain(exporter)

    simulator.post(f"/_simulator/{path}", break_)
    until(lambda: exporter.total("telnyx_exporter_poll_failures_total", cause=cause) > 0)
    assert exporter.total("telnyx_up") == 0
    assert domain(exporter) == before
    failed = until(lambda: exporter.events("poll_failed"))  # the log comes later than metrics
    assert [each["cause"] for each in failed] == [cause]
    assert exporter.get("/-/healthy").status_code == 200
    assert exporter.get("/-/ready").status_code == 200
    assert "default" in exporter.get("/").text

    simulator.post(f"/_simulator/{path}", mend)
    until(lambda: exporter.total("telnyx_up") == 1)
    assert exporter.total("telnyx_exporter_poll_failures_total") == exporter.total(
        "telnyx_exporter_poll_failures_total", cause=cause
    )
    assert len(until(lambda: exporter.events("poll_recovered"))) == 1
    assert domain(exporter) == before


def domain(exporter: Any) -> dict[str, Any]:
    """Scrape what is said of SIM card actions."""
    return {
        name: series
        for name, series in exporter.samples().items()
        if name.startswith("telnyx_sim_card_action")
    }
