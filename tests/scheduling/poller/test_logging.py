from collections.abc import Callable
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import (
    Cause,
    StateError,
    UnavailableError,
)
from exporter.ledger.records import Sweep
from exporter.scheduling.poller import ReportedState
from exporter.simulator.faults import Fault
from exporter.sync.progress import Progress, Stage

OpenAccount = Callable[..., Any]
SECRET = "KEY-of-the-test"


async def test_the_baseline_is_told_once(rig: Any) -> None:
    """The first poll of an account is told with what is in progress, also after a restart once."""
    rig.account.world.create(3)
    poller = rig.poller()
    await poller.poll()
    await poller.poll()
    await rig.restart().poll()
    assert [event["in_progress"] for event in rig.reported("baseline_taken")] == [3]


async def test_the_baseline_is_told_though_the_poll_that_took_it_fails(rig: Any) -> None:
    """The next poll that succeeds tells it."""
    rig.account.world.create(3)
    poller = rig.poller()
    rig.cycle.late_error = UnavailableError("connection refused")
    await poller.poll()
    assert rig.account.ledger.state.baseline_at is not None
    assert not rig.reported("baseline_taken")
    rig.cycle.late_error = None
    await poller.poll()
    await poller.poll()
    assert [event["in_progress"] for event in rig.reported("baseline_taken")] == [3]


async def test_the_baseline_is_told_by_who_took_it(rig: Any) -> None:
    """An exporter that could not poll the account before another one took it tells nothing."""
    reported = ReportedState("test", rig.event_log)
    rig.cycle.errors = [UnavailableError("connection refused")]
    await rig.poller(reported).poll()
    await rig.restart().poll()
    assert len(rig.reported("baseline_taken")) == 1
    await rig.restart(reported).poll()
    assert len(rig.reported("baseline_taken")) == 1


def test_a_long_poll_tells_every_ten_seconds_how_far_it_is(rig: Any) -> None:
    """Of how many, and how long yet; one that is soon done tells nothing."""
    reported = ReportedState("test", rig.event_log)
    for seconds in range(25):
        reported.note_progress(Progress(unseen=5, seconds=seconds))
    assert not rig.reported("catching_up")
    for seconds in [*range(25), *range(12)]:  # two polls
        done = 100 * seconds
        reported.note_progress(Progress(1, Stage.CATCH_UP, done, total=4_000, seconds=seconds))
    told = [(each["done"], each["seconds_left"]) for each in rig.reported("catching_up")]
    assert told == [(1_000, 30), (2_000, 20), (1_000, 30)]
    assert {(e["total"], e["stage"]) for e in rig.reported("catching_up")} == {(4_000, "catch_up")}


async def test_each_failure_is_told_once(rig: Any) -> None:
    """However many polls and restarts follow, a failure has one line."""
    poller = rig.poller()
    await poller.poll()
    ids = rig.fail_some(1200)
    await poller.poll()
    await poller.poll()
    await rig.restart().poll()
    assert sorted(await rig.failures()) == sorted(ids)


@pytest.mark.parametrize(
    "error", [UnavailableError("HTTP 503"), LookupError("defect")], ids=["outage", "defect"]
)
async def test_a_failing_poll_still_tells_what_it_committed(rig: Any, error: Exception) -> None:
    """What was committed before the poll failed is told, as it is counted."""
    await rig.poller().poll()
    ids = rig.fail_some(2)
    rig.cycle.late_error = error
    await rig.poller().poll()
    assert sorted(await rig.failures()) == sorted(ids)
    assert not rig.telemetry.health().up


async def test_a_state_that_cannot_be_read_is_said_and_passes(rig: Any) -> None:
    """Errors of the state database fail the poll with cause state; afterwards nothing is lost."""
    poller = rig.poller()
    await poller.poll()
    ids = rig.fail_some(2)
    rig.cycle.errors = [StateError("disk full"), StateError("disk full")]
    await poller.poll()
    await poller.poll()
    assert rig.telemetry.health().poll_failures[Cause.STATE] == 2
    await poller.poll()
    assert set(await rig.failures()) == set(ids)
    assert sum(rig.account.snapshot.failed.values()) == 2


async def test_what_ended_long_ago_is_forgotten(rig: Any) -> None:
    """After the retention ended actions go, what is in progress stays, and no counter changes.

    The SIM cards of the failed ones have problems, each of which names its latest action, until
    those are forgotten.
    """
    poller = rig.poller()
    await poller.poll()
    rig.fail_some(5)
    rig.account.world.create(2)
    await poller.poll()
    assert rig.account.ledger.state.tracked == 7
    rig.account.clock.advance(rig.budget.retention + 1)
    await poller.poll()
    await poller.poll()
    problems = {each.action_id for each in rig.account.snapshot.problems}
    assert rig.account.snapshot.tracked == 2 + len(problems - rig.account.ledger.state.open.keys())
    assert sum(rig.account.snapshot.failed.values()) == 5


async def test_missing_actions_are_told(rig: Any) -> None:
    """A total that promises more than its listing shows is a line in the log."""
    rig.account.world.create(30)
    poller = rig.poller()
    await poller.poll()
    faults = rig.account.simulator.faults
    rig.account.world.create(20)
    faults.settings = faults.settings.changed(malformed=0.5)
    await poller.poll()
    (reported,) = rig.reported("actions_not_found")
    assert reported["count"] == 20 - sum(rig.account.snapshot.created.values())


async def test_missing_actions_are_told_once_an_hour(rig: Any) -> None:
    """Each poll lacks some of those that its total promises: the log has a line an hour."""
    poller = rig.poller()
    await poller.poll()
    faults = rig.account.simulator.faults
    faults.settings = faults.settings.changed(malformed=0.5)
    reported = []
    for _ in range(13):
        rig.account.clock.advance(600)
        rig.account.world.create(20)
        await poller.poll()
        reported.append(len(rig.reported("actions_not_found")))
    assert reported == [*[1] * 6, *[2] * 6, 3]


async def test_missing_totals_are_told_once(rig: Any) -> None:
    """However often the API stops to tell them, it is one line."""
    poller = rig.poller()
    await poller.poll()
    assert not rig.reported("totals_missing")
    faults = rig.account.simulator.faults
    for share in (1.0, 1.0, 0.0, 1.0):
        faults.settings = faults.settings.changed(totals_missing=share)
        await poller.poll()
    (reported,) = rig.reported("totals_missing")
    assert (reported["account"], reported["level"]) == ("test", "warning")


async def test_a_sweep_that_is_given_up_is_told(rig: Any) -> None:
    """Each poll in which one was given up has a line, and no other; the poll itself is well."""
    poller = rig.poller()
    await poller.poll()
    sweeps = rig.account.ledger.state.sweeps
    for polls in (1, 2):
        sweeps["enable", Status.COMPLETED] = Sweep(1, 5)
        rig.account.simulator.faults.script(None, Fault.BLOCKED)
        for _ in range(3):
            await poller.poll()
            assert rig.telemetry.health().up
            assert len(rig.reported("sweep_given_up")) == polls
    for reported in rig.reported("sweep_given_up"):
        assert reported["account"] == "test"
        assert reported["error"].startswith("enable, completed: ")
        assert reported.keys() == {"event", "level", "timestamp", "account", "error"}
