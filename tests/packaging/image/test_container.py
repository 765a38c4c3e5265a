import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.image.building import IMAGE, REVISION
from tests.packaging.image.podman import HARDENED, Container, Containers, Podman
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.program("mmdebstrap", "podman", "runc"),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("image"),
]

ALONE = (*HARDENED, "--network=none")
KEY = "KEY-simulated"
FAILED = "telnyx_sim_card_actions_failed_total"
SETTINGS = {
    "accounts": [{"api_key": "${TELNYX_API_KEY}", "base_url": "http://127.0.0.1:10875/v2"}],
    "poll": {"interval": "500ms", "audit_interval": "1h", "rate_limit": 100},
}

Start = Callable[..., Container]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder for configurations that the container's user may read."""
    folder = tmp_path / "config"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


@pytest.fixture
def simulator(containers: Containers) -> Container:
    """Give a simulated account in which nothing happens but what a test asks for."""
    quiet = ("--rate=0", "--bulk-every=0", "--stuck-at-start=0", "--history=0")
    simulator = containers.start("simulate", *quiet, options=ALONE)
    simulator.wait_for("base_url")
    return simulator


@pytest.fixture
def export(containers: Containers, simulator: Container, folder: Path) -> Start:
    """Give a starter of exporters that share the simulator's network, as in compose.yaml."""
    (folder / "config.yaml").write_text(json.dumps(SETTINGS), encoding="utf-8")

    def start(*options: str) -> Container:
        mount = f"--volume={folder}:/etc/telnyx-sim-exporter:ro"
        network = f"--network=container:{simulator.id}"
        words = ("run", "--config.file=/etc/telnyx-sim-exporter/config.yaml")
        return containers.start(
            *words, options=(f"--env=TELNYX_API_KEY={KEY}", network, mount, *options)
        )

    return start


def fail_one(simulator: Container) -> None:
    """Let an action come and fail."""
    api = "http://127.0.0.1:10875/_simulator/actions"
    made: Any = json.loads(simulator.read(api, json.dumps({"action_type": "enable"})))
    ending = json.dumps({"status": "failed", "reason": "SIM is blocked"})
    assert simulator.read(f"{api}/{made['ids'][0]}", ending)


def ready(exporter: Container) -> bool:
    """Ask whether it has polled its account."""
    return exporter.read("http://127.0.0.1:10874/-/ready") == "ready\n"


def test_counters_go_on_in_the_next_container(
    podman: Podman, simulator: Container, export: Start
) -> None:
    """With all rights taken it serves, stops on SIGTERM with 0, and its volume is taken over."""
    volume = "--volume=state:/var/lib/telnyx-sim-exporter"
    first = export(*HARDENED, volume)
    eventually(lambda: ready(first))
    fail_one(simulator)
    eventually(lambda: first.total(FAILED) == 1)
    assert f'revision="{REVISION}"' in first.read("http://127.0.0.1:10874/metrics")
    probe = podman.inspect(IMAGE)["Healthcheck"]["Test"]
    assert probe[0] == "CMD"
    assert first.execute(*probe[1:]).returncode == 0
    assert first.end() == 0
    assert first.logs()[-1].endswith("event=stopped")

    fail_one(simulator)
    second = export(volume)
    eventually(lambda: second.total(FAILED) == 2)
    assert second.changed() == {"A /etc/telnyx-sim-exporter"}
    assert second.end() == 0
    assert KEY not in "".join(first.logs() + second.logs())


def test_it_works_without_a_volume(simulator: Container, export: Start) -> None:
    """Where no volume is named and all is read-only, it still has a place for its state."""
    exporter = export(*HARDENED)
    eventually(lambda: exporter.total("telnyx_up") == 1)
    assert simulator.end() == 0


def test_state_of_others_is_told(export: Start, tmp_path: Path) -> None:
    """A folder that it may not write to keeps it down, not dead, and the log says what helps."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    exporter = export(*HARDENED, f"--volume={state}:/var/lib/telnyx-sim-exporter")
    line = exporter.wait_for("event=poll_failed")
    assert "cause=state" in line
    assert "Permission denied; check the path and permissions" in line
    eventually(lambda: exporter.total("telnyx_up") == 0)


def test_demo_needs_nothing(containers: Containers) -> None:
    """The demo runs without a network, and writes nothing where it could."""
    demo = containers.start("demo", options=[each for each in ALONE if each != "--read-only"])
    eventually(lambda: demo.total("telnyx_up") == 1)
    assert demo.changed() == set()
    assert demo.end() == 0


def test_a_missing_key_is_told(containers: Containers) -> None:
    """Without a key it ends with one line that says what to set."""
    exporter = containers.start(options=ALONE)
    assert exporter.code() == 1
    assert len(exporter.logs()) == 1
    assert exporter.logs()[0].startswith("TELNYX_API_KEY: is not set")


def test_probe_says_that_nobody_is_there(containers: Containers) -> None:
    """The probe is not content with a container that runs."""
    probe = containers.start("-m", "exporter.probe", options=(*ALONE, "--entrypoint=python"))
    assert probe.code() == 1


def test_a_signal_at_the_start_ends_it(containers: Containers, folder: Path) -> None:
    """The first process gets no signal that it has no handler for; it has one for SIGTERM early.

    A library that it imports reads a pipe that says nothing, so the start does not come to its end.
    """
    pipe = folder / "pipe"
    os.mkfifo(pipe, 0o644)
    (folder / "click.py").write_text("open('/held/pipe').read()\n", encoding="utf-8")
    mounts = (f"--volume={folder}:/held:ro", "--env=PYTHONPATH=/held")
    exporter = containers.start("run", options=(*ALONE, *mounts))
    end = eventually(lambda: writing_end(pipe))
    try:
        assert exporter.end() == 0
    finally:
        os.close(end)


def writing_end(pipe: Path) -> int:
    """Open the writing end of a pipe; 0 while nobody reads it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno != errno.ENXIO:
            raise
        return 0
