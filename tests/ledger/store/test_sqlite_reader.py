"""What only a reader of an SQLite file meets: logs, users, locks, and files of other programs."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from exporter.errors import QueryTimeoutError, StateError
from exporter.ledger.queries import FailureQuery, LedgerView, ProblemQuery
from exporter.ledger.store.sqlite_reader import SqliteReader, sqlite_reader
from tests.ledger.store.contract import NOW, failed

Opener = Callable[..., Any]


@pytest.fixture
def reader(state_file: Path) -> SqliteReader:
    """Give a reader of the state file."""
    return SqliteReader(state_file)


async def test_a_log_that_was_left_over_is_read(
    open_account: Opener, state_file: Path, tmp_path: Path, view: Callable[..., LedgerView]
) -> None:
    """As after a kill: the last commits are in the log only."""
    await open_account().saw(failed("a"), at=NOW + 100)
    copy = tmp_path / "copy.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{state_file}{suffix}", f"{copy}{suffix}")
    assert len(SqliteReader(copy).problems(view(), ProblemQuery()).rows) == 1


async def test_nothing_is_left_beside_a_state_that_nobody_uses(
    open_account: Opener, state_file: Path, view: Callable[..., LedgerView], reader: SqliteReader
) -> None:
    """No log, and no index of one; it is read all the same."""
    account = open_account()
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()
    before = sorted(state_file.parent.iterdir())
    assert len(reader.problems(view(), ProblemQuery()).rows) == 1
    assert reader.facts().exists
    assert sorted(state_file.parent.iterdir()) == before


async def test_a_state_that_is_taken_up_while_it_is_read_is_not_mixed(
    open_account: Opener, open_store: Opener, reader: SqliteReader
) -> None:
    """What its owner writes back meanwhile makes the read an error, not a mixture."""
    account = open_account()
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()
    store = open_store()

    def read_while_it_is_written() -> None:
        with reader.reading():
            store.load("another")
            store.close()

    with pytest.raises(StateError, match="was written while it was read; try again"):
        read_while_it_is_written()
    with reader.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 2


async def test_a_state_that_is_taken_up_but_not_written_back_is_read(
    open_account: Opener, open_store: Opener, reader: SqliteReader
) -> None:
    """As it was before: what is new is in the log alone."""
    account = open_account()
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()
    store = open_store()
    with reader.reading() as connection:
        store.load("another")
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 1
    with reader.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 2


READ = """
import sys
from pathlib import Path
from exporter.errors import StateError
from exporter.ledger.queries import AccountScope, LedgerView, ProblemQuery
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.sqlite_reader import SqliteReader

scope = AccountScope("main", SnapshotOptions((), (), {}, 900.0, ()))
view = LedgerView((scope,), lambda _: "", ())
try:
    print(len(SqliteReader(Path(sys.argv[1])).problems(view, ProblemQuery()).rows))
except StateError as exc:
    print(exc)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder through which every user may pass, which those of pytest do not allow."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def change(path: Path, mode: int) -> None:
    """Change who may read a file."""
    path.chmod(mode)


@pytest.mark.program("setpriv")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_another_user_reads_what_he_may(
    open_account: Opener,
    open_store: Opener,
    program_path: Callable[[str], str],
    open_folder: Path,
) -> None:
    """A file in a directory in which he cannot write; one that he may not read is an error."""
    file = open_folder / "state.db"
    account = open_account(store=open_store(file))
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()

    def read() -> str:
        command = (program_path("setpriv"), "--reuid=65534", sys.executable, "-c", READ, file)
        done = subprocess.run(  # noqa: S603 # ours
            command, capture_output=True, check=True, text=True, timeout=30, cwd="/"
        )
        return done.stdout.strip()

    change(file, 0o600)
    assert "check the path and permissions; run this as the user" in read()
    change(file, 0o644)
    assert read() == "1"


async def test_a_query_that_takes_long_says_what_to_do(
    open_account: Opener, state_file: Path, view: Callable[..., LedgerView]
) -> None:
    """It ends, and the next one is answered."""
    await open_account().saw(*(failed(f"a-{n}") for n in range(3000)), at=NOW + 100)
    clock = iter(range(1_000_000))
    slow = SqliteReader(state_file, timeout=1.0, monotonic=lambda: float(next(clock)))
    with pytest.raises(QueryTimeoutError, match=r"longer than 1 s; narrow the filters"):
        slow.failures(view(), FailureQuery())
    assert slow.problems(view(), ProblemQuery(sim_card_id="x")).rows == ()


def _foreign(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE other (id)")
    connection.close()


def _version(*versions: object, column: str = "version") -> Callable[[Path], None]:
    def make(file: Path) -> None:
        with sqlite3.connect(file) as connection:
            connection.execute(f"CREATE TABLE schema_version ({column})")
            rows = [(each,) for each in versions]
            connection.executemany("INSERT INTO schema_version VALUES (?)", rows)
        connection.close()

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "does not exist; check state.url"),
        (Path.mkdir, "is not a regular file; check state.url"),
        (os.mkfifo, "is not a regular file; check state.url"),
        (Path.touch, "is empty; set state.url"),
        (lambda file: file.write_bytes(b"text" * 1000), "file is not a database"),
        (_foreign, "was created by another program; set state.url"),
        *(
            (make, "was created by another program; set state.url to the exporter's file")
            for make in (
                _version(),
                _version("1.2.3"),
                _version("5"),
                _version(5.5),
                _version(b"5"),
                _version(None),
                _version(0),
                _version(-1),
                _version(1, 2),
                _version(5, "five"),
                _version(5, column="installed_rank"),
            )
        ),
        (_version(1), "has schema version 1, but .*; start the exporter of this release"),
        (_version(99), "has schema version 99, but .*; run the newer release"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(
    reader: SqliteReader,
    state_file: Path,
    view: Callable[..., LedgerView],
    make: Callable[[Path], None],
    message: str,
) -> None:
    """Which file, what is wrong, and what to do."""
    make(state_file)
    with pytest.raises(StateError, match=message) as caught:
        reader.problems(view(), ProblemQuery())
    assert str(state_file) in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_locked_file_is_reported(
    open_account: Opener, state_file: Path, view: Callable[..., LedgerView]
) -> None:
    """Somebody has it for himself, as no exporter does."""
    account = open_account()
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()
    holder = sqlite3.connect(state_file)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="is locked; stop the process that has it open"):
        SqliteReader(state_file, timeout=0.05).problems(view(), ProblemQuery())
    holder.close()


def test_only_a_file_is_read_by_its_url() -> None:
    """Other processes do not see what is in the memory of one."""
    assert sqlite_reader("sqlite://") is None
    assert sqlite_reader("sqlite:///:memory:") is None
    assert sqlite_reader("sqlite:///a ?#%b.db") is not None
