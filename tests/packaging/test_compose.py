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
from exporter.metrics.catalogue import CATALOGUE
from exporter.simulator.settings import SimulatorSettings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
SHIPPED = ROOT / "helm" / "telnyx-sim-exporter" / "files"
PINNED = re.compile(r"[a-z./-]+:v?\d+(\.\d+){1,2}@sha256:[0-9a-f]{64}")
VARIABLE = re.compile(r"\$\{\w+:-([^}]*)\}")
REPLICAS = ("replica-1", "replica-2", "replica-3")
OWN = ("exporter", "simulator", "replicas-simulator", *REPLICAS)
DEMO_KEY = SimulatorSettings().key
PORTS = {
    "exporter": ["10874:10874"],
    "prometheus": ["9090:9090"],
    "alertmanager": ["9093:9093"],
    "grafana": ["3000:3000"],
    "replicas-simulator": ["10881:10881", "10882:10882", "10883:10883"],
    "replicas-prometheus": ["9091:9090"],
}


def compose() -> tuple[str, ...]:
    """Give the command of Docker's plugin where there is one, else that of the older program."""
    docker = shutil.which("docker")
    asked = docker and subprocess.run((docker, "compose", "version"), capture_output=True)  # noqa: PLW1510, S603 # our own words
    return ("docker", "compose") if asked and asked.returncode == 0 else ("docker-compose",)


COMPOSE = compose()


def parse(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


WRITTEN = yaml.load(VARIABLE.sub(r"\1", FILE.read_text("utf-8")), Loader=yaml.CSafeLoader)
"""As it is where nothing is set in the environment."""

SERVICES: dict[str, dict[str, Any]] = WRITTEN["services"]


def mounts(service: str) -> dict[str, Path]:
    """Give the files of the project that a service sees, by where it sees them."""
    parts = [each.split(":") for each in SERVICES[service].get("volumes", ())]
    secrets = (
        {"source": each, "target": f"/run/secrets/{each}"} if isinstance(each, str) else each
        for each in SERVICES[service].get("secrets", ())
    )
    parts += [(WRITTEN["secrets"][each["source"]]["file"], each["target"]) for each in secrets]
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
    words = ("--file", str(FILE), "--profile", "replicas", "config")
    resolved = yaml.safe_load(run(*COMPOSE, *words))
    assert resolved["services"].keys() == SERVICES.keys()
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
    assert not {"privileged", "pid", "cap_add"} & service.keys()
    assert service.get("user") == ("postgres" if name == "database" else None)


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
    probes = ("CMD python -m exporter.probe ", "CMD wget -Y off ", "CMD pg_isready -h 127.0.0.1 ")
    assert command.startswith(probes)


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
    assert [SERVICES[name].get("pull_policy") for name in OWN] == [None, *["never"] * 5]
    assert SERVICES["simulator"]["depends_on"] == ["exporter"]


@pytest.mark.parametrize("name", PORTS)
def test_port_is_for_this_machine_only(name: str) -> None:
    """Nobody else reaches the demo, as it asks for no password."""
    assert SERVICES[name]["ports"] == [f"127.0.0.1:{each}" for each in PORTS[name]]
    assert {each for each in SERVICES if "ports" in SERVICES[each]} == PORTS.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    """A path that is not there would be made as an empty folder; none can be written to."""
    for target, source in mounts(name).items():
        assert source.exists(), target
    for each in SERVICES[name].get("volumes", ()):
        assert each.endswith(":ro") == each.startswith("./")


def test_a_missing_configuration_is_no_folder() -> None:
    """Docker makes the source of a volume, but not of a secret, and only that may be missing."""
    assert SERVICES["exporter"]["secrets"][0]["source"] == "config"
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


def test_replicas_are_a_profile() -> None:
    """Who does not ask for them gets none, and each is one exporter on the same account."""
    assert {name for name in SERVICES if "profiles" in SERVICES[name]} == {
        "database",
        "replicas-simulator",
        "replicas-prometheus",
        *REPLICAS,
    }
    assert {tuple(each.get("profiles", ["replicas"])) for each in SERVICES.values()} == {
        ("replicas",)
    }
    for name, port in zip(REPLICAS, (10881, 10882, 10883), strict=True):
        service = SERVICES[name]
        assert service["network_mode"] == "service:replicas-simulator"
        assert service["command"][-2:] == ["--web.listen-address", f":{port}"]
        assert service["healthcheck"]["test"][-1] == f"http://127.0.0.1:{port}/-/healthy"
        assert "volumes" not in service


def test_replicas_share_a_database(tmp_path: Path) -> None:
    """Which has the user, the name and the password that they use; the file holds."""
    mounted = "/run/secrets/database-password"
    file = seen("replica-1", SERVICES["replica-1"]["command"][2])
    password = seen("replica-1", mounted)
    copy = tmp_path / "config.yaml"
    copy.write_text(file.read_text("utf-8").replace(mounted, str(password)), encoding="utf-8")
    settings = load(copy, {})
    environment = SERVICES["database"]["environment"]
    user, name = environment["POSTGRES_USER"], environment["POSTGRES_DB"]
    assert settings.state.url == f"postgresql://{user}@database/{name}?sslmode=disable"
    assert environment["POSTGRES_PASSWORD_FILE"] == mounted
    assert seen("database", mounted) == password
    assert "ports" not in SERVICES["database"]
    assert {account.base_url for account in settings.accounts} == {"http://127.0.0.1:10875/v2"}
    assert len(settings.accounts) == len(REPLICAS)


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("prometheus", ["exporter:10874"]),
        ("replicas-prometheus", ["replica-1:10881", "replica-2:10882", "replica-3:10883"]),
    ],
)
def test_prometheus_scrapes_what_the_rules_select(name: str, targets: list[str]) -> None:
    """The job is the one of the rules; exporter and Alertmanager are where they listen."""
    config = parse(seen(name, "/etc/prometheus/prometheus.yml"))
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "telnyx-sim-exporter"
    assert job["static_configs"] == [{"targets": targets}]
    known = {*SERVICES, *SERVICES["replicas-simulator"]["networks"]["default"]["aliases"]}
    assert {each.partition(":")[0] for each in targets} <= known
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_series_of_accounts_are_of_no_replica() -> None:
    """They are the same after a takeover, and told by the same names in documents and chart."""
    config = parse(seen("replicas-prometheus", "/etc/prometheus/prometheus.yml"))
    (rule,) = config["scrape_configs"][0]["metric_relabel_configs"]
    assert (rule["source_labels"], rule["target_label"]) == (["__name__"], "instance")
    for each in CATALOGUE:
        of_account = not each.name.startswith("telnyx_exporter_")
        assert bool(re.fullmatch(rule["regex"], each.name)) is of_account, each.name
    for path in ("docs/replicas.md", "helm/telnyx-sim-exporter/templates/_monitoring.tpl"):
        assert rule["regex"] in (ROOT / path).read_text("utf-8")


@pytest.mark.program("promtool")
@pytest.mark.parametrize("name", ["prometheus", "replicas-prometheus"])
def test_prometheus_loads_the_shipped_rules(
    run: Callable[..., str], tmp_path: Path, name: str
) -> None:
    """With the folders laid out as in the container, promtool accepts it and finds all rules."""
    for target, source in mounts(name).items():
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
