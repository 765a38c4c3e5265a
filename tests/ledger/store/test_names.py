"""One state file has one owner, by whatever name it is called; what is no file is no state."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import StateError
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., SqliteStore]
Made = Callable[[Path], object]

ROOT = Path(__file__).parents[3]

HOLDER = """
import sys
from exporter.errors import StateError
from exporter.ledger.store.database import Database
try:
    with Database(sys.argv[1]).transaction():
        print("held", flush=True)
        sys.stdin.read()
except StateError as exc:
    print(exc, flush=True)
"""

BOUND = """
set -e
touch "$1/other.db"
mount --bind "$1/state.db" "$1/other.db"
exec "$2" -c "$3" "sqlite:///$1/other.db" </dev/null
"""

WITHOUT_INODES = """
set -e
mount -t tmpfs -o size=10m,nr_inodes="$4" none "$1"
exec "$2" -c "$3" "sqlite:///$1/state.db" </dev/null
"""

NAMESPACE = ("unshare", "-rm")
"""A mount namespace of our own, as root in it."""

needs_namespaces = pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "true"], check=False, capture_output=True).returncode != 0,  # noqa: S603 # of the system
    reason="needs a mount namespace: run as root, or allow user namespaces",
)


def in_a_namespace(script: str, *words: str) -> str:
    """Run a script of ours where it may mount; returns what it says."""
    return subprocess.run(  # noqa: S603 # our own script
        [*NAMESPACE, "sh", "-c", script, "sh", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@contextmanager
def held(url: str, cwd: Path) -> Iterator[str]:
    """Let another process take a state, and give what it says."""
    child = subprocess.Popen(  # noqa: S603 # our own interpreter, our own script
        [sys.executable, "-c", HOLDER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with child:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
        child.kill()


def a_link(file: Path) -> str:
    """Link to a file by another name."""
    file.with_name("link.db").symlink_to(file)
    return str(file.with_name("link.db"))


def a_relative_link(file: Path) -> str:
    """Link to a file by its name alone, through a second link."""
    file.with_name("first.db").symlink_to(file.name)
    file.with_name("link.db").symlink_to("first.db")
    return str(file.with_name("link.db"))


def a_linked_folder(file: Path) -> str:
    """Link to the folder of a file."""
    (file.parent / "folder").symlink_to(".")
    return str(file.parent / "folder" / file.name)


def a_way_round(file: Path) -> str:
    """Name a file by a path that goes up and down again."""
    (file.parent / "folder").mkdir()
    return f"{file.parent}/folder/..//./{file.name}"


def a_relative_path(file: Path) -> str:
    """Name a file from the working directory."""
    return file.name


@pytest.mark.parametrize(
    ("named", "link_first"),
    [
        (a_link, False),
        (a_link, True),
        (a_relative_link, False),
        (a_linked_folder, False),
        (a_way_round, False),
        (a_relative_path, False),
    ],
)
def test_a_file_has_one_owner_by_all_its_names(
    open_store: Opener, state_file: Path, named: Callable[[Path], str], *, link_first: bool
) -> None:
    """A second process is refused, whichever of the two comes by the detour."""
    store = open_store()
    store.load("main")
    store.close()
    detour = named(state_file)
    names = (detour, str(state_file)) if link_first else (str(state_file), detour)
    with (
        held(f"sqlite:///{names[0]}", state_file.parent) as first,
        held(f"sqlite:///{names[1]}", state_file.parent) as second,
    ):
        assert first == "held"
        assert "is in use by another process; stop that process" in second


@pytest.mark.parametrize("running", [False, True])
def test_a_hard_link_is_refused(open_store: Opener, state_file: Path, *, running: bool) -> None:
    """SQLite keeps a log beside each name: commits by one are lost to the other."""
    first = open_store()
    first.load("main")
    if not running:
        first.close()
    other = state_file.with_name("other.db")
    other.hardlink_to(state_file)
    with pytest.raises(StateError, match=r"other\.db has more than one hard link"):
        open_store(other).load("main")
    other.unlink()
    first.load("main")


@needs_namespaces
def test_a_bind_mount_is_the_same_file(open_store: Opener, state_file: Path) -> None:
    """Two paths that have nothing to do with each other may be one file."""
    open_store().load("main")
    said = in_a_namespace(BOUND, str(state_file.parent), sys.executable, HOLDER)
    assert "other.db is in use by another process" in said


@needs_namespaces
@pytest.mark.parametrize("inodes", [1, 2, 3, 4])
def test_inodes_that_are_used_up(tmp_path: Path, inodes: int) -> None:
    """A disk with free space can have no free inodes; permissions are not the cause."""
    said = in_a_namespace(WITHOUT_INODES, str(tmp_path), sys.executable, HOLDER, str(inodes))
    assert "the file system has no free inodes; delete files on it" in said


def listen(path: Path) -> None:
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(Path.mkdir, "is a directory; set state.url to a regular", id="directory"),
        pytest.param(os.mkfifo, "is a pipe; set state.url to a regular file", id="pipe"),
        pytest.param(listen, "is a socket; set state.url to a regular file", id="socket"),
        pytest.param(
            lambda path: path.symlink_to("/dev/null"), "is a device; set state.url", id="device"
        ),
        pytest.param(
            lambda path: path.symlink_to(path.with_name("gone.db")),
            "is a symbolic link to a file that does not exist; check that its disk is mounted",
            id="dangling",
        ),
        pytest.param(
            lambda path: path.symlink_to(path),
            "Too many levels of symbolic links; check the symbolic links",
            id="loop",
        ),
    ],
)
def test_what_is_no_file(open_store: Opener, state_file: Path, make: Made, said: str) -> None:
    """It is told at once with what to do, nothing is done to it, and none is waited for."""
    make(state_file)
    store = open_store()
    with pytest.raises(StateError, match=rf"state\.db:? {said}"):
        store.load("main")
    assert [path.name for path in state_file.parent.iterdir()] == ["state.db"]
    state_file.rmdir() if make is Path.mkdir else state_file.unlink()
    assert store.load("main").tracked == 0


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_the_state_is_its_owners_alone(open_store: Opener, state_file: Path, umask: int) -> None:
    """It holds SIM cards and reasons: no umask lets other users read it."""
    before = os.umask(umask)
    try:
        open_store().load("main")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state_file.parent.iterdir()}
    assert modes == {f"state.db{end}": 0o600 for end in ("", "-wal", "-shm", ".lock")}


@pytest.mark.parametrize(("mode", "told"), [(0o644, [("exposed", 0)]), (0o640, [])])
def test_the_mode_of_a_file_is_kept(
    open_store: Opener, state_file: Path, heard: Any, mode: int, told: list[tuple[str, int]]
) -> None:
    """Who set it knows why; where everybody may read it, it is told, once."""
    store = open_store()
    store.load("main")
    store.close()
    state_file.chmod(mode)
    for _ in range(2):
        store.load("main")
        store.close()
    assert stat.S_IMODE(state_file.stat().st_mode) == mode
    assert heard.told == told
