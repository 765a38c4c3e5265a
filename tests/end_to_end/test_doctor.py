import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_it_works_beside_a_running_exporter(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    command: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Which goes on, and has its state to itself."""
    exporter = export(simulate().url)
    until(lambda: exporter.get("/-/ready").status_code == 200)
    env = {"THE_KEY": "KEY-simulated"}
    doctor = command("doctor", "--config.file", str(tmp_path / "config.yaml"), env=env)
    assert doctor.ended() == 0
    assert [line for line in doctor.out if "by a running exporter" in line]
    polls = exporter.total("telnyx_exporter_polls_total")
    until(lambda: exporter.total("telnyx_exporter_polls_total") > polls + 1)
    assert not exporter.events("poll_failed")


def test_a_signal_ends_it_with_what_was_found(command: Callable[..., Any], tmp_path: Path) -> None:
    """While an account does not answer; no traceback, and what is not known is not called well."""
    file = tmp_path / "config.yaml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v2"
        file.write_text(json.dumps({"accounts": [{"api_key": "KEY0", "base_url": url}]}))
        doctor = command("doctor", "--config.file", str(file))
        listener.accept()[0].close()  # only whether it can be connected to
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(4096).startswith(b"GET /v2/sim_card_actions")
            doctor.process.send_signal(signal.SIGINT)
            assert doctor.ended() == 130
    text = "\n".join(doctor.out)
    assert "  OK    network         1 address connected" in text
    assert "  SKIP  interrupted: origin, key, account, list" in text
    assert doctor.err == []
