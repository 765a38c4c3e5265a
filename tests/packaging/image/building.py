"""Build the image from the Dockerfile on a stand-in for its base; it must not run it.

No registry of images is asked: the stand-in is Debian's own Python, laid out by base.sh once:
later runs find it in ``build``.
"""

import ast
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.packaging.image.podman import Podman
from tests.support.downloads import alone

ROOT = Path(__file__).parents[3]
BASE = "localhost/base"
IMAGE = "localhost/exporter"
REVISION = "0123456789abcdef0123456789abcdef01234567"
MARKER = "KEY-of-who-builds"
SECRETS = (".env", "config.yaml", "telnyx-sim-exporter.db", "exporter/secret.key")
"""What may lie in a checkout, and holds the marker where the image is built."""

LEFT = (".git", ".venv", ".*_cache", "__pycache__", "build", "dist")
"""What is large or changes while it is copied, and is no part of the image."""

RELEASE = "trixie"
"""The release of the official image's system: the one that the Dockerfile names."""

BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_SETTINGS = {"index-url", "extra-index-url", "trusted-host", "proxy"}
"""How this machine's pip reaches what it downloads."""


def storage(folder: Path) -> Podman:
    """Give podman with the quickest way of storing layers that works here."""
    for driver in ("overlay", "vfs"):
        podman = Podman(folder / driver, driver)
        podman.folder.mkdir(parents=True, exist_ok=True)
        if podman.run("info", check=driver == "vfs").returncode == 0:
            return podman
    raise AssertionError


def build(podman: Podman, folder: Path) -> None:
    """Build the stand-in and, on it, the image, from a copy of the checkout that holds secrets."""
    archive = folder / "base.tar"
    shutil.copy(_base(), archive)
    settings = folder / "settings"
    _let_pip_download(settings)
    with tarfile.open(archive, "a") as layer:
        there = set(layer.getnames())  # podman takes no path twice
        for each in sorted(settings.rglob("*")):
            name = f"./{each.relative_to(settings)}"
            if name not in there:
                layer.add(each, name, recursive=False)
    shutil.rmtree(settings)
    path = "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    podman.run("import", f"--change=ENV {path}", str(archive), BASE)
    archive.unlink()
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LEFT))
    for name in SECRETS:
        (checkout / name).write_text(MARKER, encoding="utf-8")
    podman.run(
        *("build", "--isolation=chroot", "--pull-never", "--format=docker", "--layers=false"),
        *(f"--build-arg=PYTHON_IMAGE={BASE}", f"--build-arg=REVISION={REVISION}"),
        *(f"--tag={IMAGE}", str(checkout)),
    )
    shutil.rmtree(checkout)


def _base() -> Path:
    """Give the stand-in as an archive, without the settings of this machine."""
    script = Path(__file__).with_name("base.sh")
    source = _archive()
    text = "\0".join((script.read_text("utf-8"), *source))
    with alone("image") as store:
        archive = store / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.tar"
        if not archive.is_file():
            with tempfile.TemporaryDirectory(dir=store) as scratch:
                root = Path(scratch, "base")
                _run(str(script), str(root), *source)
                Path(shutil.make_archive(str(root), "tar", root)).rename(archive)
    return archive


def _archive() -> tuple[str, str]:
    """Give a release and the archive that has it: where apt-get has this machine's system from."""
    system = platform.freedesktop_os_release()
    codename = system["VERSION_CODENAME"]
    fields = ("--format=$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    sources = [line.split() for line in _run("apt-get", "indextargets", *fields).splitlines()]
    address = next(address for release, address in sources if release == codename)
    return (RELEASE if system["ID"] == "debian" else codename), address


def _let_pip_download(root: Path) -> None:
    """Tell the stand-in's pip what this machine's pip is told."""
    told = {}
    for line in _run(sys.executable, "-m", "pip", "config", "list").splitlines():
        place, _, value = line.partition("=")
        told[place.rpartition(".")[2]] = str(ast.literal_eval(value))
    bundle = Path(told.get("cert", BUNDLE))
    if bundle.is_file():
        copy = root / BUNDLE.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundle, copy)
    (root / "etc").mkdir(parents=True, exist_ok=True)
    lines = [f"{name} = {value}" for name, value in told.items() if name in PIP_SETTINGS]
    text = "\n".join(["[global]", f"cert = {BUNDLE}" * bundle.is_file(), *lines, ""])
    (root / "etc" / "pip.conf").write_text(text, encoding="utf-8")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 # our own words
    assert done.returncode == 0, f"{command[0]}:\n{done.stdout}{done.stderr}"
    return done.stdout
