import re
import subprocess
import sys
import tomllib
from pathlib import Path

from exporter import __version__

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8")


KINDS = {".css", ".html", ".js", ".json", ".py", ".svg", ".typed", ".yaml", ".yml"}
"""What a package may need."""


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
    """What the build may see is what it copies: no key, state or history lies beside or in it."""
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    lines = [line for line in IGNORED.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert len(sent) == len(lines) - 1
    assert {pattern.partition("/")[0] for pattern in sent} == copied
    kinds = {path.suffix for pattern in sent for path in ROOT.glob(pattern)} - {"", ".md"}
    assert kinds == {".css", ".html", ".lock", ".py", ".toml", ".typed", ".yaml"}
    for pattern in sent:  # builders do not agree on which folders a wider one opens
        assert "*" not in pattern.rpartition("/")[0]


def test_all_of_the_package_is_sent() -> None:
    """A folder or a kind of file that is new in the package has its line, and no line is old."""
    patterns = [line[1:] for line in IGNORED.splitlines() if line.startswith("!")]
    found = {pattern: set(ROOT.glob(pattern)) for pattern in patterns}
    assert all(found.values())
    package = {path for path in (ROOT / "exporter").rglob("*") if path.suffix in KINDS}
    assert package - set().union(*found.values()) == set()


def test_what_the_wheel_takes_from_elsewhere_is_sent() -> None:
    """The wheel is built in the image, and its build needs the rules of the chart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert taken
    sent = {
        path for line in IGNORED.splitlines() if line[:1] == "!" for path in ROOT.glob(line[1:])
    }
    assert {ROOT / each for each in taken} <= sent
