import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

import exporter
from exporter.scheduling.lease_rules import RENEW_EVERY
from tests.end_to_end.replicas.fleet import Fleet
from tests.support.postgresql import Cluster

pytestmark = [pytest.mark.program("postgres"), pytest.mark.timeout(150)]

AHEAD = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketimeMT.so.1",
    "FAKETIME": "+1h",
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    # Its remedy for older C libraries turns each wait with a timeout into a busy loop.
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",
}
"""The environment of a process whose clock is an hour ahead."""


@pytest.mark.program("faketime")
def test_a_clock_ahead_and_reloads(cluster: Cluster, fleet_of: Callable[..., Fleet]) -> None:
    """A replica whose clock is wrong takes nothing from others; reloads move accounts exactly."""
    fleet = fleet_of(cluster)
    holder = fleet.start(0)
    fleet.wait(fleet.all_up)
    early = fleet.stand_by(1, env=AHEAD)
    started = datetime.fromisoformat(early.events("started")[0]["timestamp"])
    assert started > datetime.now(UTC) + timedelta(minutes=50)
    with fleet.fed():
        # Until it takes its share, which a replica that is there to stay is given.
        fleet.wait(lambda: len(early.events("lease_acquired")) == 2)
        fleet.wait(lambda: len(holder.events("lease_released")) >= 2)
        assert {each["reason"] for each in holder.events("lease_released")} == {"surplus"}
        assert not fleet.logged("lease_lost")
        fleet.wait(fleet.all_up)

        # An account that one is not to poll any more is the other's.
        gone = early.events("lease_acquired")[0]["account"]
        rest = [name for name in fleet.accounts if name != gone]
        fleet.configure(1, accounts=fleet.polled(rest))
        early.process.send_signal(signal.SIGHUP)
        fleet.wait(lambda: fleet.polls(holder, [gone]))
        fleet.wait(lambda: early.events("lease_released"))
        assert early.events("lease_released")[-1]["account"] == gone
        assert early.events("lease_released")[-1]["reason"] == "removed"

        # Settings that all accounts share change while a replica takes over all of them.
        fleet.configure(1, poll={"interval": "900ms", "rate_limit": 1000})
        assert holder.end(signal.SIGTERM) == 0
        fleet.gone(holder)
        early.process.send_signal(signal.SIGHUP)
        fleet.wait(lambda: fleet.polls(early))
        # Two signals that come before the first is looked at are one.
        fleet.wait(lambda: len(early.events("configuration_reloaded")) == 2)
        fleet.configure(1, poll={"interval": "800ms", "rate_limit": 1000})
        early.process.send_signal(signal.SIGHUP)
        fleet.wait(lambda: len(early.events("configuration_reloaded")) == 3)
        fleet.hold(2)
    assert not fleet.logged("lease_lost")
    fleet.check()


def is_not_ready(run: Any) -> bool:
    """Tell whether a replica says that it is not ready."""
    return bool(run.get("/-/ready").status_code == 503)


def cannot_renew(run: Any) -> bool:
    """Tell whether the last that a replica said of the leases is that they are unavailable."""
    return len(run.events("leases_unavailable")) > len(run.events("leases_available"))


def newer_release(folder: Path) -> Path:
    """Make a copy of the exporter with one more migration; returns the folder to run it in."""
    copy = folder / "exporter"
    source = Path(exporter.__file__).parent
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    schema = copy / "ledger" / "store" / "schema.py"
    text = schema.read_text(encoding="utf-8")
    step = """
def _add_note(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE accounts ADD COLUMN note TEXT"))


MIGRATIONS: """
    before, _, after = text.partition("\nMIGRATIONS: ")
    steps, end, rest = after.partition("\n)\n")
    changed = f"{before}{step}{steps}\n    _add_note,{end}{rest}"
    assert changed.count("_add_note") == 2
    schema.write_text(changed, encoding="utf-8")
    return folder


def test_two_releases(cluster: Cluster, fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    """Replicas of an older release step down as a newer one migrates, and take no harm."""
    fleet = fleet_of(cluster)
    older = [fleet.start(0)]
    fleet.wait(fleet.all_up)
    older.append(fleet.stand_by(1))
    folder = newer_release(tmp_path / "newer")
    with fleet.fed():
        newer = fleet.start(2, cwd=folder)
        fleet.wait(lambda: fleet.polls(newer))
        for run in older:
            assert run.process.poll() is None
            errors = [each["error"] for each in run.events("leases_unavailable")]
            assert len(errors) == 1, errors
            assert "run the newer release" in errors[0]
            assert fleet.scrape(run).up == {}
            fleet.wait(partial(is_not_ready, run))
            assert run.get("/-/healthy").status_code == 200
            assert run.get("/").status_code == 200
            fleet.gone(run)
        # One that is restarted by its supervisor says the same, and goes on waiting.
        again = fleet.start(3)
        fleet.wait(lambda: again.events("leases_unavailable"))
        assert "run the newer release" in again.events("leases_unavailable")[0]["error"]
        assert again.get("/-/ready").status_code == 503
        fleet.gone(again)
    fleet.wait(fleet.settled)
    for run in (*older, again):
        assert run.end() == 0
        assert len(run.events("leases_unavailable")) == 1
    assert len(older[0].events("lease_lost")) == len(fleet.accounts)
    # What was written to the log as the newer one came may not have been noted.
    fleet.check(times=2)


@contextmanager
def refused(cluster: Cluster, database: str) -> Iterator[None]:
    """End all connections to a database, and let it accept none for a while."""
    cluster.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
    cluster.execute(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname='{database}'"  # noqa: S608 # ours
    )
    yield
    cluster.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


def test_an_older_copy(cluster: Cluster, fleet_of: Callable[..., Fleet]) -> None:
    """A ledger that is replaced by an older copy of it catches up, and says so."""
    fleet = fleet_of(cluster)
    name, copy = fleet.database, f"{fleet.database}_copy"
    fleet.start(0)
    fleet.wait(fleet.all_up)
    fleet.stand_by(1)
    with fleet.fed():
        fleet.wait(lambda: fleet.counted() > 40)
        earlier = fleet.told()
        with refused(cluster, name):
            cluster.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}" OWNER exporter')
        before, copied = fleet.counted(), monotonic()
        # Leases that were not renewed since the copy do not show that it is older.
        fleet.wait(
            lambda: fleet.counted() > before + 100 and monotonic() > copied + RENEW_EVERY + 1
        )
        with refused(cluster, name):
            cluster.execute(f'ALTER DATABASE "{copy}" ALLOW_CONNECTIONS false')
            cluster.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_lost"')
            cluster.execute(f'ALTER DATABASE "{copy}" RENAME TO "{name}"')
            fleet.wait(lambda: all(cannot_renew(run) for run in fleet.live))
        fleet.wait(lambda: any(run.events("ledger_replaced") for run in fleet.live))
        fleet.wait(fleet.all_up)
    fleet.wait(fleet.settled)
    # By who holds accounts; a standby may not see it, as it has nothing in memory.
    reasons = [each["reason"] for run in fleet.live for each in run.events("ledger_replaced")]
    assert set(reasons) == {"went back"}
    assert len(reasons) <= len(fleet.live)
    # What the copy did not have is told again; and once more, if another one claims an account as
    # its holder, whose lease has run out in the copy, has told that but not noted it.
    fleet.check(times=3)
    told = fleet.told()
    # If it was told but not noted when the copy was made.
    assert max(told[each] for each in earlier) <= 2
