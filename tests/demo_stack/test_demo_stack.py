"""`make demo-stack` as users run it: it shows the chain at work, and leaves nothing behind."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
PORTS = ("--exporter-port=0", "--prometheus-port=0", "--alertmanager-port=0")
DEADLINE = 60.0
MAIL = """
route: {receiver: my team, group_by: [alertname], group_wait: 1s}
receivers:
  - name: my team
    email_configs:
      - {to: a@example.org, from: b@example.org, smarthost: 'mail.example.org:587'}
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Give a starter of the stack, with a folder of its own for what it leaves; it is ended."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "tmp").mkdir()

    def start(*options: str, **env: str) -> subprocess.Popen[str]:
        with (tmp_path / "out").open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 - our own program
                (sys.executable, "-m", "demo_stack", *options),
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,
            )
        started.append(process)
        return process

    yield start
    for each in started:
        if each.poll() is None:
            each.send_signal(signal.SIGTERM)
        each.communicate(timeout=DEADLINE)


def eventually(ask: Callable[[], Any]) -> Any:
    """Ask until the answer is true; then return it."""
    end = time.monotonic() + DEADLINE
    pacer = threading.Event()
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {DEADLINE:g} s; the last answer: {answer!r}"
        pacer.wait(0.1)
    return answer


def processes_in(folder: Path) -> list[str]:
    """List the command lines of processes that run in a folder, or name it."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            line = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if str(folder) in line or (each / "cwd").readlink().is_relative_to(folder):
                found.append(line)
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.program("prometheus", "alertmanager")
def test_the_chain_is_at_work_until_ctrl_c_and_nothing_is_left(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """It says where its parts are; alerts fire and are told; then all of it is gone."""
    stack = run("--faster=20", *PORTS)
    out = tmp_path / "out"
    eventually(lambda: "Ctrl-C" in out.read_text(encoding="utf-8"))
    text = out.read_text(encoding="utf-8")
    prometheus, alertmanager, exporter = (
        re.findall(rf"{name} +(http://127\.0\.0\.1:\d+)", text)[0]
        for name in ("Prometheus", "Alertmanager", "Exporter")
    )
    with httpx.Client(trust_env=False, timeout=5) as http:
        for page in re.findall(r"^ +\w+ +(http://\S+)$", text, re.MULTILINE):
            assert http.get(page).status_code == 200, page

        def up() -> bool:
            targets = http.get(f"{prometheus}/api/v1/targets").json()["data"]["activeTargets"]
            return [(each["scrapeUrl"], each["health"]) for each in targets] == [
                (f"{exporter}/metrics", "up")
            ]

        def alerts() -> Any:
            return http.get(f"{prometheus}/api/v1/alerts").json()["data"]["alerts"]

        folder = re.findall(r"Log files +(/.+)/\*\.log$", text, re.MULTILINE)[0]
        logs = sorted(each.name for each in Path(folder).glob("*.log"))
        assert logs == ["alertmanager.log", "exporter.log", "prometheus.log"]
        eventually(up)
        eventually(alerts)
        assert "<html" in http.get(exporter).text

        def sent(name: str) -> list[dict[str, Any]]:
            all_: list[dict[str, Any]] = http.get(f"{alertmanager}/api/v2/alerts").json()
            return [each for each in all_ if each["labels"]["alertname"] == name]

        pushed = eventually(lambda: sent("TelnyxSimCardProblem"))[0]
        assert http.get(pushed["generatorURL"]).status_code == 200
        assert pushed["generatorURL"].startswith(f"{exporter}/sim-cards/")

        def told(pattern: str) -> re.Match[str] | None:
            return re.search(pattern, out.read_text(encoding="utf-8"), re.MULTILINE)

        eventually(lambda: told(r"to telnyx-sim-ticket: \[FIRING:\d+\] TelnyxSimCardProblem:"))
        broken = r"^ +firing +SIM card (\d{19,20}): (\w+ (?:failed|interrupted)) in account demo$"
        assert eventually(lambda: told(broken))
        over = broken.replace("firing", "resolved")
        mended = eventually(lambda: told(over))
        assert f"firing    SIM card {mended[1]}: {mended[2]}" in mended.string[: mended.start()]

        # What the rule says of the same SIM cards is not told as well.
        def suppressed() -> list[str]:
            return [each["status"]["state"] for each in sent("TelnyxSimCardProblems")]

        assert set(eventually(suppressed)) == {"suppressed"}
        assert not told(r"to telnyx-sim-\w+: .*TelnyxSimCardProblems\b")
    # Its parts are three, and each runs in the folder that goes away with them.
    assert len(processes_in(tmp_path / "tmp")) == 3

    stack.send_signal(signal.SIGINT)
    _, errors = stack.communicate(timeout=DEADLINE)
    assert (stack.returncode, errors) == (0, "")
    assert processes_in(tmp_path / "tmp") == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.program("prometheus", "alertmanager")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_it_starts_it_leaves_nothing_either(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path, how: signal.Signals
) -> None:
    """Whichever part is starting just then is ended."""
    stack = run(*PORTS)
    eventually(lambda: processes_in(tmp_path / "tmp"))
    stack.send_signal(how)
    _, errors = stack.communicate(timeout=DEADLINE)
    assert (stack.returncode, errors) == (0, "")
    assert processes_in(tmp_path / "tmp") == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.program("prometheus", "alertmanager")
def test_a_part_that_ends_ends_it_all(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """It says which part that was, and the end of its output; the others are ended."""
    stack = run(*PORTS)
    eventually(lambda: "Ctrl-C" in (tmp_path / "out").read_text(encoding="utf-8"))
    children = Path(f"/proc/{stack.pid}/task/{stack.pid}/children").read_text(encoding="utf-8")
    for each in children.split():
        if b"-m\0exporter\0" in Path(f"/proc/{each}/cmdline").read_bytes():
            os.kill(int(each), signal.SIGKILL)
    _, errors = stack.communicate(timeout=DEADLINE)
    assert stack.returncode == 1
    assert re.fullmatch(
        r"error: exporter exited with code -9; the end of its output:\n(.+\n)+", errors
    ), errors
    assert processes_in(tmp_path / "tmp") == []


@pytest.mark.parametrize("name", ["exporter", "prometheus", "alertmanager"])
def test_a_port_that_is_taken_is_said_in_one_line(
    run: Callable[..., subprocess.Popen[str]], name: str
) -> None:
    """Nothing is started then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        stack = run(*PORTS, f"--{name}-port={port}")
        _, errors = stack.communicate(timeout=DEADLINE)
    assert stack.returncode == 1
    said = (
        rf"error: port {port}, for {name}, is not available.*; choose another with --{name}-port,"
    )
    assert re.fullmatch(f"{said} .*\n", errors), errors


@pytest.mark.program("prometheus", "alertmanager")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param("a: [", "while parsing .*", id="no-yaml"),
        pytest.param("- a", "not a configuration of Alertmanager.*", id="no-mapping"),
        pytest.param("receivers: 1", "receivers is not a list of mappings", id="no-receivers"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_said_in_one_line(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path, text: str | None, said: str
) -> None:
    """The line names the file; nothing is left."""
    file = tmp_path / "own.yml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    stack = run(*PORTS, f"--alertmanager-config={file}")
    _, errors = stack.communicate(timeout=DEADLINE)
    assert stack.returncode == 1
    assert re.fullmatch(rf"error: {re.escape(str(file))}: {said}\n", errors), errors
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.program("prometheus", "alertmanager")
def test_what_alertmanager_refuses_is_shown(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The end of its output says what is wrong."""
    file = tmp_path / "own.yml"
    file.write_text("{route: {receiver: nobody}, receivers: [{name: a}]}", encoding="utf-8")
    stack = run(*PORTS, f"--alertmanager-config={file}")
    _, errors = stack.communicate(timeout=DEADLINE)
    assert stack.returncode == 1
    first, *rest = errors.splitlines()
    assert first == "error: alertmanager exited with code 1; the end of its output:"
    assert "nobody" in rest[-1]


@pytest.mark.program("prometheus", "alertmanager")
def test_mail_is_shown_instead_of_sent(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """A receiver of any kind is told of alerts."""
    file = tmp_path / "own.yml"
    file.write_text(MAIL, encoding="utf-8")
    run("--faster=20", *PORTS, f"--alertmanager-config={file}")
    out = tmp_path / "out"
    eventually(lambda: re.search(r"to my team: \[FIRING:\d+\] Tel", out.read_text("utf-8")))


def test_a_missing_program_is_said_in_one_line(
    run: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The line says what to install."""
    stack = run(*PORTS, PATH=str(tmp_path))
    _, errors = stack.communicate(timeout=DEADLINE)
    assert stack.returncode == 1
    assert re.fullmatch(r"error: prometheus is missing; .*apt-get install prometheus\n", errors), (
        errors
    )


def test_make_offers_it() -> None:
    """`make help` names it."""
    make = shutil.which("make")
    assert make is not None
    command = (make, "--no-print-directory", "-C", str(ROOT), "help")
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own words
    assert re.search(r"^demo-stack +\w", shown, re.MULTILINE)
