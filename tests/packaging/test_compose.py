import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.config import load
from exporter.simulator.settings import SimulatorSettings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
SHIPPED = ROOT / "helm" / "telnyx-sim-exporter" / "files"
PINNED = re.compile(r"[a-z./-]+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}")
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
OWN = ("exporter", "simulator")
DEMO_KEY = SimulatorSettings().key
PORTS = {"exporter": 10874, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}


def compose() -> tuple[str, ...]:
    """Give the command of Docker's plugin where there is one, else that of the older program."""
    docker = shutil.which("docker")
    asked = docker and subprocess.run((docker, "compose", "version"), capture_output=True)  # noqa: PLW1510, S603 # our own words
    return ("docker", "compose") if asked and asked.returncode == 0 else ("docker-compose",)


COMPOSE = compose()


def parse(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


WRITTEN = yaml.safe_load(VARIABLE.sub(r"\1", FILE.read_text(encoding="utf-8")))
"""As it is where nothing is set in the environment."""

SERVICES: dict[str, dict[str, Any]] = WRITTEN["services"]


def mounts(service: str) -> dict[str, Path]:
    """Give the files of the project that a service sees, by where it sees them."""
    parts = [each.split(":") for each in SERVICES[service].get("volumes", ())]
    parts += [
        (WRITTEN["secrets"][each["source"]]["file"], each["target"])
        for each in SERVICES[service].get("secrets", ())
    ]
    return {target: ROOT / source for source, target, *_ in parts if source.startswith("./")}


def seen(service: str, path: str) -> Path:
    """Give the file of the project that a service sees at a path."""
    target = next(each for each in mounts(service) if f"{path}/".startswith(f"{each}/"))
    return mounts(service)[target] / path.removeprefix(target).lstrip("/")


@pytest.fixture
def run(program_path: Callable[[str], str]) -> Callable[..., str]:
    """Give what runs a program, which has to succeed, in the project's folder."""

    def succeed(program: str, *words: str) -> str:
        command = (program_path(program), *words)
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 # the tests' own words
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return succeed


@pytest.mark.program(COMPOSE[0])
@pytest.mark.parametrize("config", ["", "./config.example.yaml"])
def test_compose_understands_it(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    """There is no unknown key, and a configuration of one's own takes the place of the demo's."""
    monkeypatch.setenv("EXPORTER_CONFIG", config)
    monkeypatch.setenv("TELNYX_API_KEY", config and "KEY-own")
    resolved = yaml.safe_load(run(*COMPOSE, "--file", str(FILE), "config"))
    exporter = resolved["services"]["exporter"]
    source = ROOT / (config or "deploy/compose/exporter.yaml")
    assert resolved["secrets"]["config"]["file"] == str(source)
    (mounted,) = exporter["secrets"]
    assert mounted["target"] == "/etc/telnyx-sim-exporter/config.yaml"
    assert exporter["environment"] == {"TELNYX_API_KEY": config and "KEY-own"}


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_hardened(name: str) -> None:
    """Each runs with a read-only root, without any right, and tells how it is."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "healthcheck" in service or name == "exporter"  # that of its image
    assert not {"privileged", "pid", "user"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_memory_for_files_has_a_size(name: str) -> None:
    """A tmpfs without one takes half of the machine's memory."""
    for each in SERVICES[name].get("tmpfs", ()):
        assert re.fullmatch(r"/[\w/]+:size=\d+m", each)


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"exporter"}))
def test_health_has_time_to_come(name: str) -> None:
    """A slow machine's first minute makes no service unhealthy."""
    assert SERVICES[name]["healthcheck"]["start_period"] == "60s"


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"exporter"}))
def test_health_is_asked_for_directly(name: str) -> None:
    """Docker may set a proxy for all containers, which knows nothing of what is inside one."""
    command = " ".join(SERVICES[name]["healthcheck"]["test"])
    assert command.startswith(("CMD python -m exporter.probe ", "CMD wget -Y off "))


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned_or_built(name: str) -> None:
    """What is downloaded is named by version and digest; our own is built from this checkout."""
    service = SERVICES[name]
    if name in OWN:
        assert service["image"] == "telnyx-sim-exporter:checkout"
    else:
        assert PINNED.fullmatch(service["image"])


def test_image_is_built_once() -> None:
    """Two builds of one name would collide; who does not build it never asks a registry for it."""
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["exporter"]
    assert SERVICES["exporter"]["build"] == "."
    assert SERVICES["simulator"]["pull_policy"] == "never"
    assert SERVICES["simulator"]["depends_on"] == ["exporter"]


@pytest.mark.parametrize("name", PORTS)
def test_port_is_for_this_machine_only(name: str) -> None:
    """Nobody else reaches the demo, as it asks for no password."""
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]
    assert SERVICES.keys() - {"simulator"} == PORTS.keys()


@pytest.mark.parametrize("name", PORTS)
def test_what_is_mounted_is_there(name: str) -> None:
    """A path that is not there would be made as an empty folder; none can be written to."""
    for target, source in mounts(name).items():
        assert source.exists(), target
    for each in SERVICES[name]["volumes"]:
        assert each.endswith(":ro") == each.startswith("./")


def test_a_missing_configuration_is_no_folder() -> None:
    """Docker makes the source of a volume, but not of a secret, and only that may be missing."""
    assert [name for name in SERVICES if "secrets" in SERVICES[name]] == ["exporter"]
    text = FILE.read_text(encoding="utf-8")
    assert text.count("${EXPORTER_CONFIG") == 1
    assert yaml.safe_load(text)["secrets"]["config"]["file"].startswith("${EXPORTER_CONFIG:-")


def test_simulator_is_this_machine_to_the_exporter() -> None:
    """Plain HTTP is refused for any other, so both share one network; the file holds."""
    assert SERVICES["simulator"]["network_mode"] == "service:exporter"
    file = seen("exporter", SERVICES["exporter"]["command"][-1])
    settings = load(file, {"TELNYX_API_KEY": "KEY-real"})
    (account,) = settings.accounts
    assert account.api_key is not None
    assert account.api_key.get_secret_value() == DEMO_KEY, "a real key is none of the simulator's"
    assert load(file, SERVICES["exporter"]["environment"]) == settings
    assert account.base_url == "http://127.0.0.1:10875/v2"
    assert account.name != "default", "an account of one's own would go on with its counters"
    assert settings.web.listen_address == (":10874",)


def test_prometheus_scrapes_what_the_rules_select() -> None:
    """The job is the one of the rules; exporter and Alertmanager are where they listen."""
    config = parse(seen("prometheus", "/etc/prometheus/prometheus.yml"))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "telnyx-sim-exporter"
    assert job["static_configs"] == [{"targets": ["exporter:10874"]}]
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]


@pytest.mark.program("promtool")
def test_prometheus_loads_the_shipped_rules(run: Callable[..., str], tmp_path: Path) -> None:
    """With the folders laid out as in the container, promtool accepts it and finds all rules."""
    for target, source in mounts("prometheus").items():
        place = tmp_path / target.removeprefix("/etc/prometheus/")
        place.symlink_to(source)
    said = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))
    rules = sorted(path.name for path in (SHIPPED / "rules").glob("*.yaml"))
    assert sorted(re.findall(r"[\w.-]+\.rules\.yaml(?=\n)", said)) == rules


@pytest.mark.program("amtool")
def test_alertmanager_routes_as_the_example(run: Callable[..., str], tmp_path: Path) -> None:
    """Routes and inhibitions are those of the shipped example, and no receiver needs a secret."""
    for target, source in mounts("alertmanager").items():
        (tmp_path / Path(target).name).symlink_to(source)
    assert "1 templates" in run("amtool", "check-config", str(tmp_path / "alertmanager.yml"))
    ours = parse(tmp_path / "alertmanager.yml")
    shipped = parse(SHIPPED / "alertmanager" / "alertmanager.yaml")
    assert ours["receivers"] == [{"name": each["name"]} for each in shipped["receivers"]]
    assert ours | {"receivers": []} == shipped | {"receivers": []}


def test_grafana_finds_data_and_dashboards() -> None:
    """The data source is of the type that the dashboards look for, and the only one of it."""
    folder = mounts("grafana")["/etc/grafana/provisioning/datasources"]
    (source,) = parse(folder / "prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["isDefault"] is True
    (provider,) = parse(mounts("grafana")["/etc/grafana/provisioning/dashboards"] / "telnyx.yaml")[
        "providers"
    ]
    dashboards = seen("grafana", provider["options"]["path"])
    assert dashboards == SHIPPED / "dashboards"
    for path in dashboards.glob("*.json"):
        variables = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]
        (wanted,) = [each["query"] for each in variables if each["type"] == "datasource"]
        assert wanted == source["type"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert seen("grafana", home).is_file()


def test_links_lead_to_what_runs() -> None:
    """The links of the page lead to a dashboard that is there, and to Prometheus."""
    uids = {
        json.loads(path.read_text(encoding="utf-8"))["uid"]
        for path in (SHIPPED / "dashboards").glob("*.json")
    }
    links = [
        each["url"]
        for each in parse(ROOT / "deploy/compose/exporter.yaml")["web"]["external_links"]
    ]
    assert links[0].removeprefix("http://127.0.0.1:3000/d/") in uids
    assert links[1] == "http://127.0.0.1:9090/alerts"
