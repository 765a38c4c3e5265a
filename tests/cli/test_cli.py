import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from exporter.version import __version__

COMMANDS = [
    "run",
    "demo",
    "simulate",
    "check-config",
    "once",
    "problems",
    "history",
    "rules",
]

Invoke = Callable[..., Result]


def test_help_leads_a_newcomer(invoke: Invoke) -> None:
    """The first help names every command, each in a whole sentence, and where to begin."""
    result = invoke("--help")
    assert result.exit_code == 0
    assert "To try it without an account, run: telnyx-sim-exporter demo" in result.stdout
    for command in COMMANDS:
        (line,) = re.findall(rf"^  {command} +(\S.*)$", result.stdout, re.MULTILINE)
        assert line.endswith(".")
        assert not line.endswith("...")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_explains_each_option(command: str, invoke: Invoke) -> None:
    """Every option of a command says in words what it is for."""
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert invoke(command, "-h").stdout == result.stdout
    shown = re.sub(r"\n {10,}", "  ", result.stdout.partition("Options:")[2])
    options = re.findall(r"^  (?:-\w, )?(--\S+)(.*)$", shown, re.MULTILINE)
    assert options
    for name, rest in options:
        words = re.sub(r"\[default:.*\]|\[\S+\]|\b[A-Z]+\b", "", rest)
        assert len(words.split()) >= 3, name


@pytest.mark.parametrize("flag", ["--config.file", "--web.listen-address", "--web.config.file",
                                  "--log.level", "--log.format"])  # fmt: skip
def test_run_has_the_flags_of_an_exporter(flag: str, invoke: Invoke) -> None:
    """The flags are named as in other exporters."""
    assert f"{flag} " in invoke("run", "--help").stdout


def test_version(invoke: Invoke) -> None:
    """The version is printed."""
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"telnyx-sim-exporter, version {__version__}\n")


def test_it_is_a_module_too() -> None:
    """What the command does, the package does as a module."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "--version"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == f"telnyx-sim-exporter, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["runn"], "runn", id="unknown command"),
        pytest.param(["run", "--colour"], "--colour", id="unknown option"),
        pytest.param(["run", "--log.level", "loud"], "loud", id="unknown level"),
        pytest.param(["once", "--format", "xml"], "xml", id="unknown format"),
        pytest.param(["simulate", "--rate", "fast"], "fast", id="no number"),
        pytest.param(["simulate", "--order", "random"], "random", id="unknown order"),
        pytest.param(["check-config"], "FILE", id="missing argument"),
    ],
)
def test_wrong_usage_is_2(words: list[str], named: str, invoke: Invoke) -> None:
    """What the command line does not know is named, with where to read on."""
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert named in result.stderr
    assert "--help" in result.stderr


@pytest.mark.parametrize("level", ["debug", "info", "warn", "warning", "error"])
def test_levels_are_spelt_as_in_prometheus_and_python(
    level: str, invoke: Invoke, write: Callable[..., str]
) -> None:
    """The flag and the file take both spellings of a warning."""
    file = write("http://127.0.0.1:1/v2", log={"level": level})
    assert invoke("check-config", file).exit_code == 0
    result = invoke("once", "--config.file", "no.yaml", "--log.level", level)
    assert result.stderr.startswith("no.yaml: cannot be read")


@pytest.mark.parametrize("command", ["run", "once"])
def test_without_a_key_both_ways_are_named(command: str, invoke: Invoke) -> None:
    """Who gives no key reads in one line how to: the variable, or a file."""
    result = invoke(command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert "TELNYX_API_KEY" in result.stderr
    assert "--config.file" in result.stderr


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        pytest.param(["run", "--config.file", "no.yaml"], "no.yaml: cannot be read", id="run"),
        pytest.param(["once", "--config.file", "no.yaml"], "no.yaml: cannot be read", id="once"),
        pytest.param(["check-config", "no.yaml"], "no.yaml: cannot be read", id="check-config"),
        pytest.param(
            ["demo", "--web.listen-address", "here"], "--web.listen-address: ", id="no address"
        ),
        pytest.param(
            ["demo", "--alertmanager.target", "http://h:1", "--alertmanager.target", "h:1"],
            "--alertmanager.target: ",
            id="no Alertmanager",
        ),
        pytest.param(
            ["simulate", "--web.listen-address", "here"],
            "--web.listen-address: is not HOST:PORT",
            id="no address of the simulator",
        ),
        pytest.param(
            ["simulate", "--web.listen-address=:9", "--web.listen-address=127.0.0.1:9"],
            "--web.listen-address: overlaps with another",
            id="address twice",
        ),
        pytest.param(["simulate", "--rate", "-1"], "rate: -1.0 is out of range", id="knob"),
    ],
)
def test_what_cannot_be_done_is_1_and_a_line(words: list[str], begins: str, invoke: Invoke) -> None:
    """The one line says what and how to fix it; there is no trace."""
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(begins)
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["run", "demo", "simulate"])
def test_a_taken_address_is_1_and_a_line(command: str, invoke: Invoke) -> None:
    """Where another program listens, the address is named, also if it is not the first."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        addresses = ("127.0.0.1:0", f"127.0.0.1:{port}")
        words = (f"--web.listen-address={address}" for address in addresses)
        result = invoke(command, *words, TELNYX_API_KEY="KEY-simulated")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", "--web.config.file", "web.yml"], id="flag"),
        pytest.param(["run", "--config.file", "config.yaml"], id="file"),
        pytest.param(["once", "--config.file", "config.yaml"], id="once"),
        pytest.param(["check-config", "config.yaml"], id="check-config"),
    ],
)
def test_tls_is_refused_rather_than_left_out(
    words: list[str], invoke: Invoke, write: Callable[..., str]
) -> None:
    """Who asks for a web configuration that cannot be read does not get plain HTTP unnoticed."""
    write("http://127.0.0.1:1/v2", web={"config_file": "web.yml"})
    result = invoke(*words, TELNYX_API_KEY="KEY-simulated")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("web.yml: ")
    assert len(result.stderr.splitlines()) == 1


def test_check_config_approves(invoke: Invoke, write: Callable[..., str]) -> None:
    """A good file is called good, with its number of accounts."""
    file = write("http://127.0.0.1:1/v2", "http://127.0.0.1:2/v2")
    result = invoke("check-config", file)
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        f"{file}: valid, 2 account(s)\n",
        "",
    )


def test_check_config_reports_every_mistake(invoke: Invoke, tmp_path: Path) -> None:
    """Each mistake is a line with its place; keys are not quoted."""
    file = tmp_path / "config.yaml"
    file.write_text(
        "accounts:\n"
        "  - {name: a, api_key: KEY-one}\n"
        "  - {name: a, api_key: 'KEY two', base_url: ftp://x}\n"
        "poll: {interval: 1 minute}\n"
        "colour: red\n",
        encoding="utf-8",
    )
    result = invoke("check-config", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    places = [line.removeprefix(f"{file}:").split(": ")[:2] for line in result.stderr.splitlines()]
    assert places == [
        ["3", "accounts[1].name"],
        ["3", "accounts[1].api_key"],
        ["3", "accounts[1].base_url"],
        ["4", "poll.interval"],
        ["5", "colour"],
    ]
    assert "KEY" not in result.stderr
