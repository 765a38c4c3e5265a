"""Hold README.md to what the code does: tables, lists, examples and pictures."""

import inspect
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import structlog
import yaml
from structlog.testing import LogCapture

from exporter.cli import main
from exporter.config import load
from exporter.errors import Cause
from exporter.ledger.model import Event, EventKind
from exporter.ledger.reasons import Reasons
from exporter.publish.declared import ALL
from exporter.publish.health import HandshakeCause
from exporter.publish.journal import Journal
from exporter.web.toolkit import load as load_web

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LARGEST_PICTURE = 200_000


def section(title: str) -> str:
    """Give the text under a heading, up to the next one of any level."""
    text = re.split(rf"^#+ {re.escape(title)}\n", FENCE.sub("", README), flags=re.MULTILINE)[1]
    return re.split(r"^#+ ", text, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> Iterator[list[str]]:
    """Give the cells of each row of the tables in a text, without the heads."""
    above = ""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|--") and above.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]
        above = line


def blocks(language: str, begin: str = "") -> list[str]:
    """Give the fenced blocks in a language that begin with a text."""
    return [
        body for kind, body in FENCE.findall(README) if kind == language and body.startswith(begin)
    ]


def names(cell: str) -> tuple[str, ...]:
    """Give what stands in backquotes."""
    return tuple(CODE.findall(cell))


def test_metrics_are_those_of_the_code() -> None:
    """Each metric stands in the table once, with its type, its labels and its help."""
    shown = [
        (names(name), kind, names(labels), meaning)
        for name, kind, labels, meaning in table(section("Metrics"))
    ]
    assert shown == [((each.name,), each.kind.value, each.labels, each.help) for each in ALL]


def test_reason_classes_are_those_of_the_code() -> None:
    """The README lists every built-in class of reasons, in the order of the exposition."""
    text = re.search(
        r"\*\*Reason classes\.\*\*.*?what the\s+reason says:(.*?)\. ", README, re.DOTALL
    )
    assert text is not None
    assert names(text[1]) == Reasons.with_configured([]).classes


def test_causes_of_failed_handshakes_are_those_of_the_code() -> None:
    """The README names every cause, in the order of the exposition."""
    text = re.search(r"by `cause`:(.*?)\. At the log level", README, re.DOTALL)
    assert text is not None
    shown = [name for name in names(text[1]) if name != "client_allowed_sans"]
    assert shown == [each.value for each in HandshakeCause]


def test_causes_are_those_of_the_code() -> None:
    """The README says of every cause of a failed poll what it means."""
    causes = [names(row[0]) for row in table(section("Operation"))]
    assert causes == [(cause.value,) for cause in Cause]


def test_commands_are_those_of_the_code() -> None:
    """The README lists every command, and no other."""
    shown = [names(row[0]) for row in table(section("Command line"))]
    assert sorted(shown) == [(f"telnyx-sim-exporter {name}",) for name in sorted(main.commands)]


def an_event(kind: EventKind) -> Event:
    """Make an event of a kind."""
    return Event(
        kind=kind,
        account="a",
        action_id="b",
        sim_card_id="c",
        action_type="enable",
        status="failed",
        reason="r",
        reason_class="other",
        created_at=1.0,
        updated_at=2.0,
        duration_seconds=1.0,
    )


@pytest.fixture
def logged() -> list[tuple[str, str, set[str]]]:
    """Let a journal tell of everything it can, and give name, level and fields of each event."""
    capture = LogCapture()
    journal = Journal(
        structlog.wrap_logger(
            None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
    )
    values: dict[str, Any] = {
        "account": "a",
        "action_type": "all",
        "accounts": ["a"],
        "address": "http://127.0.0.1",
        "cause": Cause.AUTH,
        "client": "192.0.2.1:1",
        "count": 1,
        "commits": 1,
        "error": "e",
        "file": "state.db",
        "in_progress": 1,
        "limit": 1,
        "order": "newest",
        "problems": ["p"],
        "seconds": 8.0,
        "size": 1,
        "status": "all",
    }
    for kind in EventKind:
        journal.action(an_event(kind))
    for name, method in inspect.getmembers(journal, inspect.ismethod):
        if not name.startswith("_") and name != "action":
            method(*(values[parameter] for parameter in inspect.signature(method).parameters))
    journal.web_config([])  # another event than with mistakes
    return [
        (each["event"], each["log_level"], each.keys() - {"event", "log_level"})
        for each in capture.entries
    ]


def test_log_events_are_those_of_the_code(logged: list[tuple[str, str, set[str]]]) -> None:
    """The README lists every event of the journal with its level, and no other."""
    shown = {(name, level) for cell, level, _ in table(section("Log")) for name in names(cell)}
    assert shown == {(name, level) for name, level, _ in logged}


def test_fields_of_actions_are_those_of_the_code(logged: list[tuple[str, str, set[str]]]) -> None:
    """The README lists the fields that the log lines of actions carry."""
    text = re.search(r"The first three carry (.*?)\. ", README, re.DOTALL)
    assert text is not None
    fields = set(names(text[1]))
    assert [found for name, _, found in logged if name in set(EventKind)] == [fields] * 3


@pytest.mark.parametrize("text", blocks("yaml", "# config.yaml"), ids=["least", "several"])
def test_configuration_is_good(text: str, tmp_path: Path) -> None:
    """Each configuration in the README passes the loader, once its key files are there."""
    for path in re.findall(r"api_key_file: (\S+)", text):
        file = tmp_path / Path(path).name
        file.write_text("KEY-simulated\n", encoding="utf-8")
        text = text.replace(path, str(file))
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, {"TELNYX_API_KEY": "KEY-simulated"}).accounts


@pytest.mark.program("openssl")
def test_web_configuration_is_good(program_path: Callable[[str], str], tmp_path: Path) -> None:
    """The web configuration in the README is good once certificate, key and hash are there."""
    (text,) = blocks("yaml", "# web.yml")
    assert "$2b$10$..." in text
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    file = tmp_path / "web.yml"
    file.write_text(text.replace("$2b$10$...", hashed), encoding="utf-8")
    certificate, key = (str(tmp_path / f"exporter.{end}") for end in ("crt", "key"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a")
    files = ("-out", certificate, "-keyout", key)
    run_program(program_path("openssl"), "req", "-x509", *kind, *files)

    settings = load_web(file)
    assert settings.tls is not None
    assert settings.users == {b"prometheus": hashed.encode()}


@pytest.mark.program("promtool")
@pytest.mark.parametrize("text", blocks("yaml", "# prometheus.yml"), ids=["plain", "guarded"])
def test_prometheus_takes_the_scrape_configurations(
    program_path: Callable[[str], str], tmp_path: Path, text: str
) -> None:
    """Prometheus accepts each scrape configuration in the README, with its files beside it."""
    for name in re.findall(r"_file: (\S+)", text):
        (tmp_path / name).write_text("secret\n", encoding="utf-8")
    file = tmp_path / "prometheus.yml"
    file.write_text(text, encoding="utf-8")
    run_program(program_path("promtool"), "check", "config", str(file))


@pytest.mark.program("promtool")
def test_prometheus_understands_the_queries(
    program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Every query in the README is PromQL, and names metrics that exist."""
    queries = blocks("promql")
    rules = [{"record": f"a:b{i}:c", "expr": query} for i, query in enumerate(queries)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}), encoding="utf-8")
    run_program(program_path("promtool"), "check", "rules", str(file))

    used = {name for query in queries for name in re.findall(r"telnyx_\w+", query)}
    known = {each.name for each in ALL}
    assert used
    assert {re.sub(r"_(bucket|count)$", "", name) for name in used} <= known


def run_program(*command: str) -> None:
    """Run a program, which has to succeed."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed by the callers
    assert run.returncode == 0, run.stdout + run.stderr


def test_links_lead_somewhere() -> None:
    """Every file and heading that the README links to is there."""
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert targets
    for target in targets:
        assert target[1:] in anchors if target[0] == "#" else (ROOT / target).is_file(), target


def test_pictures_are_modest() -> None:
    """The pictures are PNG files that load quickly."""
    pictures = [ROOT / name for name in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)]
    assert pictures
    assert set(pictures) == set((ROOT / "docs" / "images").iterdir())
    for picture in pictures:
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < LARGEST_PICTURE


def test_alerts_are_those_of_the_rules() -> None:
    """Every alert is listed with its severity, its summary and its runbook."""
    rules = ROOT / "helm/telnyx-sim-exporter/files/rules"
    groups = [g for f in rules.glob("*.yaml") for g in yaml.safe_load(f.read_text())["groups"]]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert alerts
    for rule in alerts:
        name, summary = rule["alert"], rule["annotations"]["summary"]
        row = f"| [`{name}`](docs/runbooks/{name}.md) | {rule['labels']['severity']} | {summary} |"
        assert row in README, row
