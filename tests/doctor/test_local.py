"""The state and Alertmanager: looked at, never changed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.doctor.findings import Finding, Result
from exporter.doctor.local_checks import local_findings
from exporter.ledger.store.database import Database
from exporter.ledger.store.inspection import inspect_file
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.postgresql_connections import Connections
from exporter.ledger.store.sqlite import SqliteStore
from exporter.sinks.alertmanager.http_config import load
from tests.doctor.conftest import settings_for
from tests.ledger.store.contract import postgresql_place
from tests.support.postgresql import Cluster


async def checks_of(settings: Settings) -> dict[str, Finding]:
    """Return what is found of this machine."""
    http = load(None, settings.alertmanager.targets, {})
    return {each.check: each for each in await local_findings(settings, http)}


def stored(file: Path) -> Settings:
    """Return settings with the state in a file."""
    return settings_for("http://127.0.0.1:1/v2", state={"url": f"sqlite:///{file}"})


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of the files; to read one would drop the locks on it.

    The index of the log has locks of readers, too.
    """
    found = {each.name: each.stat() for each in folder.iterdir() if each.suffix != ".db-shm"}
    return {name: (each.st_size, each.st_mtime_ns) for name, each in found.items()}


def names(folder: Path) -> list[str]:
    """Return the names of all files."""
    return sorted(each.name for each in folder.iterdir())


async def test_a_state_in_use_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    """Beside the process that has it locked: no file changes, and the lock holds on."""
    file = tmp_path / "state.db"
    store = SqliteStore(Database(f"sqlite:///{file}"))
    store.load("account-0")
    try:
        before = files(tmp_path)
        found = await checks_of(stored(file))
        assert files(tmp_path) == before
        assert found["state"].result is Result.OK
        assert found["state"].details == (str(file),)
        assert found["state_in_use"].text == "by a running exporter"
        assert store.load("account-0") is not None
    finally:
        store.close()
    left = files(tmp_path)
    assert names(tmp_path) == ["state.db", "state.db.lock"]
    assert (await checks_of(stored(file)))["state_in_use"].text == "by no process"
    assert (files(tmp_path), names(tmp_path)) == (left, ["state.db", "state.db.lock"])


async def test_a_state_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    """Before the first start all is well."""
    found = await checks_of(stored(tmp_path / "state.db"))
    assert (found["state"].result, files(tmp_path)) == (Result.OK, {})
    assert "can be created" in found["state"].text
    found = await checks_of(stored(tmp_path / "nowhere" / "state.db"))
    assert found["state"].result is Result.FAIL


async def test_what_is_no_state_is_told(tmp_path: Path) -> None:
    """With the error, and what to do."""
    file = tmp_path / "state.db"
    file.write_text("no database", encoding="utf-8")
    found = await checks_of(stored(file))
    assert found["state"].result is Result.FAIL
    assert "state.db" in found["state"].details[0]
    assert found["state_in_use"].result is Result.SKIP


async def test_a_state_in_memory_is_the_exporter_s() -> None:
    """There is nothing to look at."""
    found = await checks_of(settings_for("http://127.0.0.1:1/v2"))
    assert {found[name].result for name in ("state", "state_in_use")} == {Result.SKIP}


def test_locks_are_told_by_the_file(tmp_path: Path) -> None:
    """Those of another file, of another kind or waiting ones do not count; unread, none is told."""
    file = tmp_path / "state.db"
    file.touch()
    inode = file.stat().st_ino
    locks = tmp_path / "locks"
    lines = [
        f"1: FLOCK  ADVISORY  WRITE 11 08:01:{inode} 0 EOF",
        f"1: -> FLOCK  ADVISORY  WRITE 12 08:01:{inode} 0 EOF",
        f"2: FLOCK  ADVISORY  WRITE 13 08:01:{inode}1 0 EOF",
        f"3: POSIX  ADVISORY  READ 14 08:01:{inode} 128 128",
    ]
    for text, users in ((lines, 1), (lines[1:], 0)):
        locks.write_text("\n".join([*text, ""]), encoding="ascii")
        assert inspect_file(file, locks=locks).users == users
    assert inspect_file(file, locks=tmp_path / "none").users is None


async def _alertmanager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    good = head.startswith("GET /api/v2/status HTTP/1.1\r\n")
    status = "200 OK" if good else "404 Not Found"
    writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("paths", "result", "words"),
    [
        ([""], Result.OK, "1 of 1 answer"),
        (["", "/other"], Result.WARN, "1 of 2 answer"),
        (["/other"], Result.FAIL, "0 of 1 answer"),
    ],
)
async def test_alertmanager_is_asked_for_its_status(
    paths: list[str], result: Result, words: str
) -> None:
    """It is told nothing; one that answers otherwise is named with the error."""
    server = await asyncio.start_server(_alertmanager, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    targets = [f"http://127.0.0.1:{port}{path}" for path in paths]
    async with server:
        settings = settings_for("http://127.0.0.1:1/v2", alertmanager={"targets": targets})
        found = (await checks_of(settings))["alertmanager"]
    assert (found.result, found.text) == (result, words)
    if result is not Result.OK:
        assert found.details == (f"{targets[-1]}: HTTP 404: {{}}; check the path of the target",)


async def test_an_alertmanager_that_is_down_is_told() -> None:
    """With the target, which is left out of what is published."""
    target = "http://127.0.0.1:1"
    settings = settings_for("http://127.0.0.1:1/v2", alertmanager={"targets": [target]})
    found = (await checks_of(settings))["alertmanager"]
    assert found.result is Result.FAIL
    assert found.details[0].startswith(f"{target}: connection failed")


@pytest.fixture
def shared(cluster: Cluster) -> Iterator[Settings]:
    """Give settings with the state in a database of its own, which has tables and one replica."""
    name = cluster.new_database()
    state = {"url": cluster.url(name), "password_file": str(cluster.password_file)}
    with postgresql_place(cluster, name) as place:
        place.reopen().load("account-0")
        table = PostgresqlLeaseTable(Connections(state["url"], state["password_file"]), ttl=60)
        table.exchange("a replica", ["account-0"], {})
        yield settings_for("http://127.0.0.1:1/v2", state=state)
        table.close()
    cluster.drop_database(name)


@pytest.mark.program("postgres")
async def test_a_database_is_looked_at(shared: Settings) -> None:
    """Its size, who uses it, and whether this role may write; without its password."""
    found = await checks_of(shared)
    assert found["state"].result is Result.OK
    assert found["state"].text.startswith("writable, ")
    assert found["state_in_use"].text == "by 1 replica"


async def test_a_database_that_is_down_is_told() -> None:
    """In seconds."""
    url = "postgresql://someone:secret@127.0.0.1:1/telnyx"
    found = await checks_of(settings_for("http://127.0.0.1:1/v2", state={"url": url}))
    assert found["state"].result is Result.FAIL
    assert "Connection refused" in found["state"].details[0]
    assert "secret" not in str(found)
