import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


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
    assert len(exporter.events("configuration_reloaded")) == 1

    file.write_text(json.dumps({**settings, "colour": "red", "poll": {"interval": "often"}}))
    exporter.process.send_signal(signal.SIGHUP)
    until(lambda: len(exporter.events("configuration_refused")) == 2)
    assert exporter.total("telnyx_exporter_config_last_reload_successful") == 0
    assert exporter.total("telnyx_up") == 2
    assert exporter.end() == 0


def test_a_closed_terminal_ends_the_demo(command: Callable[..., Any]) -> None:
    """What was only shown does not go on in the background: SIGHUP ends the demo in order."""
    demo = command("demo", "--web.listen-address", "127.0.0.1:0")
    demo.wait_for(r"Open +http://")
    assert demo.end(signal.SIGHUP) == 0
