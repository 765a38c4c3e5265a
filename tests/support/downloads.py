"""Fetches what tests take from registries, once: later runs find it in ``build``.

It must not know what it is for.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.running import run

BUILD = Path(__file__).parents[2] / "build"
"""Ignored by git, and gone with `make clean`."""

_PINNED = Path(__file__).parents[1] / "packaging"
_FILES = ("package.json", "package-lock.json")


@contextmanager
def alone(name: str) -> Iterator[Path]:
    """Give a folder for one tool; the workers of pytest-xdist want it at the same time."""
    store = BUILD / name
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield store


def npm_packages(npm: str) -> Path:
    """Return a folder whose ``node_modules`` hold what the lock pins; ``npm`` is the program."""
    digest = hashlib.sha256(b"\0".join((_PINNED / name).read_bytes() for name in _FILES))
    with alone("npm") as store:
        folder = store / digest.hexdigest()[:16]
        if not folder.is_dir():
            _install(npm, folder)
    return folder


def _install(npm: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft = Path(scratch) / "draft"
        draft.mkdir()
        for name in _FILES:
            shutil.copy(_PINNED / name, draft)
        command = (npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        done = run(*command, cwd=draft)
        assert done.returncode == 0, done.stdout + done.stderr
        draft.rename(folder)  # whole or not at all
