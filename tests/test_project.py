"""Checks the files around the code: what they promise, pin and must not give away."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from exporter import __version__

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)

HOST = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|deb\.debian\.org"
    r"|proxy\.golang\.org|(?<!\w)crates\.io|maven\.org|maven\.apache\.org"
)
HOME = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work)/")


def read(name: str) -> str:
    """Give the text of a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, Version]:
    """Give the version of each package that a lock file pins, by canonical name."""
    found = PIN.finditer(read(lock))
    return {canonicalize_name(pin["name"]): Version(pin["version"]) for pin in found}


def output(*command: str) -> str:
    """Run a command, which has to succeed, and give what it prints."""
    run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed by the callers
    return run.stdout


def tracked_files(git: str) -> list[Path]:
    """List what is in git, or would be with the next commit."""
    listing = output(git, "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard")
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """Name the place of each line in which the pattern occurs; bytes that are no text differ."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if (match := pattern.search(line))
    ]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Parse pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_shows_command(command: str) -> None:
    """A newcomer finds the two commands to start with in README.md."""
    assert re.search(rf"(?<!\w){command}(?!\w)", read("README.md"))


def test_readme_is_short_and_says_how_far_the_project_is() -> None:
    """It fits a few screens; that no live account was ever watched stands on the first."""
    lines = read("README.md").splitlines()
    assert len(lines) <= 180
    assert "never run against a live" in "\n".join(lines[:20])


def test_pre_commit_runs_the_linters_of_make_lint() -> None:
    """All of them, from the project's environment, and nothing that is fetched from elsewhere."""
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE)
    assert lint is not None
    commands = re.findall(r"-m (ruff \w+|\w+)", lint[1])
    assert [hook["name"] for hook in repository["hooks"]] == commands
    for hook in repository["hooks"]:
        assert hook["entry"].startswith(f".venv/bin/{hook['name']}")


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "clean", "help"])
def test_help_names_target(target: str) -> None:
    """`make help` says what each target is for."""
    make = shutil.which("make")
    assert make is not None
    shown = output(make, "--no-print-directory", "-C", str(ROOT), "help")
    assert re.search(rf"^{target} +\w", shown, re.MULTILINE)


def test_changelog_has_version() -> None:
    """CHANGELOG.md has an entry for the version that the code says it is."""
    assert f"\n## {__version__}" in read("CHANGELOG.md")


@pytest.mark.program("git")
@pytest.mark.parametrize("pattern", [HOST, HOME], ids=["registry-host", "developer-path"])
def test_files_name_no_machine(
    pattern: re.Pattern[str], program_path: Callable[[str], str]
) -> None:
    """No file ties the project to one registry's host or to one developer's machine."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to know which files are the project's")
    files = tracked_files(program_path("git"))
    assert Path(__file__) in files
    assert lines_with(pattern, files) == []


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param(HOST, "https://pypi" + ".org/simple", True, id="host"),
        pytest.param(HOME, "cp " + "/home" + "/ann/x .", True, id="home"),
        pytest.param(HOME, "https://example.com" + "/home" + "/x", False, id="address"),
        pytest.param(HOME, "a/b" + "/work" + "/c", False, id="inner-folder"),
    ],
)
def test_patterns_find(pattern: re.Pattern[str], text: str, *, found: bool) -> None:
    """The patterns of the test above tell a machine's path from an address."""
    assert bool(pattern.search(text)) is found


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_source(lock: str) -> None:
    """A lock file leaves it to the user's pip where packages come from."""
    assert re.findall(r"^--\S*|\S*://\S*| @ ", read(lock), re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_hash_for_each_pin(lock: str) -> None:
    """Each package of a lock file has the hash of at least one of its files."""
    entries = re.split(r"^(?=[\w.-]+==)", read(lock), flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        pytest.param("requirements.lock", ["project"], id="run-time"),
        pytest.param("requirements-build.lock", ["build"], id="build"),
        pytest.param("requirements-dev.lock", ["project", "build", "dev"], id="dev"),
    ],
)
def test_lock_satisfies_bounds(project: dict[str, Any], lock: str, groups: list[str]) -> None:
    """A lock file pins all that pyproject.toml asks for, within its bounds."""
    listed = project["dependency-groups"] | {"project": project["project"]["dependencies"]}
    wanted = [Requirement(line) for group in groups for line in listed[group]]
    pinned = pins(lock)
    assert [
        str(each)
        for each in wanted
        if (version := pinned.get(canonicalize_name(each.name))) is None
        or version not in each.specifier
    ] == []


def test_locks_agree() -> None:
    """What is tested is what is shipped: a package has one version in all lock files."""
    tested = pins("requirements-dev.lock")
    for lock in LOCKS:
        assert pins(lock).items() <= tested.items()


def test_build_backend_is_pinned(project: dict[str, Any]) -> None:
    """The package is built without isolation, so the lock has to hold what builds it."""
    needs = {
        canonicalize_name(Requirement(each).name) for each in project["build-system"]["requires"]
    }
    assert needs <= pins("requirements-build.lock").keys()
