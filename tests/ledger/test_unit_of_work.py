from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import DURATION_BUCKETS, EventType
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import GONE, Exemplar, SumKey, SumName
from exporter.ledger.rules import observe
from exporter.ledger.unit_of_work import UnitOfWork, resulting_sums

Maker = Callable[..., Any]
KEYS = st.sampled_from(
    [SumKey(SumName.KNOWN, type_label, "failed") for type_label in ("a", "b", "c")]
)
AMOUNTS = st.dictionaries(KEYS, st.integers(-1000, 1000).map(float))


def counted(unit: UnitOfWork) -> dict[SumKey, float]:
    """Return the sums and amounts of a unit of work that are not 0."""
    return {key: more for key, more in (*unit.sums.items(), *unit.amounts.items()) if more}


def test_a_new_draft_is_empty(make_unit: Maker) -> None:
    """Nothing seen is nothing to commit, and so is a place in the listing alone."""
    unit = make_unit()
    unit.positions["a"] = 3
    assert unit.empty


@pytest.mark.parametrize("field", ["baseline_at", "audit_at"])
def test_a_time_alone_is_worth_a_commit(make_unit: Maker, field: str) -> None:
    """A baseline of an account without actions is kept, and so is an audit without a finding."""
    unit = make_unit()
    setattr(unit, field, 0.0)
    assert not unit.empty


def test_an_action_that_failed_between_two_polls(
    make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """It counts as created and failed, is measured twice, told of, and stands as exemplar."""
    unit = new_in(make_unit(now=120.0), make_action(status="failed", reason="No funds"))
    failed = SumKey(SumName.FAILED, "enable", "insufficient_funds")
    assert counted(unit) == {
        SumKey(SumName.KNOWN, "enable", "failed"): 1,
        SumKey(SumName.CREATED, "enable"): 1,
        failed: 1,
        SumKey(SumName.DURATION_BUCKET, "enable", "failed/15"): 1,
        SumKey(SumName.DURATION_SUM, "enable", "failed"): 10.0,
        SumKey(SumName.DELAY_BUCKET, "", "10"): 1,
        SumKey(SumName.DELAY_SUM, ""): 10.0,
    }
    assert unit.exemplars == {failed: Exemplar("a", "sim", 110.0)}
    (event,) = unit.events
    assert (event.event_type, event.account, event.reason) == (EventType.FAILED, "main", "No funds")
    assert (event.reason_class, event.duration_seconds) == ("insufficient_funds", 10.0)


def test_completed_is_counted_and_not_told_of(
    make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """An action that went well is no event."""
    unit = new_in(make_unit(), make_action(status="completed"))
    assert unit.sums[SumKey(SumName.COMPLETED, "enable")] == 1
    assert unit.events == []


@pytest.mark.parametrize(
    ("duration", "bucket"),
    [
        pytest.param(-5.0, "1", id="a clock went back"),
        pytest.param(0.0, "1", id="at once"),
        pytest.param(1.0, "1", id="on a bound"),
        pytest.param(1.5, "5", id="between two"),
        pytest.param(DURATION_BUCKETS[-1], "86400", id="on the last bound"),
        pytest.param(1e6, "+Inf", id="above all"),
    ],
)
def test_durations_fall_into_their_bucket(
    make_unit: Maker, make_action: Maker, new_in: Maker, duration: float, bucket: str
) -> None:
    """A bucket takes what is up to its bound; a negative duration is none."""
    unit = new_in(make_unit(), make_action(status="failed", updated_at=100.0 + duration))
    assert unit.sums[SumKey(SumName.DURATION_BUCKET, "enable", f"failed/{bucket}")] == 1
    total = unit.amounts[SumKey(SumName.DURATION_SUM, "enable", "failed")]
    assert total == max(0.0, duration)


def test_an_end_without_times_counts_and_is_not_measured(
    make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """Where the API leaves the times out, nothing is made up."""
    action = make_action(status="failed", created_at=None, updated_at=None)
    unit = new_in(make_unit(now=120.0), action)
    assert {key.metric for key in counted(unit)} == {SumName.KNOWN, SumName.CREATED, SumName.FAILED}
    assert [exemplar.timestamp for exemplar in unit.exemplars.values()] == [120.0]


def test_a_change_moves_the_known_total(
    make_unit: Maker, make_action: Maker, make_row: Maker
) -> None:
    """What was in progress and has failed is taken from one total and put to the other."""
    unit = make_unit()
    found = observe(make_row(), make_action(status="failed"), history=False, now=120.0)
    unit.apply(found, new_row=False)
    assert unit.sums[SumKey(SumName.KNOWN, "enable", "in-progress")] == -1
    assert unit.sums[SumKey(SumName.KNOWN, "enable", "failed")] == 1
    assert not unit.added


def test_a_type_told_late_leaves_no_remainder(
    make_unit: Maker, make_action: Maker, make_row: Maker
) -> None:
    """The total that the action was in is the one that it is taken from."""
    unit = make_unit()
    known = make_row(action_type="")
    found = observe(known, make_action(status="failed"), history=False, now=120.0)
    unit.apply(found, new_row=False)
    assert unit.sums[SumKey(SumName.KNOWN, "", "in-progress")] == -1
    assert unit.sums[SumKey(SumName.KNOWN, "enable", "failed")] == 1


def test_history_that_totals_hold_already_makes_its_type_known(
    make_unit: Maker, make_action: Maker
) -> None:
    """It adds nothing, though a sum is written, so that its type is named after a restart."""
    unit = make_unit()
    action = make_action(status="failed", action_type="odd")
    found = observe(None, action, history=True, now=120.0, keep=True)
    unit.apply(found, new_row=True, counted=False)
    assert counted(unit) == {}
    assert {key.action_type for key in unit.sums} == {"odd"}


def test_an_action_that_vanishes_counts_as_nothing(make_unit: Maker, make_row: Maker) -> None:
    """It is known no more, but stays remembered; the given row is not touched."""
    unit = make_unit(now=1100.0)
    row = make_row()
    unit.mark_gone(row)
    assert (unit.rows["a"].status, unit.rows["a"].ended_at) == (GONE, 1100.0)
    assert row.status == "in-progress"
    assert counted(unit) == {SumKey(SumName.KNOWN, "enable", "in-progress"): -1}


@pytest.mark.parametrize(
    ("status", "entered"), [("in-progress", {}), ("failed", {"failed": 1})], ids=str
)
def test_an_action_that_vanished_and_shows_up_again_goes_on(
    make_unit: Maker, make_row: Maker, make_action: Maker, status: str, entered: dict[str, int]
) -> None:
    """It is not new, and counts when it ends; nothing was known of it in between."""
    unit = make_unit()
    unit.mark_gone(make_row())
    found = observe(
        unit.rows["a"], make_action("a", status, updated_at=9e9), history=False, now=9e9
    )
    unit.apply(found, new_row=False)
    assert unit.sums[SumKey(SumName.KNOWN, "enable", status)] == int(bool(entered))
    assert sum(n for key, n in unit.sums.items() if key.metric is SumName.CREATED) == 0
    assert {
        key.metric.value: n for key, n in unit.sums.items() if key.metric is SumName.FAILED
    } == entered


def test_stuck_is_noted_on_the_row_and_told(make_unit: Maker, make_row: Maker) -> None:
    """The event says for how long the action has been in progress; the given row is not touched."""
    unit = make_unit(now=1100.0)
    row = make_row()
    unit.stuck(row, 1000.0)
    assert unit.rows["a"].stuck
    assert not row.stuck
    assert [(e.event_type, e.duration_seconds) for e in unit.events] == [(EventType.STUCK, 1000.0)]


@given(before=AMOUNTS, known=AMOUNTS, sums=AMOUNTS, amounts=AMOUNTS)
def test_resulting_sums(
    before: dict[SumKey, float],
    known: dict[SumKey, float],
    sums: dict[SumKey, float],
    amounts: dict[SumKey, float],
) -> None:
    """A sum is what it was set to, or else was, and what came to it; others are not named."""
    unit = UnitOfWork("main", Reasons(()), str, 0.0)
    unit.known.update(known)
    unit.sums.update({key: int(more) for key, more in sums.items()})
    unit.amounts.update(amounts)
    assert resulting_sums(unit, before) == {
        key: known.get(key, before.get(key, 0)) + sums.get(key, 0) + amounts.get(key, 0)
        for key in {*known, *sums, *amounts}
    }


def test_what_counts_in_the_baseline_is_later_than_that(
    make_unit: Maker, make_action: Maker, new_in: Maker
) -> None:
    """So that its row tells it from history, which was seen at the very time of the baseline."""
    unit = make_unit(now=120.0)
    unit.baseline_at = 120.0
    counted_row = new_in(unit, make_action("new", status="failed")).rows["new"]
    assert counted_row.seen_at > 120.0
    assert counted_row.ended_at > 120.0
    unit.apply(observe(None, make_action("old"), history=True, now=120.0), new_row=True)
    assert unit.rows["old"].seen_at == 120.0
    later = new_in(make_unit(now=180.0), make_action(status="failed")).rows["a"]
    assert (later.seen_at, later.ended_at) == (180.0, 180.0)
