import errno
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from exporter.errors import StateError
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore

Opener = Callable[..., SqliteStore]
Maker = Callable[..., Any]

WITHOUT_RIGHTS = """
import os, sys, tempfile
from exporter.errors import StateError
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
with tempfile.TemporaryDirectory() as folder:  # imports all there is to import
    store = SqliteStore(Database(f"sqlite:///{folder}/state.db"))
    store.load("main")
    store.close()
if os.geteuid() == 0:
    os.setuid(65534)
try:
    SqliteStore(Database(sys.argv[1])).load("other")
except StateError as exc:
    print(exc)
"""


@contextmanager
def no_room() -> Iterator[None]:
    """Let this process write nothing to any file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Give a folder that every user of the system may enter."""
    with tempfile.TemporaryDirectory() as name:
        file_lock = Path(name)
        file_lock.chmod(0o755)
        yield file_lock
        file_lock.chmod(0o755)


def test_a_bad_url_is_told_at_once() -> None:
    """What is no URL at all is refused before anything is opened."""
    with pytest.raises(StateError, match=r"state\.url"):
        Database("no url")


def test_nothing_is_opened_before_it_is_needed(open_store: Opener, state_file: Path) -> None:
    """Making a store touches no file."""
    open_store()
    assert list(state_file.parent.iterdir()) == []


def test_what_was_committed_survives_a_power_loss(open_store: Opener) -> None:
    """The settings that durability rests on are in force on the connection in use."""
    with open_store()._database.transaction() as connection:  # noqa: SLF001  # else unseen
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]
    assert found == ["wal", 2, 50]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_in_memory(url: str) -> None:
    """A state in memory works without any file, from one call to the next."""
    store = SqliteStore(Database(url))
    first, other = store.load("main"), store.load("other")
    assert store.load("main").account_id == first.account_id != other.account_id
    store.close()


def test_a_foreign_writer_is_waited_for_and_then_told_of(
    open_store: Opener, state_file: Path
) -> None:
    """A program that holds the file for too long fails the step; it works again afterwards."""
    store = open_store(busy_timeout_ms=20)
    store.load("main")
    with closing(sqlite3.connect(state_file, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        for _ in range(2):  # as an error on an open database, and while it is opened
            with pytest.raises(StateError, match="locked; stop the process that has it open"):
                store.load("main")
        foreign.execute("ROLLBACK")
        assert store.load("main").name == "main"


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"x" * 4096], ids=repr)
def test_a_file_that_is_no_database(open_store: Opener, state_file: Path, content: bytes) -> None:
    """It is told with what helps, left as it is, and works once it is moved away."""
    state_file.write_bytes(content)
    store = open_store()
    for _ in range(2):
        with pytest.raises(
            StateError, match=r"state\.db: file is not a database; restore a backup"
        ):
            store.load("main")
    assert state_file.read_bytes() == content
    state_file.unlink()
    assert store.load("main").tracked == 0


def test_a_damaged_file(open_store: Opener, state_file: Path) -> None:
    """Pages that were overwritten are found as soon as they are read."""
    store = open_store()
    store.load("main")
    store.close()
    with state_file.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (state_file.stat().st_size - 4096))
    with pytest.raises(StateError, match="malformed; restore a backup"):
        store.load("main")


def test_an_empty_file_is_a_new_database(open_store: Opener, state_file: Path) -> None:
    """A process that was killed before its first commit leaves such a file."""
    state_file.touch()
    assert open_store().load("main").tracked == 0


def test_a_first_commit_that_was_cut_off_leaves_a_new_database(
    open_store: Opener, state_file: Path
) -> None:
    """The tables are made in one transaction: without its end there are none."""
    with closing(sqlite3.connect(state_file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY)")
    assert open_store().load("main").tracked == 0


def test_a_missing_directory(open_store: Opener, tmp_path: Path) -> None:
    """It is told with what helps, and works once it is there."""
    store = open_store(tmp_path / "not" / "there.db")
    with pytest.raises(StateError, match=r"there\.db: No such file or directory; create its"):
        store.load("main")
    (tmp_path / "not").mkdir()
    assert store.load("main").tracked == 0


@pytest.mark.parametrize("what", ["file", "folder", "both"])
def test_without_the_right_to_write(open_place: Path, what: str) -> None:
    """A user that may only read is told so, and told what helps."""
    file = open_place / "state.db"
    if what != "folder":
        store = SqliteStore(Database(f"sqlite:///{file}"))
        store.load("main")
        store.close()
        file.chmod(0o444)
        file.with_name("state.db.lock").chmod(0o666)
    if what == "file":
        open_place.chmod(0o777)
    else:
        open_place.chmod(0o555)
    said = subprocess.run(  # noqa: S603  # our own interpreter, our own script
        [sys.executable, "-c", WITHOUT_RIGHTS, f"sqlite:///{file}"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
        check=True,
    ).stdout
    assert f"state database {file}: " in said
    assert "this user needs write access to the file and its directory" in said


def test_a_full_disk(open_store: Opener) -> None:
    """The step fails, what was there stays, and it works again when there is room."""
    store = open_store()
    store.load("before")
    with no_room():
        for _ in range(2):
            with pytest.raises(StateError, match=r"state database .*state\.db: "):
                store.load("during")
    assert store.load("before").account_id == 1
    assert store.load("after").account_id == 2


def test_a_database_that_may_not_grow(open_store: Opener) -> None:
    """SQLite's own word for a full disk comes with what helps."""
    store = open_store()
    store.load("main")
    database = store._database  # noqa: SLF001  # the seam: the limit is the connection's
    with database.transaction() as connection:
        connection.execute(text("PRAGMA max_page_count = 1"))
    with (
        pytest.raises(StateError, match="full; free disk space"),
        database.transaction() as connection,
    ):
        connection.execute(text("CREATE TABLE much AS SELECT zeroblob(1000000)"))
    assert store.load("main").account_id == 1


def test_errors_of_the_operating_system_are_state_errors(open_store: Opener) -> None:
    """One that occurs within a transaction is worded like those of the database."""
    database = open_store()._database  # noqa: SLF001  # raised from within its transaction
    with (
        pytest.raises(StateError, match="No space left on device; free disk space"),
        database.transaction(),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_statements_are_not_in_the_text(open_store: Opener) -> None:
    """Parameters may be foreign text: the error says what went wrong, not with what."""
    database = open_store()._database  # noqa: SLF001  # a statement that fails
    with pytest.raises(StateError) as caught, database.transaction() as connection:
        connection.execute(text("SELECT :secret FROM nowhere"), {"secret": "s3cret"})
    assert "s3cret" not in str(caught.value)
    assert "no such table: nowhere" in str(caught.value)
