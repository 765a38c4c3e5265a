"""Build the image once for all workers, and remove everything of it in the end."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packaging.image.building import IMAGE, build, storage
from tests.packaging.image.podman import Containers, Podman


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Give podman, in whose storage are the image and its base.

    A test that asks for it is marked ``program("mmdebstrap", "podman", "runc")``, and given time.
    """
    if os.geteuid() != 0:
        left_out = os.environ.get("CI", "").lower() in {"", "0", "false"}
        tell = pytest.skip if left_out else pytest.fail
        tell("needs root: the image's files belong to others")
    folder = tmp_path_factory.getbasetemp()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        folder = folder.parent  # which all workers have in common
    folder /= "image"
    users = folder / "users"
    users.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        podman = storage(folder)
        if podman.run("image", "exists", IMAGE, check=False).returncode != 0:
            build(podman, folder)
        (users / f"{worker}.user").touch()
    yield podman
    with _locked(folder):
        (users / f"{worker}.user").unlink()
        if not any(users.iterdir()):
            podman.run("system", "reset", "--force")
            shutil.rmtree(podman.folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def containers(podman: Podman) -> Iterator[Containers]:
    """Give a starter of containers of the image."""
    containers = Containers(podman, IMAGE)
    try:
        yield containers
    finally:
        containers.remove()
