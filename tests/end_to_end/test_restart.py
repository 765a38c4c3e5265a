import signal
from collections import Counter
from collections.abc import Callable
from typing import Any


def failures_of(simulator: Any) -> set[str]:
    """List the ids of all failed actions, as the API shows them."""
    answer = simulator.http.get(
        f"{simulator.url}/v2/sim_card_actions",
        params={"filter[status]": "failed", "page[size]": "250"},
        headers={"authorization": "Bearer KEY-simulated"},
    )
    return {action["id"] for action in answer.json()["data"]}


def test_a_killed_exporter_goes_on_where_it_was(
    simulate: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """Killed in the middle and started again, it loses nothing, counts and logs nothing twice."""
    simulator = simulate(
        "--duration", "1.5", "--duration-sigma", "0.3", "--failed", "0.4", "--interrupted", "0.2",
        "--stuck", "0", "--resumed", "0", "--history", "0",
    )  # fmt: skip
    first = export(simulator.url)
    until(lambda: first.get("/-/ready").status_code == 200)
    batch = {"count": 150, "action_type": "enable", "lives": True}
    simulator.post("/_simulator/actions", batch)
    until(lambda: first.total("telnyx_sim_card_actions_failed_total") > 5)
    before = first.counted()
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert before["failed"]["enable"] < simulator.recorded()["created"]["enable"]

    simulator.post("/_simulator/actions", batch)
    until(lambda: simulator.recorded()["failed"] != before["failed"])
    second = export(simulator.url)
    at_once = second.counted()
    assert all(at_once[name][kind] >= n for name in before for kind, n in before[name].items())

    def settled() -> bool:
        assert second.counted() == simulator.recorded()
        return bool(simulator.get("/_simulator/record").json()["in_flight"] == 0)

    until(settled)
    failed = failures_of(simulator)
    until(lambda: failed <= {each["action_id"] for each in logged(first, second)})
    times = Counter(each["action_id"] for each in logged(first, second))
    assert times.keys() == failed
    assert max(times.values()) <= 2
    assert second.end() == 0


def logged(*exporters: Any) -> list[dict[str, Any]]:
    """Return the log events of failures, of several exporters in a row."""
    return [event for each in exporters for event in each.events("sim_card_action_failed")]


def test_a_stopped_exporter_logs_nothing_twice(
    simulate: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """Stopped in order and started again, it has each failure in the log exactly once."""
    simulator = simulate("--history", "0")
    first = export(simulator.url)
    until(lambda: first.get("/-/ready").status_code == 200)
    for round_, exporter in enumerate((first, None)):
        running = exporter or export(simulator.url)
        made = simulator.post("/_simulator/actions", {"count": 20, "action_type": "enable"})
        for action_id in made.json()["ids"]:
            body = {"status": "failed", "reason": "SIM card\nis blocked"}
            simulator.post(f"/_simulator/actions/{action_id}", body)
        until(lambda running=running: len(running.events("sim_card_action_failed")) == 20)
        assert running.total("telnyx_sim_card_actions_failed_total") == 20 * (round_ + 1)
        assert running.end() == 0
        assert len(running.events("sim_card_action_failed")) == 20
        assert running.events("sim_card_action_failed")[0]["reason"] == "SIM card\nis blocked"
