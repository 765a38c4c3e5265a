import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.end_to_end.replicas.fleet import Fleet
from tests.support.postgresql import Cluster, new_cluster

pytestmark = [pytest.mark.program("postgres"), pytest.mark.timeout(150)]

SUPERUSER = "host=127.0.0.1 user=postgres"


@pytest.fixture
def breakable() -> Iterator[Cluster]:
    """Give a server of the test's own, to be broken."""
    with new_cluster() as cluster:
        yield cluster


def terminate(cluster: Cluster) -> None:
    """End all connections of the replicas."""
    cluster.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'exporter'"
    )


def shown(fleet: Fleet, *texts: str, accounts: int = 4) -> None:
    """Wait until a fault shows: some accounts cannot be polled, and the log says why.

    ``texts`` are what it may say.
    """
    before = len(fleet.logged("poll_failed"))
    # An account that is handed over just then is nobody's, and has no series.
    fleet.wait(lambda: [*fleet.up().values()].count(1) <= len(fleet.accounts) - accounts)
    fleet.wait(
        lambda: any(
            each["cause"] == "state" and any(text in each["error"] for text in texts)
            for each in fleet.logged("poll_failed")[before:]
        )
    )


def test_a_server_in_trouble(breakable: Cluster, fleet_of: Callable[..., Fleet]) -> None:
    """Whatever a server does, the replicas say what it is and go on, and all stays exact."""
    cluster, fleet = breakable, fleet_of(breakable)
    fleet.start(0)
    fleet.wait(fleet.all_up)
    fleet.stand_by(1)
    with fleet.fed():
        for _ in range(12):
            terminate(cluster)
            fleet.hold(0.3)
        fleet.wait(fleet.all_up)

        cluster.stop(signal.SIGINT)
        shown(fleet, "start the server", "the server is restarting")
        cluster.start()
        fleet.wait(fleet.all_up)

        with psycopg.connect(f"{SUPERUSER} port={cluster.port} dbname={fleet.database}") as blocker:
            blocker.execute("LOCK TABLE actions")
            shown(fleet, "another transaction holds a lock for long", accounts=1)
            fleet.wait(lambda: not any(fleet.scrape(run).unheld for run in fleet.live))
        fleet.wait(fleet.all_up)

        cluster.execute("ALTER ROLE exporter CONNECTION LIMIT 0")
        terminate(cluster)
        shown(fleet, "raise max_connections")
        cluster.execute("ALTER ROLE exporter CONNECTION LIMIT -1")
        fleet.wait(fleet.all_up)
        # All of it was shorter than a lease lasts.
        assert not fleet.logged("lease_lost")
    fleet.wait(fleet.settled)
    fleet.wait(lambda: fleet.told_all(1))

    with fleet.fed():
        cluster.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        cluster.reload()
        terminate(cluster)
        shown(fleet, "point state.url at the primary server")
        fleet.wait(lambda: all(fleet.scrape(run).unheld == 4 for run in fleet.live))
        assert fleet.up() == {}
        for run in fleet.live:
            assert run.get("/-/ready").status_code == 503
            assert run.get("/").status_code == 200
            assert "point state.url at" in run.events("leases_unavailable")[-1]["error"]
        cluster.execute("ALTER SYSTEM RESET default_transaction_read_only")
        cluster.reload()
        fleet.wait(fleet.all_up)
        lost = Counter(each["account"] for each in fleet.logged("lease_lost"))
        assert set(lost.values()) == {1}

        for _ in range(3):
            cluster.stop(signal.SIGQUIT)
            fleet.hold(0.5)
            cluster.start()
            fleet.hold(2)
    fleet.check(times=2)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Give a folder with little space that belongs to the user postgres."""
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode != 0:  # noqa: S603 # a fixed command
        folder.rmdir()
        pytest.skip("needs the right to mount a small file system")
    folder.chmod(0o755)
    space = folder / "tablespace"
    space.mkdir()
    shutil.chown(space, "postgres", "postgres")
    yield space
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607 # likewise
    folder.rmdir()


def test_a_full_disk(cluster: Cluster, small_disk: Path, fleet_of: Callable[..., Fleet]) -> None:
    """What does not fit on the server's disk is said, not lost, and committed when it fits."""
    cluster.execute(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    cluster.execute("CREATE DATABASE small OWNER exporter TABLESPACE small")
    try:
        fleet = fleet_of(cluster, url=cluster.url("small"))
        fleet.start(0)
        fleet.wait(fleet.all_up)
        fleet.stand_by(1)
        with fleet.fed():
            ballast = small_disk / "ballast"
            with ballast.open("wb", 0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            shown(fleet, "free disk space on the database's server", accounts=1)
            ballast.unlink()
            fleet.wait(fleet.all_up)
        fleet.check()
    finally:
        cluster.drop_database("small")
        cluster.execute("DROP TABLESPACE small")
