"""A state that is lost is told of or refused, never taken for one that never was."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import StateError
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., SqliteStore]

COMMITTER = """
import sys
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
store = SqliteStore(Database(sys.argv[1]))
for number in range(int(sys.argv[2])):
    store.load(f"account {number}")
print("committed", flush=True)
sys.stdin.read()
"""


def beside(file: Path, end: str) -> Path:
    """Name a file beside the state."""
    return file.with_name(file.name + end)


def killed(file: Path, accounts: int = 5) -> None:
    """Commit in another process, and kill it."""
    child = subprocess.Popen(  # noqa: S603 # our own interpreter, our own script
        [sys.executable, "-c", COMMITTER, f"sqlite:///{file}", str(accounts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "committed\n"
        os.kill(child.pid, signal.SIGKILL)


def stopped(opener: Opener, accounts: int = 5) -> None:
    """Commit here, and stop in order."""
    store = opener()
    for number in range(accounts):
        store.load(f"account {number}")
    store.close()


def test_a_restart_loses_nothing(open_store: Opener, state_file: Path, heard: Any) -> None:
    """Neither an end in order nor a kill is a loss."""
    stopped(open_store)
    killed(state_file, 7)
    store = open_store()
    assert store.load("new").account_id == 8
    assert heard.losses == []


@pytest.mark.parametrize("content", [b"", bytes(4096), bytes(100)], ids=["none", "zeros", "few"])
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_file_that_was_emptied_is_refused(
    open_store: Opener, state_file: Path, content: bytes, *, kill: bool
) -> None:
    """It is left as it is until a copy is in its place, or it is moved away."""
    if kill:
        killed(state_file)
    else:
        stopped(open_store)
    state_file.write_bytes(content)
    store = open_store()
    for _ in range(2):
        with pytest.raises(StateError, match="restore a backup, or move the file away to start"):
            store.load("account 0")
    assert state_file.read_bytes() == content


def test_a_database_without_tables_is_refused(open_store: Opener, state_file: Path) -> None:
    """What another program made anew is no state either."""
    stopped(open_store)
    state_file.unlink()
    with closing(sqlite3.connect(state_file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    with pytest.raises(StateError, match="is empty but was not before"):
        open_store().load("account 0")


def test_a_file_that_was_moved_away_begins_anew_and_says_so(
    open_store: Opener, state_file: Path, heard: Any
) -> None:
    """The reset that is documented: it works, is told once, and can be taken back."""
    stopped(open_store)
    state_file.rename(state_file.with_name("kept.db"))
    stopped(open_store, 1)
    stopped(open_store, 1)
    assert heard.losses == [("began anew", 0)]
    state_file.with_name("kept.db").replace(state_file)
    assert open_store().load("new").account_id == 6


def test_a_first_deployment_is_no_loss(open_store: Opener, state_file: Path, heard: Any) -> None:
    """Where there was no database before, nothing is told; not even after a kill at the start."""
    stopped(open_store)
    state_file.unlink()
    beside(state_file, ".lock").write_bytes(b"")
    state_file.touch()
    stopped(open_store)
    assert heard.losses == []


def test_a_reset_that_is_cut_off_goes_on(open_store: Opener, state_file: Path) -> None:
    """A process that is killed before its first commit leaves an empty file, as if at first."""
    stopped(open_store)
    state_file.unlink()
    store = open_store()
    with store._database._file_lock.acquire().open():  # type: ignore[union-attr] # noqa: SLF001 # cut off here
        assert state_file.stat().st_size == 0
    store.close()
    assert open_store().load("main").tracked == 0


def test_a_file_that_is_removed_while_in_use_begins_anew_and_says_so(
    open_store: Opener, state_file: Path, heard: Any
) -> None:
    """All its files may be gone, the lock among them: the process itself knows."""
    store = open_store()
    store.load("main")
    for path in state_file.parent.iterdir():
        path.unlink()
    with pytest.raises(StateError, match="deleted or replaced while in use"):
        store.load("main")
    store.load("main")
    assert heard.losses == [("began anew", 0)]


def test_a_file_that_is_moved_while_in_use_takes_all_commits_along(
    open_store: Opener, state_file: Path, heard: Any
) -> None:
    """Put back, it goes on where it was: its log is written into it before it is let go."""
    store = open_store()
    for number in range(5):
        store.load(f"account {number}")
    state_file.rename(beside(state_file, ".old"))
    with pytest.raises(StateError, match="deleted or replaced while in use"):
        store.load("main")
    store.load("main")
    store.close()
    assert heard.losses == [("began anew", 0)]
    beside(state_file, ".old").replace(state_file)
    assert open_store().load("account 6").account_id == 6


def test_a_moved_file_that_is_being_read_leaves_its_log_aside(
    open_store: Opener, state_file: Path
) -> None:
    """What cannot be written back while another program reads is kept under another name."""
    store = open_store()
    for number in range(5):
        store.load(f"account {number}")
    with closing(sqlite3.connect(state_file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM accounts").fetchone()
        store.load("account 5")
        state_file.rename(beside(state_file, ".old"))
        with pytest.raises(StateError, match="deleted or replaced while in use"):
            store.load("main")
        assert beside(state_file, "-wal.left").stat().st_size
    beside(state_file, "-wal.left").rename(beside(state_file, ".old-wal"))
    beside(state_file, ".lock").unlink()
    for end in ("", "-wal"):
        beside(state_file, f".old{end}").replace(beside(state_file, end))
    assert open_store().load("new").account_id == 7


def test_a_copy_made_while_it_ran_is_refused_as_what_it_is(
    open_store: Opener, state_file: Path
) -> None:
    """A file that was copied without its log lacks commits: nobody has to look for a lost one."""
    stopped(open_store, 2)
    killed(state_file, 5)
    copy = state_file.read_bytes()
    beside(state_file, "-wal").unlink()
    state_file.write_bytes(copy)
    said = r"lacks the last 3 commits: .* or the file was copied .*; .*\(docs/"
    with pytest.raises(StateError, match=said):
        open_store().load("account 0")


def test_a_log_that_is_removed_while_in_use_costs_nothing(
    open_store: Opener, state_file: Path, heard: Any
) -> None:
    """The process still has it, and writes it back before anything more is counted."""
    store = open_store()
    for number in range(5):
        store.load(f"account {number}")
    beside(state_file, "-wal").unlink()
    with pytest.raises(StateError, match="-wal was deleted or replaced while in use"):
        store.load("main")
    with closing(sqlite3.connect(state_file)) as other:
        assert other.execute("SELECT count(*) FROM accounts").fetchone() == (5,)
    assert store.load("main").account_id == 6
    assert heard.losses == []


def test_a_file_that_is_emptied_while_in_use(open_store: Opener, state_file: Path) -> None:
    """It is noticed before anything more is counted."""
    store = open_store()
    store.load("main")
    os.truncate(state_file, 0)
    with pytest.raises(StateError, match="was truncated while in use; restore a backup"):
        store.load("main")


def test_a_log_that_was_removed_after_a_kill_is_refused(
    open_store: Opener, state_file: Path
) -> None:
    """A young database holds nearly all in it; the text says both ways out, and they work."""
    killed(state_file)
    log = beside(state_file, "-wal")
    kept = log.read_bytes()
    log.unlink()
    store = open_store()
    said = r"lacks the last 6 commits: its write-ahead log state\.db-wal is missing or damaged"
    # What stands in the database is its first page alone: whatever may be there, it is not new.
    with pytest.raises(StateError, match=f"{said}|is empty but was not before"):
        store.load("account 0")
    log.write_bytes(kept)
    assert store.load("new").account_id == 6


def test_a_log_that_was_removed_later_is_refused(open_store: Opener, state_file: Path) -> None:
    """A part of the commits may be in the database: those that are not are missed."""
    stopped(open_store, 2)
    killed(state_file, 5)
    beside(state_file, "-wal").unlink()
    store = open_store()
    with pytest.raises(StateError, match=r"lacks the last 3 commits: .*delete state\.db\.lock"):
        store.load("account 0")
    beside(state_file, ".lock").unlink()
    assert store.load("new").account_id == 3


def test_a_log_that_was_cut_off_is_refused(open_store: Opener, state_file: Path) -> None:
    """A file system that gives back less than was written is found out."""
    killed(state_file, 20)
    log = beside(state_file, "-wal")
    os.truncate(log, log.stat().st_size // 2)
    with pytest.raises(StateError, match=r"lacks the last|is empty but was not before"):
        open_store().load("account 0")


@pytest.mark.parametrize("left", [100, 2048, 4096, 8192])
def test_a_database_that_was_cut_off_is_refused(
    open_store: Opener, state_file: Path, left: int
) -> None:
    """SQLite itself sees that pages are missing."""
    stopped(open_store)
    os.truncate(state_file, left)
    with pytest.raises(StateError, match="restore a backup, or move the file away"):
        open_store().load("account 0")


def test_a_log_without_its_database_is_refused(open_store: Opener, state_file: Path) -> None:
    """SQLite would throw the commits away."""
    killed(state_file)
    state_file.unlink()
    store = open_store()
    with pytest.raises(
        StateError, match=r"state\.db-wal contains commits of it; restore the database"
    ):
        store.load("account 0")
    assert beside(state_file, "-wal").stat().st_size
    beside(state_file, "-wal").unlink()
    assert store.load("new").account_id == 1


def test_another_program_may_finish_after_a_kill(open_store: Opener, state_file: Path) -> None:
    """Whoever closes the database last writes its log back: nothing is missing then."""
    killed(state_file)
    with closing(sqlite3.connect(state_file)) as reader:
        reader.execute("SELECT count(*) FROM accounts").fetchone()
    assert not beside(state_file, "-wal").exists()
    assert open_store().load("new").account_id == 6


def test_an_older_copy_goes_on_and_says_so(
    open_store: Opener, state_file: Path, heard: Any
) -> None:
    """The restore that is documented: what the copy lacks is told, once."""
    stopped(open_store, 2)
    shutil.copy(state_file, state_file.with_name("copy.db"))
    stopped(open_store, 5)
    shutil.copy(state_file.with_name("copy.db"), state_file)
    for _ in range(2):
        store = open_store()
        assert store.load("new").account_id == 3
        store.close()
    assert heard.losses == [("went back", 3)]


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_backups_are_what_the_documentation_says(
    open_store: Opener, state_file: Path, tmp_path: Path, heard: Any, *, kill: bool
) -> None:
    """One by SQLite, one of all files, and one of the file alone where it was stopped in order."""
    if kill:
        killed(state_file)
    else:
        stopped(open_store)
    for name in ("whole", "sqlite"):
        (tmp_path / name).mkdir()
    for path in tmp_path.glob("state.db*"):
        shutil.copy(path, tmp_path / "whole")
    if not kill:
        (tmp_path / "alone").mkdir()
        shutil.copy(state_file, tmp_path / "alone")
    with (
        closing(sqlite3.connect(state_file)) as source,
        closing(sqlite3.connect(tmp_path / "sqlite" / "state.db")) as copy,
    ):
        source.backup(copy)
    for name in ("whole", "sqlite", "alone")[: 2 if kill else 3]:
        assert open_store(tmp_path / name / "state.db").load("new").account_id == 6
    assert heard.losses == []


@pytest.mark.parametrize("note", [b"", b"commits=", b"\0" * 26, b"commits=99999999999 open  \n"])
def test_a_note_that_cannot_be_read_says_nothing(
    open_store: Opener, state_file: Path, heard: Any, note: bytes
) -> None:
    """A power loss may leave anything in it: the database counts."""
    stopped(open_store)
    beside(state_file, ".lock").write_bytes(note)
    assert open_store().load("new").account_id == 6
    assert heard.losses == []
