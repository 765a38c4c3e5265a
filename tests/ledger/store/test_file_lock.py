import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.errors import StateError
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., SqliteStore]

HOLDER = """
import sys
from exporter.ledger.store.database import Database
with Database(sys.argv[1]).transaction():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_owner_is_refused_and_told_what_to_do(
    open_store: Opener, state_file: Path
) -> None:
    """Two that count into one file would count twice; the first goes on."""
    first, second = open_store(), open_store()
    first.load("main")
    with pytest.raises(
        StateError, match="in use by another process; stop that process, or set a different"
    ):
        second.load("main")
    first.load("main")
    first.close()
    assert second.load("main").name == "main"
    assert state_file.exists()


def test_the_lock_ends_with_its_process(open_store: Opener, state_file: Path) -> None:
    """An owner that is killed leaves nothing behind that would have to be mended."""
    child = subprocess.Popen(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, "-c", HOLDER, f"sqlite:///{state_file}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(StateError, match="in use by another process"):
            open_store().load("main")
        os.kill(child.pid, signal.SIGKILL)
    assert open_store().load("main").tracked == 0


@pytest.mark.parametrize("again", [False, True], ids=["removed", "replaced"])
def test_a_file_that_is_taken_away_while_in_use(
    open_store: Opener, state_file: Path, tmp_path: Path, *, again: bool
) -> None:
    """It is noticed before anything more is written, and what stands there now is used."""
    store = open_store()
    store.load("kept")
    store.close()
    shutil.copy(state_file, tmp_path / "copy.db")
    lost = store.load("lost").account_id
    state_file.unlink()
    if again:
        shutil.move(tmp_path / "copy.db", state_file)
    session = store.session
    with pytest.raises(StateError, match=r"state\.db was deleted or replaced while in use"):
        store.load("lost")
    assert store.session > session
    # In a replaced file, "kept" has the first number; what only the old journal held is gone.
    assert store.load("new").account_id == (lost if again else 1)


def test_a_lock_that_is_taken_away_while_in_use(open_store: Opener, state_file: Path) -> None:
    """Without its lock file, another process could own the database too."""
    store, other = open_store(), open_store()
    store.load("main")
    state_file.with_name("state.db.lock").unlink()
    with pytest.raises(StateError, match=r"state\.db\.lock was deleted"):
        store.load("main")
    store.load("main")
    with pytest.raises(StateError, match="in use"):
        other.load("main")


def test_closing_leaves_one_file(open_store: Opener, state_file: Path) -> None:
    """What is closed well needs no journal, and may be closed again."""
    store = open_store()
    store.load("main")
    for _ in range(2):
        store.close()
    with suppress(FileNotFoundError):
        state_file.with_name("state.db.lock").unlink()
    assert [path.name for path in state_file.parent.iterdir()] == ["state.db"]


def _a_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)  # to bind one, its path would have to be short


@pytest.mark.parametrize("end", [".lock", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize(
    ("make", "file_type"),
    [
        pytest.param(os.mkfifo, "a pipe", id="pipe"),
        pytest.param(os.mkdir, "a directory", id="directory"),
        pytest.param(_a_socket, "a socket", id="socket"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "a device", id="device"),
    ],
)
@pytest.mark.parametrize("first", [False, True], ids=["later", "first"])
def test_what_is_no_file_beside_the_database_is_refused(
    open_store: Opener,
    state_file: Path,
    end: str,
    make: Callable[[Path], None],
    file_type: str,
    first: bool,  # noqa: FBT001 # data
) -> None:
    """Nothing hangs on it: one line names it and what to do, and that works."""
    if not first:
        store = open_store()
        store.load("main")
        store.close()
    path = state_file.with_name(state_file.name + end)
    path.unlink(missing_ok=True)
    make(path)
    store = open_store()
    with pytest.raises(StateError) as caught:
        store.load("main")
    assert str(caught.value) == (
        f"state database {state_file}: {path.name} next to it is {file_type}, but must be a "
        "regular file; move it away"
    )
    path.rename(path.with_name("away"))
    assert store.load("main").account_id == 1
