"""Checks the systemd service: systemd takes all of it, and the exporter what it is given."""

import json
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.packaging.running import run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "telnyx-sim-exporter.service"
CONFIG = FOLDER / "config.yaml"
KEY = "KEY-simulated"
EXPOSURE = 1.1
"""What systemd 252 says of the unit, from 0 for none to 10: the networks are most of it."""


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    """Give the values of each key of the unit, in order."""
    values = defaultdict(list)
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values[key].append(value)
    return dict(values)


def analyze(path: str, *words: str) -> str:
    """Return all that systemd-analyze prints."""
    done = run(path, "--no-pager", *words)
    return done.stdout + done.stderr


def verified(path: str, text: str, folder: Path) -> str:
    """Return what systemd finds wrong in a unit whose program is installed."""
    copy = folder / UNIT.name
    copy.write_text(re.sub(r"/opt/\S+", sys.executable, text), encoding="utf-8")
    return analyze(path, "verify", "--man=no", "--recursive-errors=no", str(copy))


@pytest.mark.program("systemd-analyze")
def test_systemd_finds_no_mistake(program_path: Callable[[str], str], tmp_path: Path) -> None:
    """The unit has no key that systemd does not know, and no value that it does not take."""
    text = UNIT.read_text(encoding="utf-8")
    assert verified(program_path("systemd-analyze"), text, tmp_path) == ""


@pytest.mark.program("systemd-analyze")
@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param("ProtectHome=", "ProtectHoem=", id="key"),
        pytest.param("DynamicUser=yes", "DynamicUser=indeed", id="value"),
        pytest.param("@system-service", "@system-services", id="set-of-calls"),
    ],
)
def test_systemd_finds_a_mistake(
    program_path: Callable[[str], str], tmp_path: Path, good: str, bad: str
) -> None:
    """The test above can fail: systemd tells of a key or value that it does not know."""
    text = UNIT.read_text(encoding="utf-8")
    assert good in text
    assert UNIT.name in verified(program_path("systemd-analyze"), text.replace(good, bad), tmp_path)


@pytest.mark.program("systemd-analyze")
def test_exposure_has_not_grown(program_path: Callable[[str], str]) -> None:
    """How little the service is locked in, by systemd's own measure, is as little as it was."""
    shown = analyze(program_path("systemd-analyze"), "security", "--offline=true", str(UNIT))
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown)
    assert level, shown
    assert float(level[1]) <= EXPOSURE


def test_paths_agree(unit: dict[str, list[str]]) -> None:
    """It is started with the configuration beside it, which names the key and state it is given."""
    folder = f"/etc/{UNIT.stem}"
    assert unit["ExecStart"] == [
        f"/opt/{UNIT.stem}/bin/telnyx-sim-exporter run --config.file {folder}/{CONFIG.name}"
    ]
    settings = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    name, _, source = unit["LoadCredential"][0].partition(":")
    assert source == f"{folder}/{name}"
    assert [account["api_key_file"] for account in settings["accounts"]] == [
        f"${{CREDENTIALS_DIRECTORY}}/{name}"
    ]
    state = Path(settings["state"]["url"].removeprefix("sqlite:///"))
    assert state.parent == Path("/var/lib", *unit["StateDirectory"])
    assert unit["WorkingDirectory"] == [f"%S/{unit['StateDirectory'][0]}"]


def test_wrong_usage_is_not_tried_again(unit: dict[str, list[str]]) -> None:
    """The exit code that ends the restarts is that of wrong usage, and of nothing else."""
    codes = {
        words: run(sys.executable, "-m", "exporter", *words).returncode
        for words in [("run", "--nonsense"), ("run", "--config.file", "/nowhere.yaml")]
    }
    assert [str(code) for code in codes.values()] == [*unit["RestartPreventExitStatus"], "1"]


def test_it_is_started_again_for_ever(unit: dict[str, list[str]]) -> None:
    """However it ended and however often, and a reload reaches it."""
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_no_core_is_dumped(unit: dict[str, list[str]]) -> None:
    """A key does not get from memory into a file when the exporter crashes."""
    assert unit["LimitCORE"] == ["0"]


def test_process_metrics_can_be_read(unit: dict[str, list[str]]) -> None:
    """Rules need process_start_time_seconds, which takes /proc/stat: hidden by ProcSubset=pid."""
    rules = (ROOT / "helm" / UNIT.stem / "files" / "rules").glob("*.yaml")
    assert any("process_start_time_seconds" in each.read_text("utf-8") for each in rules)
    assert unit["ProcSubset"] == ["all"]


def environment(folder: Path) -> dict[str, str]:
    """Make the folders that systemd makes; return all of the environment that it sets."""
    credentials = folder / "credentials"
    credentials.mkdir(mode=0o500)
    credentials.chmod(0o700)
    (credentials / "api-key").write_text(KEY, encoding="utf-8")
    (credentials / "api-key").chmod(0o400)
    state = folder / "state"
    state.mkdir(mode=0o700)
    return {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "STATE_DIRECTORY": str(state),
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        "HOME": "/",
        "INVOCATION_ID": "0" * 32,
        "JOURNAL_STREAM": "8:1",
    }


def test_configuration_is_good(tmp_path: Path) -> None:
    """check-config finds no mistake, where the key is as systemd gives it."""
    done = subprocess.run(  # noqa: S603 - fixed words
        (sys.executable, "-m", "exporter", "check-config", str(CONFIG)),
        check=False,
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def simulated() -> Iterator[str]:
    """Give the address of a simulated Telnyx API."""
    with subprocess.Popen(
        (sys.executable, "-u", "-m", "exporter", "simulate", "--web.listen-address", "127.0.0.1:0"),
        stdout=subprocess.PIPE,
        text=True,
    ) as simulator:
        assert simulator.stdout is not None
        found = re.search(r"base_url (\S+),", simulator.stdout.readline())
        assert found
        try:
            yield found[1]
        finally:
            simulator.terminate()


def test_exporter_runs_as_the_service(tmp_path: Path, simulated: str) -> None:
    """With what the unit gives it, and nothing else, it polls, reloads and ends in order."""
    given = environment(tmp_path)
    state = Path(given["STATE_DIRECTORY"])
    settings = yaml.load(CONFIG.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    settings["accounts"][0]["base_url"] = simulated
    settings["state"]["url"] = f"sqlite:///{state}/state.db"
    settings["web"] = {"listen_address": "127.0.0.1:0"}
    settings["log"] = {"format": "json"}
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
    with subprocess.Popen(  # noqa: S603 - our own program
        (sys.executable, "-m", "exporter", "run", "--config.file", str(file)),
        stderr=subprocess.PIPE,
        text=True,
        env=given | {"PYTHONPATH": str(ROOT)},
        cwd=state,
        umask=0o077,
    ) as exporter:
        assert exporter.stderr is not None
        events = (json.loads(line)["event"] for line in exporter.stderr)
        try:
            assert next(events) == "started"
            assert "baseline_taken" in events
            exporter.send_signal(signal.SIGHUP)
            assert "configuration_reloaded" in events
            exporter.terminate()
            assert list(events)[-1] == "stopped"
            exporter.wait()
        finally:
            exporter.kill()
    assert exporter.returncode == 0
    assert {path.name: path.stat().st_mode & 0o777 for path in state.iterdir()} == {
        "state.db": 0o600,
        "state.db.lock": 0o600,
    }
