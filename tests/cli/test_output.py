"""What the commands print, as processes, whatever encoding and file they print into."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.forking import ForkServer

NAME = "café ☃"
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [
    pytest.param({"PYTHONIOENCODING": "ascii:strict"}, "ascii", id="ascii"),
    pytest.param({"PYTHONIOENCODING": "latin-1"}, "latin-1", id="latin-1"),
    pytest.param({"PYTHONIOENCODING": "utf-16"}, "utf-16", id="utf-16"),
    pytest.param(C_LOCALE, "ascii", id="C"),
]
PROGRAM = [sys.executable, "-m", "exporter"]

ONCE = ["once", "--config.file", "café.yaml"]
ANYWHERE = ["--web.listen-address", "127.0.0.1:0"]

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Fork = Callable[..., tuple[int, str, str]]


def fits(letter: str, encoding: str) -> bool:
    """Tell whether an encoding has a letter."""
    return letter.encode(encoding, "ignore") != b""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Give a runner of the program in a folder of its own; ``shell`` comes behind it."""
    plain = {name: value for name, value in os.environ.items() if name != "TELNYX_API_KEY"}

    def process(
        *words: str | bytes, shell: str = "", **env: str
    ) -> subprocess.CompletedProcess[bytes]:
        command = shlex.join([*PROGRAM, *map(os.fsdecode, words)])
        return subprocess.run(  # noqa: S602 # redirections are what is tested
            f"{command} {shell}",
            shell=True,
            cwd=tmp_path,
            env=plain | env,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return process


@pytest.fixture
def fork(forks: ForkServer, tmp_path: Path) -> Fork:
    """Give a runner as above without a shell, forked; gives the exit code, and what was printed.

    Nothing here depends on how a new interpreter opens its streams.
    """
    plain = {name: value for name, value in os.environ.items() if name != "TELNYX_API_KEY"}

    def process(
        *words: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> tuple[int, str, str]:
        made = forks.start(*words, cwd=tmp_path, env=plain, stdout=stdout, stderr=stderr)
        out, err = (each.read() if each else "" for each in (made.stdout, made.stderr))
        for each in filter(None, (made.stdout, made.stderr)):
            each.close()
        return made.wait(60), out, err

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
# print and end and of those that go on, with a closed one.
@pytest.mark.parametrize(
    "words",
    [
        pytest.param([*ONCE, "--format", "table"], id="table"),
        pytest.param(ONCE, id="once"),
        pytest.param(["demo", *ANYWHERE], id="demo"),
    ],
)
@pytest.mark.usefixtures("file")
def test_a_closed_output_is_1_and_a_line(run: Run, words: list[str]) -> None:
    """As a shell starts a program without one."""
    done = run(*words, shell=">&-")  # noqa: S604 # as above
    assert printed_nothing(done.returncode, done.stderr.decode(), "Bad file descriptor")


def printed_nothing(code: int, told: str, why: str) -> bool:
    """Tell whether a program said in one line why its output was not taken, beside its log."""
    lines = [line for line in told.splitlines() if "timestamp=" not in line]
    return (code, lines) == (1, [f"cannot write to standard output: {why}"])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--help"], id="help"),
        pytest.param(["check-config", "café.yaml"], id="check-config"),
        pytest.param([*ONCE, "--format", "table"], id="table"),
        pytest.param(ONCE, id="once"),
        pytest.param(["simulate", *ANYWHERE], id="simulate"),
        pytest.param(["demo", *ANYWHERE], id="demo"),
    ],
)
@pytest.mark.usefixtures("file")
def test_a_full_disk_is_1_and_a_line(fork: Fork, words: list[str]) -> None:
    """The end of the output is told, without a trace."""
    with Path("/dev/full").open("wb") as full:
        code, _, told = fork(*words, stdout=full.fileno())
    assert printed_nothing(code, told, "No space left on device")


@pytest.mark.usefixtures("file")
def test_a_pipe_that_nobody_reads_is_1_and_a_line(fork: Fork) -> None:
    """As behind `head`, which ends before all is printed."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, told = fork(*ONCE, stdout=writing)
    finally:
        os.close(writing)
    assert printed_nothing(code, told, "Broken pipe")


def test_a_log_that_is_closed_fails_nothing(run: Run, file: str) -> None:
    """What was asked for is on standard output, and the exit code is that of the command."""
    done = run("once", "--config.file", file, shell="2>&-")  # noqa: S604 # as above
    assert (done.returncode, done.stderr) == (0, b"")
    assert "telnyx_up" in done.stdout.decode()
    assert run("check-config", "none.yaml", shell="2>&-").returncode == 1  # noqa: S604 # as above


def test_a_log_on_a_full_disk_fails_nothing(fork: Fork, file: str) -> None:
    """As where it is closed."""
    with Path("/dev/full").open("wb") as full:
        code, printed, _ = fork("once", "--config.file", file, stderr=full.fileno())
        assert code == 0
        assert "telnyx_up" in printed
        assert fork("check-config", "none.yaml", stderr=full.fileno())[0] == 1


def test_a_closed_file_number_is_not_taken_by_another_file(run: Run, file: str) -> None:
    """Where all three are closed, no database is opened in their place, and written into."""
    closed = run("once", "--config.file", file, shell="<&- >&- 2>&-")  # noqa: S604 # as above
    assert closed.returncode == 1
    assert run("once", "--config.file", file).returncode == 0
