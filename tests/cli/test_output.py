"""What the commands print, as processes, whatever encoding and file they print into."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NAME = "café ☃"
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [
    pytest.param({"PYTHONIOENCODING": "ascii:strict"}, "ascii", id="ascii"),
    pytest.param({"PYTHONIOENCODING": "latin-1"}, "latin-1", id="latin-1"),
    pytest.param({"PYTHONIOENCODING": "utf-16"}, "utf-16", id="utf-16"),
    pytest.param(C_LOCALE, "ascii", id="C"),
]
PROGRAM = [sys.executable, "-m", "exporter"]

FULL = (">/dev/full", "No space left on device")
CLOSED = (">&-", "Bad file descriptor")
PIPE = ("", "Broken pipe")
ONCE = ["once", "--config.file", "café.yaml"]
ANYWHERE = ["--web.listen-address", "127.0.0.1:0"]

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def fits(letter: str, encoding: str) -> bool:
    """Tell whether an encoding has a letter."""
    return letter.encode(encoding, "ignore") != b""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a runner of the program in a folder of its own; ``shell`` comes behind it."""
    plain = {name: value for name, value in os.environ.items() if name != "TELNYX_API_KEY"}

    def process(
        *words: str | bytes, shell: str = "", stdout: int = subprocess.PIPE, **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        command = shlex.join([*PROGRAM, *map(os.fsdecode, words)])
        return subprocess.run(  # noqa: S602 # redirections are what is tested
            f"{command} {shell}",
            shell=True,
            cwd=tmp_path,
            env=plain | env,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )

    return process


@pytest.fixture
def file(write: Callable[..., str], api: str) -> str:
    """Give a configuration whose name and content are not ASCII."""
    path = Path(write(api))
    text = path.read_text(encoding="utf-8").replace("account-0", NAME)
    path.with_name("café.yaml").write_text(text, encoding="utf-8")
    return "café.yaml"


@pytest.mark.parametrize(("env", "encoding"), ENCODINGS)
def test_a_table_is_drawn_with_what_the_encoding_has(
    run: Run, file: str, env: dict[str, str], encoding: str
) -> None:
    """What it does not have is escaped, the lines of the table among it, and nothing is cut."""
    done = run("once", "--config.file", file, "--format", "table", **env)
    assert done.returncode == 0, done.stderr
    table = done.stdout.decode(encoding)
    shown = "".join(letter if fits(letter, encoding) else ascii(letter)[1:-1] for letter in NAME)
    assert f"{shown}: 1 stuck action" in table.replace(r"\u00e9", r"\xe9")
    assert "enable" in table
    assert ("─" in table) is (encoding == "utf-16")
    assert "Traceback" not in done.stderr.decode(encoding)


@pytest.mark.parametrize(("env", "encoding"), ENCODINGS)
def test_the_exposition_is_utf_8_and_a_json_log_is_json(
    run: Run, file: str, env: dict[str, str], encoding: str
) -> None:
    """Prometheus reads nothing but UTF-8; the log is of the encoding, and each line whole."""
    done = run("once", "--config.file", file, "--log.format", "json", **env)
    assert done.returncode == 0, done.stderr
    assert f'telnyx_up{{account="{NAME}"}} 1.0' in done.stdout.decode()
    events = [json.loads(line) for line in done.stderr.decode(encoding).splitlines()]
    assert {each["account"] for each in events} == {NAME}


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, C_LOCALE], ids=["ascii", "C"])
def test_check_config_names_any_file(run: Run, file: str, env: dict[str, str]) -> None:
    """A name that the encoding does not have is escaped, for a good file and for a missing one."""
    good = run("check-config", file, **env)
    assert (good.returncode, good.stderr) == (0, b"")
    assert good.stdout.decode("ascii").endswith(".yaml: valid, 1 account(s)\n")
    missing = run("check-config", b"\xff\n\xc3\xa9.yaml", **env)
    (line,) = missing.stderr.decode("ascii").splitlines()
    assert (missing.returncode, missing.stdout) == (1, b"")
    assert ".yaml: cannot be read" in line


# All commands print alike: each is tried with a full file, and one of each kind, of those that
# print and end and of those that go on, with the rest.
@pytest.mark.parametrize(
    ("words", "shell", "why"),
    [
        pytest.param(["--help"], *FULL, id="help-full"),
        pytest.param(["check-config", "café.yaml"], *FULL, id="check-config-full"),
        pytest.param([*ONCE, "--format", "table"], *FULL, id="table-full"),
        pytest.param([*ONCE, "--format", "table"], *CLOSED, id="table-closed"),
        pytest.param(ONCE, *FULL, id="once-full"),
        pytest.param(ONCE, *CLOSED, id="once-closed"),
        pytest.param(ONCE, *PIPE, id="once-pipe"),
        pytest.param(["simulate", *ANYWHERE], *FULL, id="simulate-full"),
        pytest.param(["demo", *ANYWHERE], *FULL, id="demo-full"),
        pytest.param(["demo", *ANYWHERE], *CLOSED, id="demo-closed"),
    ],
)
@pytest.mark.usefixtures("file")
def test_what_cannot_be_printed_is_1_and_a_line(
    run: Run, words: list[str], shell: str, why: str
) -> None:
    """Whatever takes the output, its end is told in one line, without a trace."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(*words, shell=shell, stdout=writing)
    finally:
        os.close(writing)
    lines = [line for line in done.stderr.decode().splitlines() if "timestamp=" not in line]
    assert lines == [f"cannot write to standard output: {why}"]
    assert done.returncode == 1


@pytest.mark.parametrize("shell", ["2>/dev/full", "2>&-"], ids=["full", "closed"])
def test_a_log_that_cannot_be_written_fails_nothing(run: Run, file: str, shell: str) -> None:
    """What was asked for is on standard output, and the exit code is that of the command."""
    done = run("once", "--config.file", file, shell=shell)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "telnyx_up" in done.stdout.decode()
    assert run("check-config", "none.yaml", shell=shell).returncode == 1


def test_a_closed_file_number_is_not_taken_by_another_file(run: Run, file: str) -> None:
    """Where all three are closed, no database is opened in their place, and written into."""
    closed = run("once", "--config.file", file, shell="<&- >&- 2>&-")  # noqa: S604 # as above
    assert closed.returncode == 1
    assert run("once", "--config.file", file).returncode == 0
