from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import DURATION_BUCKETS, KNOWN_ACTION_TYPES, Status
from exporter.ledger.records import Histogram, SumKey, SumName
from exporter.ledger.snapshot import build, with_counters
from exporter.ledger.state import ZEROS_FOR
from exporter.ledger.unit_of_work import resulting_sums
from tests.ledger.conftest import a_state, a_unit, an_action, an_options, context

Maker = Callable[..., Any]

bounds = st.lists(
    st.sampled_from((0.5, 1.0, 5.0, 7.0, 60.0, 604_801.25, 604_801.5, 1e9)), min_size=1, unique=True
).map(lambda found: tuple(sorted(found)))
durations = st.lists(st.sampled_from((0.0, 0.5, 3.0, 6.0, 59.0, 604_801.4, 604_801.5, 2e9)))


def _below(histogram: Histogram) -> dict[float, int]:
    """Return how many observations are at most each bound."""
    named = DURATION_BUCKETS if histogram.bounds is None else histogram.bounds
    return dict(zip((*named, float("inf")), accumulate(histogram.counts), strict=True))


@given(st.lists(st.tuples(bounds | st.just(DURATION_BUCKETS), durations), min_size=1, max_size=5))
def test_no_bucket_falls_whatever_bounds_come_and_go(
    configured: list[tuple[tuple[float, ...], list[float]]],
) -> None:
    """A bound counts nothing above it, all of what was observed with it, and never falls."""
    state = a_state()
    last: dict[float, int] = {}
    observed: list[float] = []
    for buckets, seconds in configured:
        unit = replace(a_unit(state, 3e9), duration_buckets=buckets)
        for number, each in enumerate(seconds):
            name = f"{len(observed)}-{number}"
            context(unit, an_action(name, "completed", created_at=100.0, updated_at=100.0 + each))
        state.apply(unit, resulting_sums(unit, state.sums))
        observed += seconds
        snapshot = build(state, an_options(duration_buckets=buckets), 3e9)
        shown = snapshot.durations["enable", Status.COMPLETED]
        below = _below(shown)
        assert list(below.values()) == sorted(below.values())
        assert below[float("inf")] == len(observed)
        assert shown.sum == pytest.approx(sum(observed))
        for bound in buckets:
            assert last.get(bound, 0) <= below[bound] <= sum(each <= bound for each in observed)
            assert below[bound] - last.get(bound, 0) >= sum(each <= bound for each in seconds)
        last |= below


def test_all_that_was_counted_is_kept_by_a_bound_that_stays(make_options: Maker) -> None:
    """What other bounds did in the meantime is of no concern to it."""
    state = a_state(
        sums={
            SumKey(SumName.DURATION_BUCKET, "enable", "failed/60"): 3.0,
            SumKey(SumName.DURATION_BUCKET, "enable", "failed/300"): 2.0,
            SumKey(SumName.DURATION_BUCKET, "enable", "failed/+Inf"): 1.0,
            SumKey(SumName.DURATION_SUM, "enable", "failed"): 9999.0,
        }
    )
    options = make_options(duration_buckets=(60.0, 1000.0))
    shown = build(state, options, 200.0).durations["enable", Status.FAILED]
    assert shown == Histogram((3, 2, 1), 9999.0, (60.0, 1000.0))


def test_only_types_that_were_seen_or_named_are_exported(make_options: Maker) -> None:
    """A sum of 0 is no sight: audits ask for every documented type."""
    state = a_state(
        sums={
            SumKey(SumName.KNOWN, "disable", "completed"): 7.0,
            SumKey(SumName.KNOWN, "set_standby", "completed"): 0.0,
            SumKey(SumName.FAILED, "brand_new", "other"): 1.0,
        }
    )
    options = make_options(seen_only=True, named=frozenset({"enable_voice"}))
    snapshot = build(state, options, 200.0)
    types = {"disable", "brand_new", "enable_voice"}
    assert set(snapshot.created) == set(snapshot.completed) == set(snapshot.stuck) == types
    for labelled in (snapshot.actions, snapshot.failed, snapshot.interrupted, snapshot.durations):
        assert {each for each, _ in labelled} == types
    assert snapshot.failed["brand_new", "other"] == 1
    assert "connectivity" in snapshot.problems_opened
    filtered = make_options(seen_only=True, action_types=("enable",))
    assert set(build(state, filtered, 200.0).created) == {"enable"}
    assert {*KNOWN_ACTION_TYPES, "brand_new"} < set(build(state, make_options(), 200.0).created)


def test_counters_of_a_new_type_are_zero_until_they_were_scraped(
    make_state: Maker, make_options: Maker
) -> None:
    """What is in progress shows at once; what was counted before the process began, too."""
    options = make_options(seen_only=True)
    state = make_state(sums={SumKey(SumName.CREATED, "disable"): 4.0})
    unit = context(a_unit(state, 20.0), an_action("f", "failed"), an_action("p"))
    state.apply(unit, resulting_sums(unit, state.sums))
    first = build(state, options, 120.0)
    state.published(120.0)
    assert first.actions["enable", Status.IN_PROGRESS] == 1
    assert first.created == {"enable": 0, "disable": 4}
    assert not any(first.failed.values())
    assert not any(first.durations["enable", Status.FAILED].counts)
    assert not first.failed_exemplars
    just_before = with_counters(first, state, options, 120.0 + ZEROS_FOR - 0.1)
    assert just_before.created == first.created
    after = with_counters(first, state, options, 120.0 + ZEROS_FOR)
    assert after.created == {"enable": 2, "disable": 4}
    assert after.failed["enable", "none"] == 1
    assert after.failed_exemplars
    assert after == with_counters(first, state, make_options(seen_only=True), 1e6)


async def test_a_type_that_was_counted_before_a_restart_is_counted_at_once(
    open_account: Maker, make_action: Maker
) -> None:
    """A counter that fell to 0 would look like a reset, and be counted twice."""
    account = open_account()
    await account.saw(make_action("f", "failed"), at=120.0)
    again = account.kept()
    assert build(again, an_options(seen_only=True), 121.0).created["enable"] == 1


@pytest.mark.parametrize("seen_only", [True, False])
async def test_a_new_type_is_zero_from_when_it_is_published(
    open_account: Maker, make_action: Maker, *, seen_only: bool
) -> None:
    """However long its poll took; an undocumented type has no zeros before in any case."""
    account = open_account(options=an_options(seen_only=seen_only))
    shown = []
    times = ((120.0, 420.0), (480.0, 480.0), (509.0, 509.0), (510.0, 510.0), (430.0, 430.0))
    for at, published in times:
        actions = [make_action("f", "failed", action_type="brand_new")] if at == 120.0 else []
        await account.saw(*actions, at=at, published=published)
        shown.append(account.ledger.snapshot.created["brand_new"])
    assert shown == [0, 0, 0, 1, 1], "also when the clock is set back"


@pytest.mark.parametrize("how", ["error", "reload"])
async def test_a_state_that_is_read_again_goes_on_with_zeros(
    open_account: Maker, make_action: Maker, how: str
) -> None:
    """Unlike after a restart, it is known what was published."""
    options = an_options(seen_only=True)
    account = open_account(options=options)
    await account.saw(make_action("f", "failed"), at=120.0)
    if how == "error":
        with pytest.raises(ZeroDivisionError):
            await account.ledger.in_worker(lambda: 1 / 0)
    else:
        before, account = account, open_account(store=account.store, options=options)
        account.ledger.go_on_from(before.ledger)
    await account.saw(make_action("g", "failed", action_type="disable"), at=180.0)
    assert account.ledger.snapshot.created == {"enable": 0, "disable": 0}
    await account.saw(at=210.0)
    assert account.ledger.snapshot.created == {"enable": 1, "disable": 0}
    await account.saw(at=270.0)
    assert account.ledger.snapshot.created == {"enable": 1, "disable": 1}


async def test_a_counter_does_not_fall_where_a_reload_leaves_out_more(
    open_account: Maker, make_action: Maker
) -> None:
    """What was published with its count stays so."""
    before = open_account()
    await before.saw(make_action("f", "failed"), at=120.0)
    assert before.ledger.snapshot.created["enable"] == 1
    account = open_account(store=before.store, options=an_options(seen_only=True))
    account.ledger.go_on_from(before.ledger)
    await account.saw(at=121.0)
    assert account.ledger.snapshot.created["enable"] == 1
