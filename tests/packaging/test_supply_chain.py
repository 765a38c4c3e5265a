"""Checks what a release is made of: packages, what goes into the image, and the SBOM of it."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from exporter import __version__
from tests.packaging.running import run

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
NAME = "telnyx-sim-exporter"
EPOCH = "1700000000"
RULES = ROOT / "helm" / NAME / "files" / "rules"
ELSEWHERE = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
import exporter.__main__
assert exporter.__file__.startswith(sys.path[0])
exporter.__main__.main()
"""
"""Runs the command line of the package in a folder, whatever else is installed."""

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
"""No instruction of it spans lines."""


def sbom(lock: Path = LOCK) -> subprocess.CompletedProcess[str]:
    """Run the program that writes the SBOM."""
    return run(sys.executable, "scripts/sbom.py", str(lock), SOURCE_DATE_EPOCH=EPOCH)


@pytest.fixture(scope="module")
def written() -> str:
    """Give the SBOM as it is written."""
    done = sbom()
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def bill(written: str) -> dict[str, Any]:
    """Give what the SBOM says."""
    parsed: dict[str, Any] = json.loads(written)
    return parsed


def test_sbom_is_valid(written: str) -> None:
    """It is CycloneDX, by the official schema."""
    # They take a second, in each process that collects tests.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None


def test_sbom_is_of_this_version(bill: dict[str, Any]) -> None:
    """Its subject is the exporter as it is here."""
    subject = bill["metadata"]["component"]
    assert (subject["name"], subject["version"]) == (NAME, __version__)
    assert bill["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_sbom_names_every_pin_with_its_hashes(bill: dict[str, Any]) -> None:
    """Every package that is installed to run is in it, with the hashes that the lock demands."""
    entries = re.split(r"^(?=[\w.-]+==)", LOCK.read_text("utf-8"), flags=re.MULTILINE)[1:]
    pinned = {}
    for entry in entries:
        wanted = Requirement(entry.splitlines()[0].removesuffix("\\"))
        if wanted.marker is None or wanted.marker.evaluate():
            pinned[f"{wanted.name}{wanted.specifier}"] = set(re.findall(r"sha256:(\w+)", entry))
    assert all(pinned.values())
    assert pinned == {
        f"{each['name']}=={each['version']}": {
            digest["content"]
            for reference in each["externalReferences"]
            for digest in reference["hashes"]
        }
        for each in bill["components"]
    }


def test_sbom_says_what_needs_what(bill: dict[str, Any]) -> None:
    """Every package is needed by the exporter, or by one that it needs."""
    needs = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    waiting = [bill["metadata"]["component"]["bom-ref"]]
    reached: set[str] = set()
    while waiting:
        reference = waiting.pop()
        if reference not in reached:
            reached.add(reference)
            waiting += needs[reference]
    components = [bill["metadata"]["component"], *bill["components"]]
    assert reached == {each["bom-ref"] for each in components} == needs.keys()


def test_sbom_says_under_which_license(bill: dict[str, Any]) -> None:
    """Every package has a license; ours is that of LICENSE."""
    assert [each["name"] for each in bill["components"] if not each["licenses"]] == []
    assert bill["metadata"]["component"]["licenses"][0]["expression"] == "Apache-2.0"


def test_sbom_can_be_made_again(written: str) -> None:
    """The same sources give the same file, where the time is told."""
    assert sbom().stdout == written


def test_sbom_is_refused_where_another_version_is_installed(tmp_path: Path) -> None:
    """It does not tell of what is not there."""
    other = tmp_path / "other.lock"
    text = re.sub(r"^(click==)\S+", r"\g<1>0.0.1", LOCK.read_text("utf-8"), flags=re.MULTILINE)
    other.write_text(text, encoding="utf-8")
    done = sbom(other)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is installed instead of 0.0.1" in done.stderr


def test_sbom_is_refused_where_the_lock_misses_something(tmp_path: Path) -> None:
    """A package that is needed and not pinned, or the reverse, does not go unsaid."""
    other = tmp_path / "other.lock"
    text = re.sub(r"^click==(?:.*\\\n)*.*\n", "", LOCK.read_text("utf-8"), flags=re.MULTILINE)
    other.write_text(text, encoding="utf-8")
    done = sbom(other)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the lock file does not match the dependencies (click)" in done.stderr


def test_packages_can_be_built_again(tmp_path: Path) -> None:
    """The same sources give the same wheel and source distribution, byte for byte."""
    built = []
    for name in ("once", "again"):
        folder = tmp_path / name
        words = ("-m", "hatchling", "build", "-d", str(folder))
        done = run(sys.executable, *words, SOURCE_DATE_EPOCH=EPOCH)
        assert done.returncode == 0, done.stderr
        built.append(
            {each.name: hashlib.sha256(each.read_bytes()).digest() for each in folder.iterdir()}
        )
    assert built[0] == built[1]
    stem = f"telnyx_sim_exporter-{__version__}"
    wheel = f"{stem}-py3-none-any.whl"
    assert built[0].keys() == {wheel, f"{stem}.tar.gz"}
    with zipfile.ZipFile(tmp_path / "once" / wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {"exporter", f"{stem}.dist-info"}
    kinds = {Path(name).suffix for name in names if name.startswith("exporter/")}
    assert kinds == {".css", ".html", ".py", ".typed", ".yaml"}


def test_the_wheel_has_the_rules(tmp_path: Path) -> None:
    """What is installed from it prints the same rules as the checkout, and the chart has them."""
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    shipped = {
        each.name: each.read_bytes() for each in (tmp_path / "site").glob("exporter/rules/*")
    }
    assert shipped == {each.name: each.read_bytes() for each in RULES.iterdir()}
    words = ("rules", "--objective", "--set", "objective=0.9")
    installed = run(
        *(sys.executable, "-c", ELSEWHERE, str(tmp_path / "site"), *words), cwd=tmp_path
    )
    assert (installed.returncode, installed.stderr) == (0, "")
    assert installed.stdout == run(sys.executable, "-m", "exporter", *words).stdout


def test_audit_looks_at_every_lock() -> None:
    """`make audit` asks for each lock file, and fails for a package that nobody knows."""
    make = shutil.which("make")
    assert make is not None
    shown = run(make, "--no-print-directory", "--dry-run", "audit").stdout
    asked = set(re.findall(r"--requirement (\S+)", shown))
    assert asked == {each.name for each in ROOT.glob("requirements*.lock")}
    assert "--strict" in shown


@pytest.mark.parametrize("code", [0, 1])
def test_sbom_is_written_whole_or_not_at_all(tmp_path: Path, code: int) -> None:
    """`make sbom` leaves the file as it was where the program fails."""
    make = shutil.which("make")
    assert make is not None
    (tmp_path / "scripts").mkdir()
    program = f"import sys; print('new'); sys.exit({code})"
    (tmp_path / "scripts" / "sbom.py").write_text(program, encoding="utf-8")
    (tmp_path / "build").mkdir()
    file = tmp_path / "build" / "sbom.cdx.json"
    file.write_text("old\n", encoding="utf-8")
    done = run(
        *(make, f"--directory={tmp_path}", f"--makefile={ROOT / 'Makefile'}", "sbom"),
        *("--assume-old=.venv/.run-time", f"PYTHON={sys.executable}"),
    )
    assert (done.returncode == 0) is (code == 0), done.stderr
    assert file.read_text(encoding="utf-8") == ("old\n" if code else "new\n")


def test_image_takes_packages_by_their_hashes() -> None:
    """What pip installs into the image is what the locks pin, or brings nothing along."""
    commands = [each for line in DOCKERFILE.splitlines() for each in line.split("&&")]
    installs = [each for each in commands if re.search(r"\bpip\b.*\binstall\b", each)]
    assert installs
    fixed = re.compile(r" --require-hashes .* -r \S+$| --no-deps dist/\*\.whl$")
    assert [each for each in installs if not fixed.search(each.rstrip())] == []


def test_image_takes_files_from_what_is_pinned() -> None:
    """No file comes from another image than the base, or from an address."""
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    sources = re.findall(r"^(?:COPY|RUN)\b.*?\bfrom=([^\s,]+)", DOCKERFILE, re.MULTILINE)
    assert sources
    assert {*sources} <= stages
    assert re.findall(r"^ADD\b.*|\b(?:curl|wget)\b.*", DOCKERFILE, re.MULTILINE) == []
