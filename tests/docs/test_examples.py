"""Try the code blocks of the documents with the programs that they are for."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import bcrypt
import certifi
import click
import pytest

from exporter.cli.main import COMMANDS, main
from exporter.config import load
from exporter.errors import ConfigError
from exporter.simulator.settings import all_options
from exporter.sinks.alertmanager.http_config import load as load_http
from exporter.web.web_config import load as load_web
from tests.docs.documents import DOCUMENTS, FENCE, GUIDES, ROOT, blocks, code, name_of, names, read

LANGUAGES = {"console", "mermaid", "promql", "python", "sh", "text", "yaml"}
YAML = tuple(
    f"# {name}"
    for name in (
        "alertmanager-http.yml",
        "config.yaml",
        "prometheus.yml",
        "rules.yaml",
        "values.yaml",
        "web.yml",
    )
)
ENVIRONMENT = {"TELNYX_API_KEY": "KEY-simulated"}
TARGETS = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
FOLDERS = "benchmarks|dashboards|deploy|docs|exporter|helm|scripts|tests"


CONTEXT = click.Context(main, **main.context_settings)


def command_of(name: str) -> click.Command:
    """Return a command of the exporter."""
    found = main.get_command(CONTEXT, name)
    assert found is not None
    return found


def run_program(*command: str) -> None:
    """Run a program, which has to succeed."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed by the callers
    assert run.returncode == 0, run.stdout + run.stderr


def commands(program: str) -> list[str]:
    """Give the calls of a program in the documents, without the program's name."""
    joined = (re.sub(r"\\\n\s*", " ", text) for path in DOCUMENTS for text in code(read(path)))
    return [
        call.strip()
        for text in joined
        for line in text.splitlines()
        for call in re.findall(rf"(?:^|[ /]){program} ((?:[a-z-]+)(?: .*)?)$", line.strip())
    ]


@pytest.mark.parametrize("path", GUIDES, ids=name_of)
def test_every_block_is_tried(path: Path) -> None:
    """Each is in a language, and each YAML file is of a kind, that a test here knows."""
    for language, body in FENCE.findall(read(path)):
        assert language in LANGUAGES
        assert language != "yaml" or body.startswith(YAML)


def test_configuration_is_good(tmp_path: Path) -> None:
    """Each configuration passes the loader, once its key and password files are there."""
    found = blocks("yaml", "# config.yaml")
    assert len(found) == 6
    for text in found:
        for path in re.findall(r"(?:api_key|password)_file: (\S+)", text):
            file = tmp_path / Path(path).name
            file.write_text("KEY-simulated\n", encoding="utf-8")
            text = text.replace(path, str(file))  # noqa: PLW2901 - the key files stand elsewhere here
        file = tmp_path / "config.yaml"
        file.write_text(text, encoding="utf-8")
        assert load(file, ENVIRONMENT).accounts


def test_python_finds_its_imports() -> None:
    """Each program that is shown can be parsed, and what it imports is there."""
    found = blocks("python")
    assert found
    for body in found:
        for node in ast.parse(body).body:
            if isinstance(node, ast.ImportFrom):
                module = import_module(str(node.module))
                assert all(hasattr(module, each.name) for each in node.names)


def test_an_error_reads_as_shown(tmp_path: Path) -> None:
    """The error that is shown as an example is what the mistake in it gets."""
    (shown,) = blocks("text", "config.yaml:")
    file = tmp_path / "config.yaml"
    text = "accounts:\n  - api_key: ${TELNYX_API_KEY}\n\npoll:\n  interval: 30\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRONMENT)
    assert [mistake.replace(str(file), file.name) for mistake in caught.value.mistakes] == [
        shown.strip()
    ]


@pytest.mark.program("openssl")
def test_web_configuration_is_good(program_path: Callable[[str], str], tmp_path: Path) -> None:
    """The web configuration is good once certificate, key and hash are there."""
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


def test_alertmanager_http_configuration_is_good(tmp_path: Path) -> None:
    """The file is good once the password and the CA are there."""
    (text,) = blocks("yaml", "# alertmanager-http.yml")
    file = tmp_path / "alertmanager-http.yml"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "alertmanager.password").write_text("secret\n", encoding="utf-8")
    (tmp_path / "alertmanager-ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    assert load_http(file, ("https://alertmanager.example.org:9093",), {}).authorization


@pytest.mark.program("promtool")
@pytest.mark.parametrize("text", blocks("yaml", "# prometheus.yml"))
def test_prometheus_takes_its_configurations(
    program_path: Callable[[str], str], tmp_path: Path, text: str
) -> None:
    """Prometheus accepts each part of its configuration, with the files beside it."""
    (tmp_path / "rules").symlink_to(ROOT / "helm/telnyx-sim-exporter/files/rules")
    for name in re.findall(r"_file: (\S+)", text):
        (tmp_path / name).write_text("secret\n", encoding="utf-8")
    file = tmp_path / "prometheus.yml"
    file.write_text(text, encoding="utf-8")
    run_program(program_path("promtool"), "check", "config", str(file))


@pytest.mark.program("promtool")
def test_prometheus_takes_rules_and_queries(
    program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Prometheus accepts the example of a rule, and every query is PromQL."""
    (example,) = blocks("yaml", "# rules.yaml")
    queries = blocks("promql")
    assert queries
    rules = [{"record": f"a:b{i}:c", "expr": query} for i, query in enumerate(queries)]
    for text in (example, json.dumps({"groups": [{"name": "a", "rules": rules}]})):
        file = tmp_path / "rules.yaml"
        file.write_text(text, encoding="utf-8")
        run_program(program_path("promtool"), "check", "rules", str(file))


def test_calls_of_the_exporter_are_understood() -> None:
    """Each command that is shown exists, with its options."""
    calls = [call for call in commands("telnyx-sim-exporter") if call.split()[0] in COMMANDS]
    assert {call.split()[0] for call in calls} == set(COMMANDS)
    for call in calls:
        name, *arguments = shlex.split(call.partition(" > ")[0], comments=True)
        if name in {"check-config", "completion", "copy-state"} and not arguments:
            continue  # the name of the command alone, in a text
        command_of(name).make_context(name, arguments, parent=CONTEXT)


@pytest.mark.program("sh")
@pytest.mark.parametrize("kind", ["sh", "console"])
def test_shell_understands_the_commands(program_path: Callable[[str], str], kind: str) -> None:
    """Each block of commands is free of mistakes of syntax."""
    found = blocks(kind)
    assert found
    for text in found:
        run_program(program_path("sh"), "-n", "-c", text)


def test_targets_of_make_exist() -> None:
    """Each target that is named is one of the Makefile."""
    named = {call.split()[0] for call in commands("make")}
    assert named >= {"demo", "docs", "test"}
    assert named <= TARGETS


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_files_that_are_named_exist(path: Path) -> None:
    """A path below a folder of the project, in a block or in backquotes, is that of a file."""
    text = "\n".join(code(read(path)))
    found = re.findall(rf"(?<![\w./-])(?:{FOLDERS})/[\w./-]*[\w/]", text)
    assert [each for each in found if not (ROOT / each).exists()] == []


def test_faults_of_the_simulator_exist() -> None:
    """What is sent to the simulator is a set of its options."""
    (text,) = re.findall(r"-d '(\{.*?\})'", "\n".join(blocks("console")))
    assert json.loads(text).keys() <= {knob.name for knob in all_options()}


def test_flags_and_settings_exist() -> None:
    """A flag of the exporter that is named in a text exists."""
    known = {flag for name in COMMANDS for p in command_of(name).params for flag in p.opts}
    told = {
        flag
        for path in GUIDES
        for name in names(FENCE.sub("", read(path)))
        for flag in re.findall(r"^--(?:web|config|log)\.[\w.-]+", name)
    }
    assert told
    assert told <= known
