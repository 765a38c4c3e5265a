import re
import subprocess
import sys
from pathlib import Path

from exporter import __version__

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8")


def values(name: str) -> list[str]:
    """Give the defaults of an ARG."""
    return re.findall(rf"^ARG {name}=(\S+)$", DOCKERFILE, re.MULTILINE)


def test_linter_finds_nothing() -> None:
    """Hadolint, and the shell linter in it, are content without any rule left out."""
    hadolint = Path(sys.executable).with_name("hadolint")
    command = (str(hadolint), "--no-color", "--failure-threshold=style", "-")
    done = subprocess.run(  # noqa: S603 # our own words
        command, input=DOCKERFILE, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "hadolint ignore" not in DOCKERFILE


def test_base_is_pinned() -> None:
    """Both stages start from one image of one release of Python and Debian, named by its digest."""
    (image,) = values("PYTHON_IMAGE")
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", image)
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert stages == ["${PYTHON_IMAGE}"] * 2


def test_version_is_that_of_the_code() -> None:
    """A build without arguments names the version of this checkout."""
    assert values("VERSION") == [__version__]


def test_only_what_is_copied_is_sent() -> None:
    """What the build may see is what it copies: no key, state or history lies beside it."""
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    lines = [line for line in IGNORED.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
