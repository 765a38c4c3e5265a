"""One of several replicas, on a real database: what its leases mean for polls, reloads and stop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from exporter.config import State
from tests.support.postgresql import Cluster

pytestmark = pytest.mark.program("postgres")

HELD = "telnyx_exporter_account_held"
POLLS = "telnyx_exporter_polls_total"
UP = "telnyx_up"

STOPPED_WITHIN = 4.0
"""Seconds: less than a statement waits for a lock."""

TAKE = """
UPDATE leases SET holder = 'other', epoch = epoch + 1,
    expires_at = extract(epoch FROM clock_timestamp()) + 2
WHERE account = 'one'
"""


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Create a database; gives its name."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


@pytest.fixture
def shared(cluster: Cluster, database: str, settings: Any) -> Callable[..., Any]:
    """Give a maker of settings with the state in that database."""

    def make(accounts: dict[str, str], **changes: Any) -> Any:
        state = State(url=cluster.url(database), password_file=cluster.password_file)
        return settings(accounts, state=state, **changes)

    return make


@pytest.fixture
async def running(simulators: Any, shared: Any, build: Any) -> Any:
    """Start a replica of two accounts; gives it once both are polled."""
    simulator, url = await simulators()
    rig = build(shared({"one": url, "two": url}))
    rig.simulator, rig.url = simulator, url
    await rig.start()
    await rig.until_total(UP, 2)
    return rig


@pytest.fixture
def until_someone_waits(cluster: Cluster) -> Callable[[], Awaitable[None]]:
    """Give what waits until a lock of the database is waited for."""

    async def wait() -> None:
        async with asyncio.timeout(10):
            while not await asyncio.to_thread(  # noqa: ASYNC110 # only the database shows it
                cluster.execute, "SELECT FROM pg_locks WHERE NOT granted"
            ):
                await asyncio.sleep(0.02)

    return wait


async def test_the_loss_of_a_lease_is_told_once(
    running: Any, cluster: Cluster, database: str, fail: Any
) -> None:
    """It is no failure of a poll; and the account is polled again when it is free."""
    cluster.execute(TAKE, database)
    fail(running.simulator, 3)  # so that a poll has something to write
    await running.until_total(HELD, 1)
    assert await running.total(UP) == 1
    await running.until_total(UP, 2)
    (lost,) = running.events("lease_lost")
    assert (lost["account"], lost["reason"]) == ("one", "taken")
    assert running.events("poll_failed") == []
    assert [each["account"] for each in running.events("lease_acquired")][2:] == ["one"]


async def test_an_account_that_a_reload_brings_back_goes_on(
    running: Any, shared: Any, cluster: Cluster, database: str, until_someone_waits: Any
) -> None:
    """Even if its lease was not let go of in the meantime, as the database did not answer."""
    unlock = cluster.lock(database, "leases")
    await until_someone_waits()
    running.next = shared({"two": running.url})
    assert await running.exporter.reload() == ()
    running.next = shared({"two": running.url, "one": running.url})
    reload = asyncio.ensure_future(running.exporter.reload())
    await asyncio.sleep(0)
    unlock()
    assert await reload == ()
    await running.until_total(UP, 1, "one")


@pytest.mark.parametrize("reloads", [False, True], ids=["at the start", "in a reload"])
async def test_it_stops_while_it_reads_a_ledger(
    reloads: bool,  # noqa: FBT001 # a parameter of the test
    running: Any,
    shared: Any,
    build: Any,
    cluster: Cluster,
    database: str,
    until_someone_waits: Any,
) -> None:
    """Nobody needs what is read any more: it lets go of its leases at once."""
    rig, reload = running, None
    if not reloads:
        await running.stop()
        rig = build(running.next)
    unlock = cluster.lock(database, "actions")
    if reloads:
        rig.next = shared({"one": rig.url, "two": rig.url}, interval=0.06)
        reload = asyncio.ensure_future(rig.exporter.reload())
    else:
        await rig.start()
    await until_someone_waits()
    async with asyncio.timeout(STOPPED_WITHIN):
        await rig.stop()
    unlock()
    if reload is not None:
        assert await reload != ()
    leases = "SELECT DISTINCT holder FROM leases"
    assert cluster.execute(leases, database) == [("",)]


async def test_it_is_not_ready_before_it_has_seen_the_leases(
    simulators: Any, shared: Any, build: Any, cluster: Cluster, database: str
) -> None:
    """It says what it waits for; then it is ready, whoever polls the accounts."""
    _, url = await simulators()
    unlock = cluster.lock(database, "pg_class")  # nobody can connect
    rig = build(shared({"one": url}))
    await rig.start()
    response = await rig.http.get("/-/ready")
    assert (response.status_code, response.text) == (503, "waiting for the state database\n")
    unlock()
    await rig.until_total(UP, 1)
    assert (await rig.http.get("/-/ready")).status_code == 200
