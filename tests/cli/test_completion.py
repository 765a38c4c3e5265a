"""Completion of command lines, as a shell asks for it; and the examples that it should need."""

import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import Result

from exporter.cli.main import COMMANDS, main

Invoke = Callable[..., Result]
ASKED = {
    "bash": {"COMP_CWORD": "{last}", "COMP_WORDS": "{line}"},
    "zsh": {"COMP_CWORD": "{last}", "COMP_WORDS": "{line}"},
    "fish": {"COMP_CWORD": "{word}", "COMP_WORDS": "{line}"},
}


def complete(invoke: Invoke, shell: str, line: str) -> str:
    """Return what the program answers to a shell that completes a line."""
    words = line.split(" ")
    values = {"last": len(words) - 1, "word": words[-1], "line": line}
    asked = {name: text.format(**values) for name, text in ASKED[shell].items()}
    variable = {"_TELNYX_SIM_EXPORTER_COMPLETE": f"{shell}_complete"}
    result = invoke(prog_name="telnyx-sim-exporter", env=variable | asked)
    assert result.exit_code == 0
    return result.stdout


@pytest.fixture
def ask() -> Callable[[str, str], str]:
    """Give what asks the program."""
    from click.testing import CliRunner  # noqa: PLC0415 # only here without an environment

    def invoke(*, prog_name: str, env: dict[str, str]) -> Result:
        return CliRunner().invoke(main, [], prog_name=prog_name, env=env)

    return lambda shell, line: complete(invoke, shell, line)


@pytest.mark.parametrize("shell", ASKED)
def test_commands_options_and_values_are_completed(
    ask: Callable[[str, str], str], shell: str
) -> None:
    """All commands, though none is imported for that; options; values; and files by the shell."""
    line = "telnyx-sim-exporter "
    assert re.findall("|".join(COMMANDS), ask(shell, line)) == list(COMMANDS)
    assert "history" in ask(shell, f"{line}hi")
    assert "once" not in ask(shell, f"{line}hi")
    assert "--work-dir" in ask(shell, f"{line}history --wor")
    assert "openmetrics" in ask(shell, f"{line}history --format o")
    assert "file" in ask(shell, f"{line}history --config.file c")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("actions --status ", ["in-progress", "completed", "failed", "interrupted"]),
        ("actions --status in-", ["in-progress"]),
        ("actions --action-type set_p", ["set_public_ip"]),
        ("actions --format ", ["table", "json", "csv"]),
        ("problems --status ", ["failed", "interrupted", "stuck"]),
        ("problems --concern c", ["connectivity"]),
        ("problems --format c", ["csv"]),
    ],
)
def test_values_of_a_set_are_completed(
    ask: Callable[[str, str], str], line: str, values: list[str]
) -> None:
    """All that are possible, or usual."""
    answer = ask("bash", f"telnyx-sim-exporter {line}").splitlines()
    assert sorted(answer) == sorted(f"plain,{each}" for each in values)


@pytest.mark.parametrize("shell", ASKED)
def test_the_script_asks_the_program(invoke: Invoke, shell: str) -> None:
    """It is printed for each shell, and calls the program with the variable that it answers to."""
    result = invoke("completion", shell)
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_TELNYX_SIM_EXPORTER_COMPLETE={shell}_complete" in result.stdout
    assert "telnyx-sim-exporter" in result.stdout


@pytest.mark.program("bash")
def test_bash_completes(program_path: Callable[[str], str], tmp_path: Path) -> None:
    """As the help says to set it up, in a real Bash."""
    program = tmp_path / "telnyx-sim-exporter"
    program.write_text(
        f"#!{sys.executable}\nfrom exporter.__main__ import main\nmain()\n", encoding="utf-8"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    lines = (
        f"PATH={shlex.quote(str(tmp_path))}:$PATH",
        "source <(telnyx-sim-exporter completion bash)",
        "complete -p telnyx-sim-exporter",
        "COMP_WORDS=(telnyx-sim-exporter history --for) COMP_CWORD=2",
        "_telnyx_sim_exporter_completion telnyx-sim-exporter",
        'echo "${COMPREPLY[@]}"',
    )
    done = subprocess.run(  # noqa: S603 # as a user would type it
        [program_path("bash"), "--norc", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "--format", done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_that_parse(invoke: Invoke, name: str) -> None:
    """They stand in the help as they are typed, none wider than a terminal."""
    text = invoke(name, "--help").stdout.partition("Examples:\n")[2]
    lines = re.findall(r"^ *(?:source <\()?(telnyx-sim-exporter [^)>|\n]*)", text, re.MULTILINE)
    assert lines
    assert max(map(len, text.splitlines())) <= 100
    for line in lines:
        _, command, *words = shlex.split(line)
        assert command == name
        with click.Context(main) as root:
            found = main.get_command(root, command)
            assert found is not None
            found.make_context(command, words, parent=root)
