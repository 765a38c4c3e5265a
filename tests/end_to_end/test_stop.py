import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BESIDE = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""As a script starts what runs beside it: SIGINT is ignored."""

WITHIN = 10
"""Seconds in which the exporter stops, whatever it is doing."""


@pytest.fixture
def silent_api() -> Iterator[socket.socket]:
    """Give a socket that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WITHIN)
        yield listener


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_between_polls(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    how: signal.Signals,
) -> None:
    """A signal ends the exporter with 0, in time, with a last word and no trace."""
    exporter = export(simulate().url)
    until(lambda: exporter.get("/-/ready").status_code == 200)
    assert exporter.end(how, WITHIN) == 0
    assert len(exporter.events("stopped")) == 1
    assert not exporter.out
    assert not [line for line in exporter.err if not line.startswith("{")]
    assert not exporter.events("internal_error")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_the_middle_of_a_poll(
    silent_api: socket.socket, export: Callable[..., Any], how: signal.Signals
) -> None:
    """A request that waits for its answer does not keep the exporter."""
    port = silent_api.getsockname()[1]
    exporter = export(f"http://127.0.0.1:{port}", timeout="5m")
    connection, _ = silent_api.accept()
    with connection:
        connection.settimeout(WITHIN)
        assert connection.recv(4096).startswith(b"GET /v2/sim_card_actions")
        assert exporter.end(how, WITHIN) == 0
        assert connection.recv(4096) == b""
    assert len(exporter.events("stopped")) == 1
    assert not [line for line in exporter.err if not line.startswith("{")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("words", "serves"),
    [
        pytest.param(("run", "--config.file"), True, id="run"),
        pytest.param(("once", "--config.file"), False, id="once"),
        pytest.param(("check-config",), False, id="check-config"),
    ],
)
def test_it_stops_before_it_is_started(
    start: Callable[..., Any],
    tmp_path: Path,
    words: Sequence[str],
    how: signal.Signals,
    *,
    serves: bool,
) -> None:
    """A signal at the start ends it: with 0 where that is what it waits for, else it has not done.

    Its configuration is a pipe that says nothing, so the start does not come to an end by itself.
    """
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    starting = start(*BESIDE, sys.executable, "-m", "exporter", *words, str(pipe))
    with pipe.open("w"):  # waits for the reader
        assert starting.end(how, WITHIN) == (0 if serves else 128 + how)
    assert not starting.out
    assert not starting.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("demo", "--web.listen-address", "127.0.0.1:0"), "Open", id="demo"),
        pytest.param(("simulate", "--port", "0"), "base_url", id="simulate"),
    ],
)
def test_it_stops_on_sigint_where_that_was_ignored(
    start: Callable[..., Any], words: Sequence[str], says: str
) -> None:
    """What a script starts beside itself ignores SIGINT at first."""
    serving = start(*BESIDE, sys.executable, "-m", "exporter", *words)
    serving.wait_for(says)
    assert serving.end(signal.SIGINT, WITHIN) == 0


def test_a_soak_stops_on_sigint_where_that_was_ignored(
    start: Callable[..., Any], tmp_path: Path, until: Callable[..., Any]
) -> None:
    """It ends what it has started, and removes its folder."""
    words = (sys.executable, "-m", "benchmarks.soak", "--minutes", "1")
    soak = start(*BESIDE, *words, cwd=ROOT, env={"TMPDIR": str(tmp_path)})
    until(lambda: [*tmp_path.glob("soak-*/*")])
    assert soak.end(signal.SIGINT, WITHIN) == 1
    assert soak.out == ["stopped"]
    assert [*tmp_path.iterdir()] == []


def test_a_reload_at_the_start_does_not_end_it(command: Callable[..., Any], tmp_path: Path) -> None:
    """SIGHUP comes too early to be of use, and does no harm."""
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    starting = command("run", "--config.file", str(pipe))
    with pipe.open("w"):
        starting.process.send_signal(signal.SIGHUP)
        assert starting.end(signal.SIGTERM, WITHIN) == 0


def test_a_second_exporter_does_not_count_into_the_same_file(
    simulate: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """While one runs, another on the same state file is down with cause state, until it may."""
    simulator = simulate()
    first = export(simulator.url)
    until(lambda: first.get("/-/ready").status_code == 200)
    second = export(simulator.url)
    until(lambda: second.total("telnyx_exporter_poll_failures_total", cause="state") > 0)
    assert second.total("telnyx_up") == 0
    assert first.total("telnyx_up") == 1
    assert first.end() == 0
    until(lambda: second.total("telnyx_up") == 1)
    assert "in use by another process" in second.events("poll_failed")[0]["error"]
