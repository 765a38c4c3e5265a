"""Checks that the locks are the whole truth, and that they are taken for it."""

import ensurepip
import hashlib
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.packaging.locks import Environment, asked, environments, holes
from tests.packaging.running import ROOT, run

LOCKS = {
    "requirements.lock": ("project",),
    "requirements-build.lock": ("build",),
    "requirements-dev.lock": ("project", "build", "dev"),
}
INSTALLS = re.compile(r"\b(?:install|sync|download|wheel)\b.*(?:\s-r|\s--requirement\b|\.lock\b)")
"""What takes packages from a list of them."""

FULL = ("--no-deps", "--require-hashes")

each_lock = pytest.mark.parametrize("lock", LOCKS)
each_environment = pytest.mark.parametrize(
    "environment",
    [*environments()],
    ids=lambda each: f"{each['python_version']}-{each['platform_machine']}",
)


def test_all_locks_are_known() -> None:
    """The tests below see each lock."""
    assert {each.name for each in ROOT.glob("*.lock")} == LOCKS.keys()


@each_lock
@each_environment
def test_lock_is_closed(lock: str, environment: Environment) -> None:
    """What is installed from it and nothing else is complete, with each Python."""
    assert holes((ROOT / lock).read_text("utf-8"), asked(*LOCKS[lock]), environment) == []


HERE: Environment = {}
RUN_TIME = (ROOT / "requirements.lock").read_text("utf-8")


@pytest.mark.parametrize(
    ("pattern", "instead", "hole"),
    [
        pytest.param("h11==.*", "", "h11>=0.16 is not pinned", id="missing"),
        pytest.param("h11==", "h11==0.0.", "h11>=0.16 is not met by h11==0.0.0.16.0", id="old"),
        pytest.param("h11==.*", 'h11==0.16.0 ; os_name == "nt"', "h11>=0.16 is not pin", id="away"),
        pytest.param(r"\Z", "nothing-of-ours==1\n", "nothing-of-ours==1 is not inst", id="absent"),
    ],
)
def test_hole_is_found(pattern: str, instead: str, hole: str) -> None:
    """The test above can fail."""
    lock = re.sub(f"(?m)^{pattern}" if "h11" in pattern else pattern, instead, RUN_TIME)
    assert hole in "\n".join(holes(lock, asked("project"), HERE))


def test_extra_that_is_asked_for_is_looked_into() -> None:
    """A package with an extra needs more."""
    needs = [Requirement("uvicorn[standard]")]
    assert any(each.startswith("httptools") for each in holes(RUN_TIME, needs, HERE))


@pytest.mark.program("git")
def test_every_installation_from_a_lock_takes_it_for_the_whole_truth(
    program_path: Callable[[str], str],
) -> None:
    """Wherever it stands: nothing is resolved, and each package has one of the hashes."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to know which files are the project's")
    listed = run(program_path("git"), "ls-files", "-z", "-co", "--exclude-standard").stdout
    found = {}
    for name in listed.split("\0"):
        if name and not name.startswith("tests/packaging/test_") and (ROOT / name).is_file():
            text = re.sub(r"\\\n\s*", " ", (ROOT / name).read_text("utf-8", "replace"))
            commands = re.split(r"&&|\|\||[;\n`]", text)
            found[name] = [each.strip() for each in commands if INSTALLS.search(each)]
    named = {name for name, each in found.items() if each}
    assert named >= {"Dockerfile", "Makefile", "docs/install.md"}
    every = [command for commands in found.values() for command in commands]
    assert [each for each in every if not all(f" {flag} " in f"{each} " for flag in FULL)] == []


def wheel(folder: Path, name: str, version: str, *metadata: str) -> str:
    """Write a wheel that holds nothing; returns its hash."""
    about = f"{name}-{version}.dist-info"
    files = {
        "METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""]
        ),
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": f"{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n",
    }
    file = folder / name / f"{name}-{version}-py3-none-any.whl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for each, text in files.items():
            archive.writestr(f"{about}/{each}", text)
    with (file.parent / "index.html").open("a", encoding="utf-8") as index:
        index.write(f'<!DOCTYPE html><a href="{file.name}">{file.name}</a>\n')
    return hashlib.sha256(file.read_bytes()).hexdigest()


def shipped_pip() -> str:
    """Give the pip that came with this Python, the oldest that a newcomer has, as a wheel."""
    debian, own = Path("/usr/share/python-wheels"), Path(ensurepip.__file__).with_name("_bundled")
    return str(next(file for folder in (own, debian) for file in folder.glob("pip-*.whl")))


def newest_pip() -> str:
    """Give the folder of the pip that the lock for development pins."""
    spec = find_spec("pip")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parents[1])


@pytest.mark.parametrize("pip", [shipped_pip, newest_pip])
def test_newer_version_in_the_index_changes_nothing(tmp_path: Path, pip: Callable[[], str]) -> None:
    """`make` installs what is pinned, also where a package is asked for with an extra.

    pip of Python 3.11 forgets the pin then, and stops as the newest version has no hash.
    """
    make = shutil.which("make")
    assert make is not None
    index = tmp_path / "index"
    hashes = {
        "asking==1.0": wheel(index, "asking", "1.0", "Requires-Dist: asked[more]>=1"),
        "asked==1.0": wheel(index, "asked", "1.0", "Provides-Extra: more"),
    }
    wheel(index, "asked", "2.0", "Provides-Extra: more")
    lock = "".join(f"{pin} --hash=sha256:{digest}\n" for pin, digest in hashes.items())
    (tmp_path / "requirements-dev.lock").write_text(lock, encoding="utf-8")
    (tmp_path / "venv").mkdir()
    done = run(
        *("env", *(f"--unset={name}" for name in PIP_SETTINGS)),
        *(make, f"--directory={tmp_path}", f"--makefile={ROOT / 'Makefile'}", "venv/.dev"),
        *("VENV=venv", "--assume-old=venv/.run-time", f"PYTHON={sys.executable}"),
        PYTHONPATH=pip(),
        PIP_INDEX_URL=index.as_uri(),
        PIP_TARGET=str(tmp_path / "installed"),
        PIP_CONFIG_FILE="/dev/null",
    )
    assert (done.returncode, done.stderr) == (0, "")
    installed = {each.name for each in (tmp_path / "installed").glob("*.dist-info")}
    assert installed == {"asking-1.0.dist-info", "asked-1.0.dist-info"}


PIP_SETTINGS = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CONSTRAINT")
"""What a machine may tell its pip besides, about where packages come from."""
