import json
import mmap
import re
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from exporter import __version__
from tests.packaging.image.building import BASE, IMAGE, MARKER, REVISION, ROOT
from tests.packaging.image.podman import Containers, Podman

pytestmark = [
    pytest.mark.program("mmdebstrap", "podman", "runc"),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("image"),
]

PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?: ;(?P<marker>[^\\]+))?", re.MULTILINE
)


@pytest.fixture(scope="module")
def config(podman: Podman) -> dict[str, Any]:
    """Give what the image says of how it is run."""
    found: dict[str, Any] = podman.inspect(IMAGE)["Config"]
    return found


@pytest.fixture(scope="module")
def inside(podman: Podman) -> dict[str, Any]:
    """Give what a process finds inside, where nothing but the rights of files keeps it."""
    containers = Containers(podman, IMAGE)
    script = Path(__file__).with_name("inside.py")
    mount = f"--volume={script}:/inside.py:ro"
    container = containers.start(
        "/inside.py",
        options=("--network=none", "--entrypoint=python", mount),
    )
    try:
        assert container.code() == 0, container.logs()
        found: dict[str, Any] = json.loads(container.logs()[0])
    finally:
        containers.remove()
    return found


def test_it_says_how_it_is_run(config: dict[str, Any]) -> None:
    """User, command, port, folder, volume and signal are as documents and chart need them."""
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["telnyx-sim-exporter"]
    assert config["Cmd"] == ["run"]
    assert set(config["ExposedPorts"]) == {"10874/tcp"}
    assert config["WorkingDir"] == "/var/lib/telnyx-sim-exporter"
    assert set(config["Volumes"]) == {"/var/lib/telnyx-sim-exporter"}
    assert config["StopSignal"] == "SIGTERM"


def test_it_says_what_it_is(config: dict[str, Any]) -> None:
    """Registries and scanners read the labels: version and revision are those of the build."""
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in config["Labels"].items()
    }
    assert labels["title"] == "telnyx-sim-exporter"
    assert labels["description"]
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"] == __version__
    assert labels["revision"] == REVISION
    for name in ("source", "url", "documentation"):
        assert labels[name].startswith("https://github.com/telnyx-sim-exporter/")


def test_it_holds_no_key(podman: Podman, config: dict[str, Any], tmp_path: Path) -> None:
    """What lay in the checkout that it was built from is in no file, setting or step of it."""
    archive = tmp_path / "image.tar"
    podman.run("save", "--format=docker-archive", f"--output={archive}", IMAGE)
    with archive.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as every:
        assert every.find(b"class DeadError") >= 0, "the files are not compressed"
        assert every.find(b"HEALTHCHECK") >= 0
        assert every.find(MARKER.encode()) == -1
    archive.unlink()
    assert not [each for each in config["Env"] if "KEY" in each]


def test_it_is_small(podman: Podman) -> None:
    """It adds less than 150 MB to its base."""
    added = podman.inspect(IMAGE)["Size"] - podman.inspect(BASE)["Size"]
    assert 0 < added < 150e6


def test_its_user_has_no_rights(inside: dict[str, Any]) -> None:
    """It is a number, in no group but its own, and can change no program nor its settings."""
    assert inside["user"] == [65532, 65532, [65532]]
    assert inside["of others"] == []
    assert inside["writable"] == []


def test_nothing_can_be_installed_with_it(inside: dict[str, Any]) -> None:
    """There is no installer of packages, no wheel and no compiler."""
    assert inside["programs"] == []
    assert inside["modules"] == []
    assert inside["wheels"] == []


def test_it_holds_what_the_lock_pins(inside: dict[str, Any]) -> None:
    """The packages are those of the lock and the exporter, in these versions, and no others."""
    pins = PIN.finditer((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    wanted = {
        canonicalize_name(pin["name"]): pin["version"]
        for pin in pins
        if pin["marker"] is None or Marker(pin["marker"]).evaluate()
    }
    found = {canonicalize_name(name): version for name, version in inside["packages"].items()}
    assert found == wanted | {"telnyx-sim-exporter": __version__}


def test_it_starts_from_byte_code(inside: dict[str, Any]) -> None:
    """Nothing is compiled at the start or by a probe, as the result could not be kept.

    The byte code depends on no times, so two builds of the same code are the same.
    """
    assert inside["standard library"].startswith("/usr/local/")
    assert inside["uncompiled"] == []


def test_it_loads_no_code_from_its_state(inside: dict[str, Any]) -> None:
    """A file that somebody puts into the volume is not taken for a module."""
    assert inside["safe path"] is True
