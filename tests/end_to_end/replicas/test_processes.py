import signal
from collections.abc import Callable

import pytest

from tests.end_to_end.replicas.fleet import HANDOVER, Fleet
from tests.support.postgresql import Cluster

pytestmark = [pytest.mark.program("postgres"), pytest.mark.timeout(150)]


def test_killed_stopped_and_frozen(cluster: Cluster, fleet_of: Callable[..., Fleet]) -> None:
    """Whatever ends or halts a holder, others poll, and nothing is lost or told twice."""
    fleet = fleet_of(cluster)
    killed = fleet.start(0)
    fleet.wait(lambda: fleet.polls(killed))
    stopped = fleet.stand_by(1)
    with fleet.fed():
        killed.end(signal.SIGKILL)
        fleet.gone(killed)
        fleet.wait(lambda: fleet.polls(stopped))
        assert fleet.scrape(stopped).takeovers == dict.fromkeys(fleet.accounts, 1)
        fleet.wait(lambda: len(stopped.events("lease_acquired")) >= len(fleet.accounts))
        assert len({each["from"] for each in stopped.events("lease_acquired")} - {None}) == 1

        frozen = fleet.stand_by(2)
        assert fleet.handed_over(stopped, frozen) < HANDOVER

        last = fleet.stand_by(3)
        frozen.process.send_signal(signal.SIGSTOP)
        fleet.gone(frozen)
        fleet.wait(lambda: fleet.polls(last))
        frozen.process.send_signal(signal.SIGCONT)
        fleet.live.append(frozen)
        fleet.wait(lambda: len(frozen.events("lease_lost")) == len(fleet.accounts))
        awake = fleet.scrape(frozen)
        assert awake.up == {}
        assert awake.counted == {}
        assert awake.lost == dict.fromkeys(fleet.accounts, 1)
        fleet.wait(lambda: frozen.get("/-/ready").status_code == 200)
        assert frozen.get("/").status_code == 200
        assert fleet.handed_over(last, frozen) < HANDOVER
    assert len(frozen.events("lease_lost")) == len(fleet.accounts)
    fleet.check(times=2)
