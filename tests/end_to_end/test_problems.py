import json
import signal
from collections.abc import Callable
from typing import Any


def test_without_details_no_sim_card_is_shown(
    simulate: Callable[..., Any], export: Callable[..., Any]
) -> None:
    """By the setting of the file: metrics and probes are all that is left."""
    running = export(simulate().url, web={"details": False})
    for path in ("/", "/problems", "/failures", "/sim-cards/x", "/api/v1/problems"):
        assert running.get(path).status_code == 404
    assert running.get("/metrics").status_code == running.get("/-/healthy").status_code == 200


def test_a_broken_sim_card_is_found_and_followed(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    command: Callable[..., Any],
) -> None:
    """On the page, in the API and by the command, which works beside the exporter and after it."""
    simulator = simulate()
    # Lookups may take half of it; after one that took longer there are none for a while.
    running = export(simulator.url, poll={"interval": "2s"})
    running.wait_for("baseline_taken")

    def told(*words: str) -> list[dict[str, Any]]:
        telling = command("problems", "--config.file", "config.yaml", "--format", "json", *words)
        assert telling.ended(30) == 0
        assert not telling.err
        return [json.loads(line) for line in telling.out]

    made = simulator.post("/_simulator/actions", {"action_type": "enable", "count": 1}).json()
    (action_id,) = made["ids"]
    ended = {"status": "failed", "reason": "SIM card is blocked"}
    simulator.post(f"/_simulator/actions/{action_id}", ended)

    def problems() -> Any:
        return running.get("/api/v1/problems").json()["data"]["problems"]

    # The name of the SIM card is looked up once the problem is published.
    (problem,) = until(lambda: [each for each in problems() if each["iccid"]])
    assert (problem["action_id"], problem["reason_class"]) == (action_id, "sim_blocked")
    assert action_id in running.get("/problems").text
    assert action_id in running.get("/failures").text
    page = running.http.get(problem["url"])
    assert (page.status_code, action_id in page.text) == (200, True)
    assert "Failures of the last day by reason" in running.get("/").text
    found = told()
    assert [each["action_id"] for each in found] == [action_id]
    assert running.samples("telnyx_up")["telnyx_up"] == {(("account", "default"),): 1.0}
    running.end(signal.SIGKILL)
    assert told("--status", "failed") == found
