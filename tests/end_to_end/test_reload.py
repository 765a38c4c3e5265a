import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAILURES = "telnyx_exporter_poll_failures_total"


def test_sighup_reads_the_file_again(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A good file holds from then on, a bad one is refused, and the exporter goes on either way."""
    simulator = simulate()
    exporter = export(simulator.url)
    until(lambda: exporter.total("telnyx_up") == 1)
    file = tmp_path / "config.yaml"
    settings = json.loads(file.read_text(encoding="utf-8"))
    other = {**settings["accounts"][0], "name": "other"}
    file.write_text(json.dumps({**settings, "accounts": [*settings["accounts"], other]}))
    exporter.process.send_signal(signal.SIGHUP)
    until(lambda: exporter.total("telnyx_up") == 2)
    assert len(until(lambda: exporter.events("configuration_reloaded"))) == 1

    file.write_text(json.dumps({**settings, "colour": "red", "poll": {"interval": "often"}}))
    exporter.process.send_signal(signal.SIGHUP)
    until(lambda: len(exporter.events("configuration_refused")) == 2)
    assert exporter.total("telnyx_exporter_config_last_reload_successful") == 0
    assert exporter.total("telnyx_up") == 2
    assert exporter.end() == 0


@pytest.fixture
def filed(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> tuple[Any, Any]:
    """Start a simulator, and an exporter whose key comes from ``api.key``, polling each second."""
    simulator = simulate()
    exporter = export(simulator.url)
    until(lambda: exporter.total("telnyx_up") == 1)
    key = tmp_path / "api.key"
    key.write_text("KEY-simulated\n")
    file = tmp_path / "config.yaml"
    settings = json.loads(file.read_text(encoding="utf-8"))
    account = {"api_key_file": str(key), "base_url": settings["accounts"][0]["base_url"]}
    poll = {**settings["poll"], "interval": "1s"}
    file.write_text(json.dumps({**settings, "accounts": [account], "poll": poll}))
    exporter.process.send_signal(signal.SIGHUP)
    until(lambda: exporter.events("configuration_reloaded"))
    return simulator, exporter


def test_a_key_that_is_revoked_and_renewed_is_noticed_by_itself(
    filed: tuple[Any, Any], until: Callable[..., Any], tmp_path: Path
) -> None:
    """A changed key file is used at the next tick, written in place or replaced as a whole."""
    simulator, exporter = filed
    file, other = tmp_path / "api.key", tmp_path / "api.key.new"
    for refusals, key in enumerate(("KEY-second", "KEY-third"), start=1):
        simulator.post("/_simulator/key", {"key": key})
        until(lambda count=refusals: exporter.total(FAILURES, cause="auth") >= count)
        assert exporter.total("telnyx_up") == 0
        assert exporter.get("/-/healthy").status_code == 200
        if key == "KEY-second":
            file.write_text(key)
        else:
            other.write_text(key)
            other.replace(file)
        # An unchanged key would be sent again five intervals after the refusal at the earliest.
        until(lambda: exporter.total("telnyx_up") == 1, within=4)
    assert exporter.total(FAILURES) == 2
    until(lambda: len(exporter.events("poll_recovered")) == 2)
    assert "KEY-" not in "".join([*exporter.out, *exporter.err, exporter.get("/").text])
    assert exporter.end() == 0


def test_sighup_tries_a_refused_key_again(
    filed: tuple[Any, Any], until: Callable[..., Any]
) -> None:
    """With nothing changed here, as the key was put right at Telnyx, the signal says try again."""
    simulator, exporter = filed
    simulator.post("/_simulator/key", {"key": "KEY-other"})
    until(lambda: exporter.total(FAILURES, cause="auth") > 0)
    simulator.post("/_simulator/key", {"key": "KEY-simulated"})
    exporter.process.send_signal(signal.SIGHUP)
    until(lambda: exporter.total("telnyx_up") == 1, within=4)
    until(lambda: len(exporter.events("configuration_reloaded")) == 2)
    assert exporter.end() == 0


def test_a_closed_terminal_ends_the_demo(command: Callable[..., Any]) -> None:
    """What was only shown does not go on in the background: SIGHUP ends the demo in order."""
    demo = command("demo", "--web.listen-address", "127.0.0.1:0")
    demo.wait_for(r"Open +http://")
    assert demo.end(signal.SIGHUP) == 0
