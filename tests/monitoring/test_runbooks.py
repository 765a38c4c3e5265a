"""Hold the runbooks to the alerts, and try every query and command that they show."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli.rule_files import FOLDER, objective_rules, plain_rules
from exporter.sinks.log_events import LOG_EVENTS
from tests.end_to_end.conftest import (
    KEY,
    Running,
    command,
    export,
    free_port,
    gather,
    simulate,
    start,
)
from tests.monitoring.scraping import LIVELY, scrape, ways_to_store
from tests.packaging.chart.helm import CHART, NAMESPACE, Helm
from tests.support.waiting import eventually

__all__ = ["command", "export", "free_port", "gather", "simulate", "start"]
# Fixtures of these names are for this module too.

ROOT = Path(__file__).parents[2]
RULES = sorted(FOLDER.glob("*.yaml"))
UNIT = ROOT / "deploy" / "systemd" / "telnyx-sim-exporter.service"
COMMANDS = ROOT / "docs" / "runbooks" / "README.md"
PAGES = sorted(COMMANDS.parent.iterdir())
RUNBOOKS = [page for page in PAGES if page != COMMANDS]

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([a-z][a-z_.]*)`")
SETTINGS = re.compile(r"^\[Settings\]\(\.\./alerts\.md#settings\): ([^.]*)\.", re.MULTILINE)
THRESHOLD = re.compile(r"job:telnyx_sim_(\w+):threshold")
DURATIONS = {"for", "keep_firing_for"}
METRIC = re.compile(r"\b[a-z_:]*telnyx_[\w:]+")
PATIENCE = 40.0
PORT = "10874"
ADDRESS = f"http://127.0.0.1:{PORT}"
TELNYX = "https://api.telnyx.com"

PROGRAM = re.compile(r"(?:/opt/\S+/)?\btelnyx-sim-exporter(?= [a-z])")
CONFIG = re.compile(r"\S*\bconfig\.yaml\b")
LOCAL = {"curl", "grep", "tail", "telnyx-sim-exporter"}
"""Programs that the tests run; of others, they only check the names that are passed to them."""

each_runbook = pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> str:
    """Give the text of a file."""
    return path.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Block:
    """A query or commands: what stands between the fences, and the paragraph above them."""

    page: str
    language: str
    above: str
    body: str

    @property
    def may_be_empty(self) -> bool:
        """Tell whether the text says that it returns nothing where all is well."""
        return "(nothing if " in self.above

    @property
    def lines(self) -> list[str]:
        """Give the commands without their comments."""
        return [re.sub(r"\s+# .*", "", line) for line in self.body.splitlines()]


def blocks_of(page: Path) -> Iterator[Block]:
    """Give the blocks of a page."""
    text = read(page)
    for found in FENCE.finditer(text):
        above = text[: found.start()].rstrip().rpartition("\n\n")[2]
        yield Block(page.stem, found[1], " ".join(above.split()), found[2])


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
QUERIES = [block for block in BLOCKS if block.language == "promql"]
SHELL = [block for block in BLOCKS if block.language == "sh"]


def rules() -> dict[str, dict[str, Any]]:
    """Give every rule by the name of its alert or record."""
    every = (*plain_rules().rules, *objective_rules().rules)
    return {rule.get("alert") or rule["record"]: rule for rule in every}


ALL_RULES = rules()


def thresholds_of(name: str) -> set[str]:
    """Give the thresholds that a rule compares with, directly or through records."""
    if found := THRESHOLD.fullmatch(name):
        return {found[1]}
    used = {each for each in re.findall(r"[\w:]+", ALL_RULES[name]["expr"]) if each in ALL_RULES}
    return set().union(*map(thresholds_of, used - {name}))


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """The pages are those of the alerts."""
    alerts = {name for name, rule in ALL_RULES.items() if "alert" in rule}
    assert {page.stem for page in RUNBOOKS} == alerts


@each_runbook
def test_a_runbook_has_its_parts(runbook: Path) -> None:
    """Each page has the same sections, says what RESOLVED means, and has a query."""
    text = FENCE.sub("(code)", read(runbook))
    head, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    assert head.startswith(f"# {runbook.stem}\n")
    parts = [section.partition("\n") for section in sections]
    assert [title for title, _, _ in parts] == SECTIONS
    assert all(body.strip() for _, _, body in parts)
    assert re.search(r"^RESOLVED .*means", parts[0][2], re.MULTILINE)
    assert any(block.page == runbook.stem for block in QUERIES)


@each_runbook
def test_a_runbook_names_the_settings_of_its_alert(runbook: Path) -> None:
    """Each page names thresholds that its alert depends on, if there are any, and its durations."""
    (settings,) = SETTINGS.findall(read(runbook))
    named = set(NAME.findall(settings))
    used = thresholds_of(runbook.stem)
    assert named - DURATIONS <= used
    assert named - DURATIONS or not used
    assert ALL_RULES[runbook.stem].keys() & DURATIONS <= named


@each_runbook
def test_a_runbook_names_what_there_is(runbook: Path) -> None:
    """Every key, event, label, metric and threshold in backquotes is in the guides or rules too."""
    documents = [*(ROOT / "docs").glob("*.md"), ROOT / "config.example.yaml"]
    words = {word for path in documents for word in re.findall(r"[\w.]+", read(path))}
    thresholds = set().union(*map(thresholds_of, ALL_RULES))
    text = SETTINGS.sub("", FENCE.sub("", read(runbook)))
    assert set(NAME.findall(text)) <= words | thresholds


def test_every_block_is_tried() -> None:
    """Each is a query, or commands of programs that the tests below run or know the names for."""
    assert {block.language for block in BLOCKS} == {"promql", "sh"}
    unknown = [line for block in SHELL for line in block.lines if not program_of(line)]
    assert unknown == []


def program_of(line: str) -> str:
    """Give the program of a command, if the tests know it."""
    words = [word for word in shlex.split(line) if word != "sudo" and "=" not in word]
    name = Path(words[0]).name if words else ""
    return name if name in LOCAL | TOOLS.keys() else ""


class Installed:
    """What the chart, the unit and compose.yaml create, by the pattern that finds its name."""

    def __init__(self, helm: Helm) -> None:
        """Render the chart, and read the files."""
        chart = helm.render()
        deployment, service = chart.one("Deployment"), chart.one("Service")
        labels = chart.pod["metadata"]["labels"].items() & deployment["metadata"]["labels"].items()
        compose = yaml.load(read(ROOT / "compose.yaml"), Loader=yaml.CSafeLoader)["services"][
            "exporter"
        ]
        unit = dict(re.findall(r"^(\w+)=(.*)$", read(UNIT), re.MULTILINE))
        started = unit["ExecStart"].split()
        key = Path(unit["LoadCredential"].partition(":")[2])
        self.kubectl = {
            r"deployment/(\S+)": {deployment["metadata"]["name"]},
            r"service/(\S+)": {service["metadata"]["name"]},
            r"--namespace (\S+)": {NAMESPACE},
            r"--container (\S+)": {chart.container["name"]},
            r"--selector (\S+)": {f"{name}={value}" for name, value in labels},
            r" (\d+:\d+)": {f"{chart.port}:{service['spec']['ports'][0]['port']}"},
            r"(/etc/\S+)": set(chart.container["args"]),
            r"-- (\S+)": {"telnyx-sim-exporter"},
        }
        self.docker = {
            r"compose \w+(?: --?[a-z-]+(?: HUP| 6h)?)* ([a-z]\S+)": {"exporter"},
            r"(/etc/\S+)": set(compose["command"]),
        }
        self.systemd = {
            r"(?:systemctl \w+|--unit) (\S+)": {UNIT.stem},
            r"(/opt/\S+)": {started[0]},
            r"(/etc/\S+/config\.yaml)": set(started),
            r"CREDENTIALS_DIRECTORY=(\S+)": {str(key.parent)},
        }
        self.ssh = {r"-L (\S+)": {f"{PORT}:127.0.0.1:{PORT}"}}
        assert f"127.0.0.1:{PORT}:{PORT}" in compose["ports"]
        assert chart.port == int(PORT)

    def mistakes(self, line: str) -> Iterator[str]:
        """Give the names in a command that nothing has; a command without any is a mistake."""
        program = program_of(line)
        kind = TOOLS.get(program, "systemd" if line.startswith("sudo ") else "")
        if not kind:
            return
        found = [
            (name, names)
            for pattern, names in getattr(self, kind).items()
            for name in re.findall(pattern, line)
        ]
        if not found:
            yield f"names nothing: {line}"
        yield from (f"{name}: {line}" for name, names in found if name not in names)


TOOLS = {
    "docker": "docker",
    "journalctl": "systemd",
    "kubectl": "kubectl",
    "ssh": "ssh",
    "systemctl": "systemd",
}
"""Programs that cannot run here, by what creates the names that are passed to them."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Give the names of what each kind of installation creates."""
    return Installed(Helm(tmp_path_factory.mktemp("helm"), CHART))


def test_commands_name_what_is_installed(installed: Installed) -> None:
    """Names, ports and paths are those of the chart, the unit and compose.yaml."""
    lines = [line for block in SHELL for line in block.lines]
    assert {program_of(line) for line in lines} == LOCAL | TOOLS.keys()
    assert [each for line in lines for each in installed.mistakes(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "kubectl logs --namespace fleet deployment/telnyx-sim-exporter",
        "kubectl logs --namespace other deployment/sims-telnyx-sim-exporter",
        "kubectl port-forward --namespace fleet service/sims-telnyx-sim-exporter 10874:80",
        "kubectl exec deployment/sims-telnyx-sim-exporter -- python",
        "kubectl get pods",
        "docker compose logs --since 6h telnyx",
        "docker compose exec exporter telnyx-sim-exporter check-config /etc/config.yaml",
        "sudo systemctl restart telnyx",
        "sudo journalctl --unit telnyx --since -6h",
        "sudo /usr/bin/telnyx-sim-exporter problems --config.file /etc/telnyx/config.yaml",
        "ssh -N -L 10874:127.0.0.1:9090 example.org",
    ],
)
def test_a_wrong_name_is_found(installed: Installed, line: str) -> None:
    """The test above can fail."""
    assert list(installed.mistakes(line))


def here(line: str, exporter: Running, account: Running, config: Path) -> str:
    """Give a command as it is run here, ours as for any installation; nothing for others."""
    if found := PROGRAM.search(line):
        own = CONFIG.sub(str(config), line[found.end() :])
        return f"{sys.executable} -m exporter{own}"
    if program_of(line) not in LOCAL:
        return ""
    if TELNYX in line:  # asked without a key
        return f"{line.replace(TELNYX, account.url)} | grep ' 401 '"
    return line.replace("curl ", "curl --fail ").replace(ADDRESS, exporter.url)


def run(line: str, folder: Path) -> str:
    """Run a command in a shell, and give why it is none that works; nothing where it does."""
    done = subprocess.run(  # noqa: S603 - the commands of our own pages
        ("/bin/sh", "-c", line),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "THE_KEY": KEY, "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0 and done.stdout:
        return ""
    return f"{line}: exit code {done.returncode}: {done.stdout}{done.stderr}"


def unlogged(block: Block) -> Iterator[str]:
    """Give the events that a block looks for and that do not exist."""
    events = {event.name for event in LOG_EVENTS}
    for line in block.lines:
        if line.startswith("grep"):
            pattern = next(word for word in shlex.split(line)[1:] if not word.startswith("-"))
            yield from (f"{name}: {line}" for name in pattern.split("|") if name not in events)


def test_events_that_are_looked_for_exist() -> None:
    """What is searched for in the log are names of events."""
    assert [each for block in SHELL for each in unlogged(block)] == []


def silent(block: Block, ask: Callable[..., Any], *, native: bool) -> Iterator[str]:
    """Give why a query is none that works: without series, or with names that no series has."""
    if block.may_be_empty:
        ask("query", query=block.body)
        names = set(ask("label/__name__/values"))
        yield from (
            f"{block.page}: {name}" for name in METRIC.findall(block.body) if name not in names
        )
        return
    classic, *others = block.body.split("\nor\n")
    for query in (classic, *others) if native else (classic, block.body):
        if not ask("query", query=query)["result"]:
            yield f"{block.page}: nothing for {query}"


def live_through_faults(exporter: Running, account: Running, config: Path) -> None:
    """Let the exporter log what the runbooks look for: failed polls, and a refused file."""
    account.post("/_simulator/faults", {"html": 1.0, "server_error": 0.0})
    exporter.wait_for('"poll_failed"')
    account.post("/_simulator/faults", {"html": 0.0})
    exporter.wait_for('"poll_recovered"')
    good = read(config)
    config.write_text(good.replace('"200ms"', '"never"'), encoding="utf-8")
    assert exporter.http.post(f"{exporter.url}/-/reload").status_code == 500
    exporter.wait_for('"configuration_refused"')
    config.write_text(good, encoding="utf-8")


@pytest.mark.program("prometheus", "curl", "grep")
def test_every_query_and_command_works(
    start: Callable[..., Running],
    simulate: Callable[..., Running],
    export: Callable[..., Running],
    program_path: Callable[[str], str],
    free_port: int,
    tmp_path: Path,
) -> None:
    """With an account at work, each query returns series, and each command says something."""
    account = simulate(*LIVELY)
    exporter = export(account.url)
    stored = ways_to_store()[-1]
    program = program_path("prometheus")
    server = scrape(start, program, exporter, free_port, tmp_path, stored=stored, rules=RULES)

    def ask(path: str, **parameters: str) -> Any:
        answer = server.http.get(f"{server.url}/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, f"{parameters}: {answer.text}"
        return answer.json()["data"]

    left = list(QUERIES)

    def answered() -> bool:
        while left:
            assert list(silent(left[0], ask, native=stored == "both")) == []
            del left[0]
        return True

    eventually(answered, within=PATIENCE)

    config = tmp_path / "config.yaml"
    live_through_faults(exporter, account, config)
    (tmp_path / "exporter.log").write_text("\n".join([*exporter.err, ""]), encoding="utf-8")
    commands = {
        here(line, exporter, account, config): None
        for block in SHELL
        if not block.may_be_empty
        for line in block.lines
    }
    assert [why for line in filter(None, commands) if (why := run(line, tmp_path))] == []
