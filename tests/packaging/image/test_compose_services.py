import pytest

from tests.packaging.image.podman import Container, Containers
from tests.packaging.test_compose import SERVICES, mounts
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.program("mmdebstrap", "podman", "runc"),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("image"),
]


def options(name: str) -> list[str]:
    """Say to podman what a service of compose.yaml says, but for its network and ports."""
    service = SERVICES[name]
    assert service["read_only"]
    volumes = [each for each in service.get("volumes", ()) if not each.startswith("./")]
    volumes += [f"{source}:{target}:ro" for target, source in mounts(name).items()]
    return [
        "--read-only",
        *(f"--cap-drop={each}" for each in service["cap_drop"]),
        *(f"--security-opt={each.replace(':true', '')}" for each in service["security_opt"]),
        *(f"--env={name}={value}" for name, value in service.get("environment", {}).items()),
        *(f"--volume={each}" for each in volumes),
    ]


@pytest.fixture
def exporter(containers: Containers) -> Container:
    """Start the exporter as compose.yaml has it; the folder of the checkout must be readable."""
    service = SERVICES["exporter"]
    return containers.start(*service["command"], options=(*options("exporter"), "--network=none"))


@pytest.fixture
def simulator(containers: Containers, exporter: Container) -> Container:
    """Start the simulator, as compose.yaml has it, in the network of the exporter."""
    service = SERVICES["simulator"]
    network = f"--network=container:{exporter.id}"
    return containers.start(*service["command"], options=(*options("simulator"), network))


def test_exporter_and_simulator_find_each_other(exporter: Container, simulator: Container) -> None:
    """The exporter watches the account beside it, though that starts after it."""
    probe = SERVICES["simulator"]["healthcheck"]["test"]
    assert probe[0] == "CMD"
    eventually(lambda: simulator.execute(*probe[1:]).returncode == 0)
    eventually(lambda: exporter.total("telnyx_up") == 1)
    eventually(lambda: exporter.total("telnyx_sim_card_actions_created_total") > 0)
    assert exporter.end() == 0
    assert simulator.end() == 0
