"""What an observation of a bulk action means."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from exporter.domain import BulkAction, BulkCounts, ListedBulk, Status
from exporter.ledger.bulks import (
    KEPT,
    MAX_BULK_TYPES,
    bulk_types,
    forgettable,
    is_news,
    observe_bulk,
    pace_of,
    since_after,
)
from exporter.ledger.snapshot import build
from exporter.ledger.state import LedgerState
from tests.ledger.conftest import Account, an_options

CREATED = 1_000.0
SEEN = ListedBulk("b", "bulk_set_public_ips", CREATED, None)
RUNNING = BulkCounts(in_progress=3, completed=1)
DONE = BulkCounts(completed=3, failed=1)


def seen_at(known: BulkAction | None, counts: BulkCounts, now: float) -> BulkAction:
    """Return what is known once it was seen then, on clocks that agree."""
    return observe_bulk(known, SEEN, counts, now=now, api_now=now)


def a_state(*bulks: BulkAction) -> LedgerState:
    """Return the state of an account with these bulk actions."""
    state = LedgerState("main", 1, 0.0, 0.0, 0, {}, {}, {}, {}, {}, {}, ())
    state.bulks = {each.id: each for each in bulks}
    return state


@pytest.mark.parametrize(
    ("counts", "after", "in_progress"),
    [
        (RUNNING, 10, True),
        (DONE, 10, False),
        (BulkCounts(other=1, completed=5), 10, True),
        (BulkCounts(), 10, True),
        (BulkCounts(), 4_000, False),
    ],
)
def test_it_is_in_progress_while_a_member_is(
    counts: BulkCounts, after: float, *, in_progress: bool
) -> None:
    """One without members has not begun yet, for an hour."""
    assert seen_at(None, counts, CREATED + after).in_progress is in_progress


def test_the_end_is_news_once() -> None:
    """Also if an interrupted member goes on, and ends again."""
    first = seen_at(None, RUNNING, 1_010.0)
    ended = seen_at(first, DONE, 1_020.0)
    again = seen_at(ended, BulkCounts(in_progress=1, completed=3), 1_030.0)
    assert again.in_progress
    at_last = seen_at(again, DONE, 1_040.0)
    assert not at_last.in_progress
    assert at_last.ended_at == 1_020.0
    steps = [(None, first), (first, ended), (ended, again), (again, at_last)]
    assert [is_news(before, after, 0.0) for before, after in steps] == [False, True, False, False]


@pytest.mark.parametrize(("since", "news"), [(None, False), (CREATED, False), (CREATED - 1, True)])
def test_one_that_had_ended_is_news_if_it_is_new(since: float | None, *, news: bool) -> None:
    """Not when the list is read for the first time, nor if it is older than that."""
    assert is_news(None, seen_at(None, DONE, 1_010.0), since) is news


def test_what_was_forgotten_is_history() -> None:
    """As is what was created before it, and what may be the same: it has no time."""
    ended = seen_at(None, DONE, 1_010.0)
    undated = structs.replace(ended, created_at=None)
    since = since_after(500.0, [ended, undated])
    newer = structs.replace(ended, created_at=CREATED + 1)
    assert [is_news(None, each, since) for each in (ended, undated, newer)] == [False, False, True]
    assert since_after(2_000.0, [ended]) == 2_000.0
    assert since_after(500.0, [structs.replace(ended, created_at=1e12)]) == 1_010.0
    assert since_after(None, [ended]) is None


def test_it_stalls_when_no_member_ends() -> None:
    """As it was read last: what was not read since is no reason."""
    options = an_options(stuck_after={"set_public_ip": 60.0}, stuck_after_default=1e9)
    bulk = seen_at(None, RUNNING, 1_010.0)
    assert not options.is_stalled(seen_at(bulk, RUNNING, 1_070.0))
    stalled = seen_at(bulk, RUNNING, 1_071.0)
    assert options.is_stalled(stalled)
    snapshot = build(a_state(stalled), options, 1_071.0)
    assert snapshot.bulks_stalled["bulk_set_public_ips"] == 1
    assert snapshot.stalled_bulks == {"b"}
    more = BulkCounts(in_progress=2, completed=2)
    assert not options.is_stalled(seen_at(stalled, more, 1_080.0))
    assert not options.is_stalled(seen_at(stalled, DONE, 1_200.0))
    none_yet = seen_at(None, BulkCounts(in_progress=4), CREATED + 61)
    assert options.is_stalled(none_yet)


def test_pace_and_time_left() -> None:
    """On average since it was created; unknown before the first end."""
    bulk = seen_at(None, BulkCounts(in_progress=30, completed=10), CREATED + 120)
    pace = pace_of(bulk, CREATED + 120)
    assert (pace.ended_a_minute, pace.seconds_left) == (5.0, 360.0)
    for_nothing = seen_at(None, BulkCounts(in_progress=30), CREATED + 120)
    assert pace_of(for_nothing, CREATED + 120).seconds_left is None
    assert pace_of(bulk, CREATED - 5).seconds_left is None


def test_the_share_is_that_of_the_worst_in_progress() -> None:
    """Not diluted by a large one; of one that stalls, has ended or has just begun, none."""
    options = an_options(stuck_after={"set_public_ip": 60.0})
    well = seen_at(None, BulkCounts(in_progress=5_000, completed=5_000), 1_010.0)
    badly = structs.replace(well, id="c", counts=BulkCounts(40, 0, 40, 20))
    begun = structs.replace(well, id="d", counts=BulkCounts(40, 0, 19))
    ended = structs.replace(badly, id="e", counts=DONE, ended_at=1_010.0)

    def share(*bulks: BulkAction, **more: Any) -> float | None:
        snapshot = build(a_state(*bulks), replace(options, **more), 1_020.0)
        return snapshot.bulk_failure_ratio.get("bulk_set_public_ips")

    assert share(well, badly, begun) == 1.0
    assert share(structs.replace(badly, counts=BulkCounts(1, 75, 15, 10))) == 0.25
    assert share(well, begun, ended) == 0.0
    assert share(structs.replace(badly, read_at=2_000.0)) == 0.0
    assert share(badly, statuses=(Status.FAILED,)) is None


def test_differences_do_not_cancel_out() -> None:
    """The larger sum of one sign is the drift, of the types that are exported."""
    bulk = seen_at(None, DONE, 1_010.0)
    drifts = [2, 1, -1, -1]
    bulks = [structs.replace(bulk, id=f"{n}", drift=drift) for n, drift in enumerate(drifts)]
    state = a_state(*bulks)
    assert build(state, an_options(), 1_020.0).drift["interrupted"] == 3
    hidden = an_options(action_types=("enable_voice",))
    assert build(state, hidden, 1_020.0).drift["interrupted"] == 0


def test_those_that_stall_are_shown_first() -> None:
    """However many newer ones are in progress; then the newest."""
    options = an_options(stuck_after={"set_public_ip": 60.0})
    stalled = structs.replace(seen_at(None, RUNNING, 1_010.0), read_at=1_100.0)
    newer = [
        structs.replace(stalled, id=f"n{n:03}", created_at=1_090.0 + n / 100, changed_at=1_100.0)
        for n in range(60)
    ]
    snapshot = build(a_state(stalled, *newer), options, 1_100.0)
    assert [each.id for each in snapshot.bulks[:3]] == ["b", "n059", "n058"]
    assert snapshot.stalled_bulks == {"b"}


def test_series_are_there_from_the_start_and_bounded() -> None:
    """Zeros for the documented types; a type of its own for some more, then `other`."""
    options = an_options()
    snapshot = build(a_state(), options, 0.0)
    assert set(snapshot.bulk_counts.values()) == {0}
    assert ("bulk_enable_voice", "ended") in snapshot.bulk_counts
    assert ("bulk_enable_voice", "interrupted") in snapshot.bulk_members
    bulks = [
        structs.replace(seen_at(None, RUNNING, 1.0), id=f"{n}", action_type=f"bulk_new_{n:03}")
        for n in range(100)
    ]
    snapshot = build(a_state(*bulks), options, 0.0)
    assert len(bulk_types(bulks)) == MAX_BULK_TYPES
    assert snapshot.bulk_counts["bulk_new_000", "in-progress"] == 1
    assert snapshot.bulk_counts["other", "in-progress"] == 100 - (MAX_BULK_TYPES - 3)
    assert sum(snapshot.bulk_members.values()) == 400


def test_a_new_type_takes_no_place() -> None:
    """First come, first kept, whatever its name; and a text of any length names no series."""
    bulks = [
        structs.replace(seen_at(None, RUNNING, 1.0 + n), id=f"{n}", action_type=f"bulk_z{n:02}")
        for n in range(MAX_BULK_TYPES)
    ]
    before = bulk_types(bulks)
    newer = structs.replace(seen_at(None, RUNNING, 50.0), id="new", action_type="bulk_a")
    assert bulk_types([newer, *bulks]) == before
    long = structs.replace(bulks[0], action_type="x" * 100_000)
    assert "x" * 100_000 not in bulk_types([long])
    for filters in ((), (long.action_type,)):
        snapshot = build(a_state(long), an_options(action_types=filters), 0.0)
        assert snapshot.bulk_counts["other", "in-progress"] == 1


def test_without_bulk_actions_there_are_no_series() -> None:
    """`bulk_actions: false` asks for none, so a 0 would be no truth."""
    snapshot = build(a_state(), an_options(bulk_actions=False), 0.0)
    series = (snapshot.bulk_counts, snapshot.bulk_members, snapshot.bulks_stalled)
    assert not any(series)


async def test_who_reads_them_again_begins_anew(open_account: Callable[..., Account]) -> None:
    """Without bulk actions, what was known of them is forgotten: all that ends is history."""
    account = open_account()
    await account.ledger.open(0.0)
    unit = account.ledger.begin(0.0)
    unit.bulk_seen(None, seen_at(None, RUNNING, 1_010.0), since=None)
    unit.bulks_since = 900.0
    await account.ledger.commit(unit)
    await account.ledger.forget(1.0)
    assert [*account.kept().bulks, account.kept().bulks_since] == ["b", 900.0]
    without = open_account(store=account.store, options=an_options(bulk_actions=False))
    await without.ledger.open(0.0)
    await without.ledger.forget(1.0)
    assert (without.kept().bulks, without.kept().bulks_since) == ({}, None)


def test_old_ones_are_forgotten_but_not_the_newest() -> None:
    """A page of the list shows those; it would bring them back as new ones. Nor those that run."""
    ended = structs.replace(seen_at(None, DONE, 1_010.0), ended_at=1_010.0)
    bulks = [structs.replace(ended, id=f"{n:03}", created_at=float(n)) for n in range(KEPT + 10)]
    bulks[0] = structs.replace(bulks[0], counts=RUNNING)
    bulks[1] = structs.replace(bulks[1], ended_at=9_000.0)
    assert sorted(forgettable(bulks, 5_000.0)) == [f"{n:03}" for n in range(2, 10)]
    assert forgettable(bulks[-KEPT:], 1e12) == ()


def test_filters_of_the_account_hold_for_bulk_actions() -> None:
    """By the type of their members, and by the members' statuses."""
    bulks = [
        structs.replace(seen_at(None, RUNNING, 1.0), id=each, action_type=each)
        for each in ("bulk_set_public_ips", "bulk_enable_voice", "bulk_other")
    ]
    options = an_options(action_types=("set_public_ip",), statuses=(Status.COMPLETED,))
    snapshot = build(a_state(*bulks), options, 1.0)
    assert +Counter(snapshot.bulk_counts) == {("bulk_set_public_ips", "in-progress"): 1}
    assert dict(snapshot.bulk_members) == {("bulk_set_public_ips", "completed"): 1}
    assert [each.id for each in snapshot.bulks] == ["bulk_set_public_ips"]
    assert not an_options(action_types=("enable",)).shows_bulks
    assert an_options(action_types=("bulk_other",)).shows_bulk("bulk_other")
