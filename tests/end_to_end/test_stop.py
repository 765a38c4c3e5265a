import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BESIDE = ("/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh")
"""As a script starts what runs beside it: SIGINT is ignored."""

WITHIN = 10
"""Seconds in which the exporter stops, whatever it is doing."""

STARTED = 60
"""Seconds in which a command that ends by itself has ended: it is loaded first."""


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
    exporter = export(f"http://127.0.0.1:{port}", poll={"request_timeout": "5m"})
    connection, _ = silent_api.accept()
    with connection:
        connection.settimeout(WITHIN)
        assert connection.recv(4096).startswith(b"GET /v2/sim_card_actions")
        assert exporter.end(how, WITHIN) == 0
        assert connection.recv(4096) == b""
    assert len(exporter.events("stopped")) == 1
    assert not [line for line in exporter.err if not line.startswith("{")]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_one_poll_alone_stops_in_its_middle(
    silent_api: socket.socket, command: Callable[..., Any], tmp_path: Path, how: signal.Signals
) -> None:
    """It has not done what it was asked for, says so by its exit code, and prints no trace."""
    file = tmp_path / "config.yaml"
    port = silent_api.getsockname()[1]
    account = f"{{api_key: KEY-simulated, base_url: 'http://127.0.0.1:{port}/v2'}}"
    file.write_text(f"accounts: [{account}]\npoll: {{request_timeout: 5m}}\n", encoding="utf-8")
    silent_api.settimeout(STARTED)
    polling = command("once", "--config.file", str(file))
    connection, _ = silent_api.accept()
    with connection:
        assert polling.end(how, WITHIN) == 128 + how
    assert not polling.out
    assert not polling.err


@pytest.fixture
def held(command: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Give a starter of our program that holds it while it imports what it needs."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Found before the library of that name, as the working directory comes first.
    (tmp_path / "click.py").write_text(f"open({str(pipe)!r}).read()\n", encoding="utf-8")
    with ExitStack() as stack:

        def start(*words: str) -> Any:
            starting = command(*words)
            stack.enter_context(pipe.open("w"))  # waits for the reader
            return starting

        yield start


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("word", ["run", "demo", "simulate", "once", "check-config"])
def test_it_stops_before_it_is_started(
    held: Callable[..., Any], word: str, how: signal.Signals
) -> None:
    """A signal at the start ends it without a trace: with 0 where that is what it waits for."""
    starting = held(word)
    code = 0 if word in {"run", "demo", "simulate"} else 128 + how
    assert starting.end(how, WITHIN) == code
    assert not starting.out
    assert not starting.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("demo", "--web.listen-address", "127.0.0.1:0"), "Open", id="demo"),
        pytest.param(
            ("simulate", "--web.listen-address", "127.0.0.1:0"), "base_url", id="simulate"
        ),
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
    assert soak.end(signal.SIGINT, WITHIN) == 128 + signal.SIGINT
    assert not soak.err
    assert [*tmp_path.iterdir()] == []
    assert begun_with(f"TMPDIR={tmp_path}") == []


def begun_with(variable: str) -> list[str]:
    """Give the processes that have this in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if variable.encode() in environ.read_bytes().split(b"\0"):
                found.append(environ.parent.name)
    return found


def test_a_reload_at_the_start_does_not_end_it(held: Callable[..., Any]) -> None:
    """SIGHUP comes too early to be of use, and does no harm."""
    starting = held("run")
    starting.process.send_signal(signal.SIGHUP)
    assert starting.end(signal.SIGTERM, WITHIN) == 0


@pytest.mark.parametrize(
    "words", [("run", "--config.file"), ("once", "--config.file"), ("check-config",)]
)
def test_a_pipe_is_no_configuration(
    command: Callable[..., Any], tmp_path: Path, words: Sequence[str]
) -> None:
    """It is not waited for: one line says what is wrong."""
    pipe = tmp_path / "config.yaml"
    os.mkfifo(pipe)
    starting = command(*words, str(pipe))
    assert starting.process.wait(STARTED) == 1
    assert starting.end() == 1
    assert starting.err == [f"{pipe}: is not a regular file; set it to one"]


def test_a_pipe_for_certificates_is_told(command: Callable[..., Any], tmp_path: Path) -> None:
    """What the libraries read by themselves is not waited for either."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    starting = command("once", env={"TELNYX_API_KEY": "KEY-simulated", "SSL_CERT_FILE": str(pipe)})
    assert starting.process.wait(STARTED) == 1
    assert starting.end() == 1
    assert f"SSL_CERT_FILE: {pipe}: is not a regular file; set it to one" in starting.err[0]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_reload_from_a_pipe_holds_nothing_up(
    simulate: Callable[..., Any],
    export: Callable[..., Any],
    until: Callable[..., Any],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    """The reload is refused at once, polls go on, and a signal ends it in order."""
    exporter = export(simulate().url)
    until(lambda: exporter.get("/-/ready").status_code == 200)
    (tmp_path / "config.yaml").unlink()
    os.mkfifo(tmp_path / "config.yaml")
    answer = exporter.http.post(f"{exporter.url}/-/reload")
    assert answer.status_code == 500
    assert "is not a regular file" in answer.text
    exporter.process.send_signal(signal.SIGHUP)
    polls = exporter.total("telnyx_exporter_polls_total")
    until(lambda: exporter.total("telnyx_exporter_polls_total") > polls)
    assert exporter.end(how, WITHIN) == 0
    assert len(exporter.events("stopped")) == 1


HANGING = """
import signal, sys, threading
from exporter.cli.signals import stopping
def ask(number):
    print("asked", number, flush=True)
def tell(seconds):
    print("told", seconds, flush=True)
    if sys.argv[1] == "mute":
        threading.Event().wait()
with stopping(ask, tell):
    print("ready", flush=True)
    while True:
        signal.pause()
"""


@pytest.fixture
def hanging(start: Callable[..., Any]) -> Callable[[str], Any]:
    """Give a starter of a program that never ends by itself."""

    def run(log: str) -> Any:
        path = {"PYTHONPATH": str(Path(__file__).parents[2])}
        running = start(sys.executable, "-c", HANGING, log, env=path)
        running.wait_for("ready")
        return running

    return run


@pytest.mark.parametrize("log", ["heard", "mute"])
def test_what_hangs_is_ended(hanging: Callable[[str], Any], log: str) -> None:
    """A stop takes ten seconds at most, whatever does not end: be it the log itself."""
    running = hanging(log)
    assert running.end(signal.SIGTERM, WITHIN) == 1
    assert running.out[1:] == ["asked 15", "told 8.0"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(
    hanging: Callable[[str], Any], how: signal.Signals
) -> None:
    """Who asks twice is not in the mood to wait."""
    running = hanging("heard")
    running.process.send_signal(signal.SIGTERM)
    running.wait_for("asked")
    assert running.end(how, 3) == 128 + how


def test_a_second_exporter_does_not_count_into_the_same_file(
    simulate: Callable[..., Any], export: Callable[..., Any], until: Callable[..., Any]
) -> None:
    """While one runs, another on the same state file is down with cause state, until it may."""
    simulator = simulate()
    first = export(simulator.url)
    until(lambda: first.total("telnyx_up") == 1)
    second = export(simulator.url)
    until(lambda: second.total("telnyx_exporter_poll_failures_total", cause="state") > 0)
    assert second.total("telnyx_up") == 0
    assert first.total("telnyx_up") == 1
    assert first.end() == 0
    until(lambda: second.total("telnyx_up") == 1)
    failed = until(lambda: second.events("poll_failed"))
    assert "in use by another process" in failed[0]["error"]
