import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.end_to_end.replicas.fleet import Fleet
from tests.support.postgresql import Cluster, Pooler, new_pooler

pytestmark = [pytest.mark.program("postgres", "pgbouncer"), pytest.mark.timeout(150)]


@pytest.fixture
def pooler(cluster: Cluster) -> Iterator[Pooler]:
    """Give a PgBouncer before the server."""
    with new_pooler(cluster) as pooler:
        yield pooler


def failed_since(fleet: Fleet, count: int) -> bool:
    """Tell whether more failures of polls are logged than these."""
    return len(fleet.logged("poll_failed")) > count


def test_behind_a_pooler(cluster: Cluster, pooler: Pooler, fleet_of: Callable[..., Fleet]) -> None:
    """Replicas work through a pooler of transactions, which is restarted, and falls silent."""
    fleet = fleet_of(cluster, url=cluster.url(cluster.new_database(), pooler.port))
    holder = fleet.start(0)
    fleet.wait(fleet.all_up)
    standby = fleet.stand_by(1)
    with fleet.fed():
        for how in (signal.SIGTERM, signal.SIGKILL):
            before = len(fleet.logged("poll_failed"))
            pooler.stop(how)
            fleet.wait(lambda: set(fleet.up().values()) == {0})
            fleet.wait(partial(failed_since, fleet, before))
            assert "start the server" in fleet.logged("poll_failed")[-1]["error"]
            pooler.start()
            fleet.wait(fleet.all_up)
        assert not fleet.logged("lease_lost")
    fleet.wait(fleet.settled)
    fleet.wait(lambda: fleet.told_all(1))

    with fleet.fed():
        # Connections are there and new ones are accepted, but nothing answers.
        pooler.send(signal.SIGSTOP)
        fleet.wait(lambda: fleet.scrape(holder).unheld == 4)
        fleet.wait(lambda: fleet.scrape(standby).unheld == 4)
        assert fleet.up() == {}
        for run in fleet.live:
            assert run.get("/-/ready").status_code == 503
            assert run.events("leases_unavailable")
        pooler.send(signal.SIGCONT)
        fleet.wait(fleet.all_up)
    fleet.check(times=2)
