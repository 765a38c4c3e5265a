from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from exporter.domain import (
    BulkAction,
    BulkCounts,
    Problem,
    ProblemStatus,
    ResolvedProblem,
    SimCard,
    Status,
)
from exporter.errors import StateError
from exporter.ledger.queries import ActionQuery, LedgerView
from exporter.ledger.records import (
    ENTRY_SUMS,
    Exemplar,
    ListCursor,
    ListFilter,
    SortOrder,
    SumKey,
    SumName,
    Sweep,
    TrackedAction,
    TypeStatus,
)
from exporter.ledger.state import RESOLVED_SHOWN, LedgerState
from exporter.ledger.store.protocol import LedgerStore
from tests.ledger.store.contract import StatePlace, a_bare_unit, an_event

Maker = Callable[..., Any]
Begin = Callable[[], AbstractContextManager[StatePlace]]

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
TIMES = st.none() | st.floats(0, 4e9)
ROWS = st.builds(
    TrackedAction,
    id=TEXTS.filter(bool),
    sim_card_id=TEXTS,
    action_type=TEXTS,
    status=TEXTS,
    reason=st.none() | TEXTS,
    created_at=TIMES,
    updated_at=TIMES,
    seen_at=st.floats(0, 4e9),
    ended_at=TIMES,
    position=st.none() | st.integers(0, 2**62),
    stuck=st.booleans(),
    failure_at=TIMES,
    failure_status=st.sampled_from(["", "failed", "interrupted"]),
)
PROBLEMS = st.builds(
    Problem,
    sim_card_id=TEXTS,
    concern=TEXTS,
    status=st.sampled_from(ProblemStatus),
    opened_at=st.floats(0, 4e9),
    attempts=st.integers(0, 2**31),
    action_id=TEXTS,
    action_type=TEXTS,
    reason=TEXTS,
    reason_class=TEXTS,
    started_at=st.floats(0, 4e9),
    retrying=st.just(False),  # noqa: FBT003 - it is not kept
    changed_at=st.floats(0, 4e9),
)
SIM_CARDS = st.builds(
    SimCard,
    id=TEXTS,
    iccid=TEXTS,
    group=TEXTS,
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    deleted=st.booleans(),
    looked_up_at=st.floats(0, 4e9),
)
BULKS = st.builds(
    BulkAction,
    TEXTS,
    TEXTS,
    created_at=TIMES,
    seen_at=st.floats(0, 4e9),
    changed_at=st.floats(0, 4e9),
    read_at=st.floats(0, 4e9),
    ended_at=TIMES,
    counts=st.builds(BulkCounts, *[st.integers(0, 2**40)] * 5),
    members_page=st.integers(0, 2**40),
    drift=st.integers(-(2**40), 2**40),
)
KEYS = st.builds(SumKey, st.sampled_from(SumName), TEXTS, TEXTS)
FILTERS = st.builds(ListFilter, st.none() | TEXTS.filter(bool), st.none() | st.sampled_from(Status))
COUNTS = st.integers(0, 2**62)
CURSORS = st.builds(ListCursor, st.sampled_from(SortOrder), COUNTS, TIMES, TIMES, COUNTS)
TYPE_STATUSES = st.tuples(TEXTS, st.sampled_from(Status))
SWEEPS = st.builds(Sweep, COUNTS, COUNTS)


@settings(max_examples=settings().max_examples // 5, deadline=None)
@given(
    rows=st.dictionaries(TEXTS, ROWS, max_size=5),
    known=st.dictionaries(KEYS, st.floats(allow_nan=False, allow_infinity=False), max_size=5),
    cursors=st.dictionaries(FILTERS, CURSORS, max_size=5),
    drift=st.dictionaries(TYPE_STATUSES, st.integers(-(2**40), 2**40), max_size=5),
    sweeps=st.dictionaries(TYPE_STATUSES, st.none() | SWEEPS, max_size=5),
    times=st.tuples(TIMES, TIMES),
)
def test_everything_is_there_after_reopening(
    new_place: Begin,
    rows: dict[str, TrackedAction],
    known: dict[SumKey, float],
    cursors: dict[ListFilter, ListCursor],
    drift: dict[TypeStatus, int],
    sweeps: dict[TypeStatus, Sweep | None],
    times: tuple[float | None, float | None],
) -> None:
    """What was committed is read back as it was, field by field."""
    by_id = {row.id: row for row in rows.values()}
    with new_place() as place:
        store = place.reopen()
        mine = store.load("main").account_id
        exemplars = {key: Exemplar("a", "s", 1.5) for key in list(known)[:2]}
        unit = a_bare_unit(
            rows=by_id,
            added=set(by_id),
            known=known,
            exemplars=exemplars,
            cursors=cursors,
            drift=drift,
            sweeps=sweeps,
            baseline_at=times[0],
            audit_at=times[1],
        )
        assert store.commit(mine, unit, {}) == known
        store = place.reopen()
        state = store.load("main")
        assert state.open == {id_: row for id_, row in by_id.items() if row.ended_at is None}
        assert store.find(mine, by_id) == by_id
        assert (state.sums, state.exemplars, state.cursors) == (known, exemplars, cursors)
        assert state.drift == drift
        assert state.sweeps == {key: each for key, each in sweeps.items() if each is not None}
        assert (state.baseline_at, state.audit_at, state.tracked) == (*times, len(by_id))


@settings(max_examples=settings().max_examples // 5, deadline=None)
@given(
    problems=st.lists(PROBLEMS, max_size=4),
    resolved=st.lists(PROBLEMS, max_size=3),
    cards=st.lists(SIM_CARDS, max_size=4),
    card_total=st.none() | COUNTS,
)
def test_problems_and_sim_cards_are_there_after_reopening(
    new_place: Begin,
    problems: list[Problem],
    resolved: list[Problem],
    cards: list[SimCard],
    card_total: int | None,
) -> None:
    """What was committed is read back as it was; SIM cards in full, or those that are shown."""
    now_open = {(each.sim_card_id, each.concern): each for each in problems}
    told = {(e.sim_card_id, e.concern, e.status): ResolvedProblem(e, 5.5) for e in resolved}
    by_id = {each.id: each for each in cards}
    unit = a_bare_unit(
        problems=dict(now_open),
        resolved=list(told.values()),
        sim_cards=by_id,
        sim_card_total=card_total,
    )
    with new_place() as place:
        store = place.reopen()
        mine = store.load("main").account_id
        store.commit(mine, unit, {})
        store = place.reopen()
        state = store.load("main")
        assert state.problems == now_open
        assert sorted(state.resolved, key=repr) == sorted(told.values(), key=repr)
        assert store.sim_cards(mine, [*by_id, "another"]) == by_id
        assert (state.sim_cards_known, state.sim_card_total) == (len(by_id), card_total)
        shown = {card for card, _ in now_open} | {card for card, *_ in told}
        assert state.sim_cards == {id_: by_id[id_] for id_ in shown & by_id.keys() if id_}


@settings(max_examples=settings().max_examples // 5, deadline=None)
@given(bulks=st.lists(BULKS, unique_by=lambda each: each.id), times=st.tuples(TIMES, TIMES))
def test_bulk_actions_are_there_after_reopening(
    new_place: Begin, bulks: list[BulkAction], times: tuple[float | None, float | None]
) -> None:
    """Each as it was written last, and those that ended not at all; another account has none."""
    with new_place() as place:
        store = place.reopen()
        mine = store.load("main").account_id
        read_at, since = times
        by_id: dict[str, BulkAction | None] = {each.id: each for each in bulks}
        store.commit(mine, a_bare_unit(bulks=by_id, bulks_at=read_at, bulks_since=since), {})
        state = place.reopen().load("main")
        assert (state.bulks, state.bulks_at, state.bulks_since) == (by_id, read_at, since)
        changed = {
            each.id: structs.replace(each, ended_at=5.0) if number % 2 else None
            for number, each in enumerate(bulks)
        }
        store = place.reopen()
        store.load("main")
        store.commit(mine, a_bare_unit(bulks=changed), {})
        kept = {id_: each for id_, each in changed.items() if each is not None}
        store = place.reopen()
        assert store.load("main").bulks == kept
        assert store.load("other").bulks == {}


def test_members_are_added_and_go_with_their_bulk_action(
    place: StatePlace, view: Callable[..., LedgerView], make_row: Maker
) -> None:
    """Each once, however often it is listed; those of another bulk action stay."""
    store = place.reopen()
    mine = store.load("main").account_id
    rows = {id_: make_row(id_, "interrupted" if id_ == "b" else "failed") for id_ in "abc"}
    unit = a_bare_unit(rows=rows, added=set(rows), bulk_members={"x": ("a", "b", "a"), "y": ("c",)})
    store.commit(mine, unit, {})
    store.commit(mine, a_bare_unit(bulk_members={"x": ("b", "c")}), {})
    reader = place.make_reader(5.0)

    def members(bulk_id: str) -> list[str]:
        found = reader.actions(view("main"), ActionQuery(bulk_id=bulk_id)).rows
        return sorted(row.action_id for row in found)

    assert [members(each) for each in "xyz"] == [["a", "b", "c"], ["c"], []]
    store.commit(mine, a_bare_unit(bulk_members={"x": ("unknown",)}), {})
    assert [store.count_members(mine, each) for each in "xyz"] == [(4, 3, 1), (1, 1, 0), (0, 0, 0)]
    store.forget_bulks(mine, ["x", "unknown"], 7.0)
    assert [members(each) for each in "xy"] == [[], ["c"]]
    assert place.reopen().load("main").bulks_since == 7.0


def a_problem(sim_card_id: str = "s", concern: str = "connectivity", **fields: Any) -> Problem:
    """Return a problem."""
    usual: dict[str, Any] = {
        "status": ProblemStatus.FAILED,
        "opened_at": 1.0,
        "attempts": 1,
        "action_id": "a",
        "action_type": "enable",
        "reason": "",
        "reason_class": "other",
        "started_at": 0.5,
        "retrying": False,
        "changed_at": 2.0,
    }
    return Problem(sim_card_id, concern, **(usual | fields))


def test_a_problem_is_replaced_and_ends(store: LedgerStore) -> None:
    """One for each SIM card and concern, in each account; None ends it."""
    one, two = store.load("one").account_id, store.load("two").account_id
    key = "s", "connectivity"
    for mine, problem in ((one, a_problem()), (two, a_problem()), (one, a_problem(attempts=2))):
        store.commit(mine, a_bare_unit(problems={key: problem, ("s", "voice"): None}), {})
    assert store.load("one").problems == {key: a_problem(attempts=2)}
    store.commit(one, a_bare_unit(problems={key: None}), {})
    assert store.load("one").problems == {}
    assert store.load("two").problems == {key: a_problem()}


def test_what_was_resolved_long_ago_is_not_kept(store: LedgerStore) -> None:
    """The next one that is resolved removes it."""
    mine = store.load("main").account_id
    for at, card in ((100.0, "old"), (100.0 + RESOLVED_SHOWN + 1, "new")):
        unit = a_bare_unit(resolved=[ResolvedProblem(a_problem(card), at)])
        unit.now = at
        store.commit(mine, unit, {})
    assert [each.problem.sim_card_id for each in store.load("main").resolved] == ["new"]


def test_the_actions_of_a_forgotten_problem_are_failures_no_longer(
    store: LedgerStore, make_row: Maker
) -> None:
    """Those of its SIM card and concern, and of no other."""
    mine = store.load("main").account_id
    kinds = {"a": "enable", "b": "disable", "c": "enable_voice", "d": "reset"}
    rows = {
        id_: make_row(id_, "failed", action_type=kind, failure_at=1.0, failure_status="failed")
        for id_, kind in kinds.items()
    }
    rows["e"] = make_row("e", "failed", sim_card_id="t", failure_at=1.0, failure_status="failed")
    store.commit(mine, a_bare_unit(rows=rows, added=set(rows)), {})
    store.commit(mine, a_bare_unit(problems={("sim", "reset"): None}), {})
    forgotten = {("sim", "connectivity"), ("sim", "reset")}
    unit = a_bare_unit(problems=dict.fromkeys(forgotten), forgotten=forgotten)
    store.commit(mine, unit, {})
    found = store.find(mine, rows)
    assert {id_ for id_, row in found.items() if row.failure_at is not None} == {"c", "e"}
    assert {id_ for id_, row in found.items() if row.failure_status} == {"c", "e"}


@pytest.mark.parametrize("count", [1, 1200])
def test_actions_are_found_by_their_sim_cards(
    store: LedgerStore, make_row: Maker, count: int
) -> None:
    """All of each that may decide, of the account alone, however many are asked for."""
    one, two = store.load("one").account_id, store.load("two").account_id
    parts: dict[str, dict[str, object]] = {
        "a": {"status": "completed"},
        "b": {"status": "failed", "failure_at": 5.0},
        "c": {"status": "in-progress", "ended_at": None},
        "d": {"status": "failed"},
    }
    rows = {
        f"{n}{part}": make_row(f"{n}{part}", sim_card_id=f"s{n}", **fields)
        for n in range(count)
        for part, fields in parts.items()
    }
    for mine in (one, two):
        store.commit(mine, a_bare_unit(rows=rows, added=set(rows)), {})
    found = store.find_by_sim_cards(one, [*(f"s{n}" for n in range(count)), "none"])
    assert {card: sorted(row.id for row in each) for card, each in found.items()} == {
        f"s{n}": [f"{n}a", f"{n}b"] for n in range(count)
    }


def test_failures_are_found_by_their_sim_cards(store: LedgerStore, make_row: Maker) -> None:
    """Those that went wrong after the baseline, whatever they are now."""
    mine = store.load("one").account_id
    rows = {
        "a": make_row("a", sim_card_id="s", status="completed", failure_at=5.0),
        "b": make_row("b", sim_card_id="s", status="failed"),
        "c": make_row("c", sim_card_id="t", status="failed", failure_at=5.0),
    }
    store.commit(mine, a_bare_unit(rows=rows, added=set(rows)), {})
    found = store.find_by_sim_cards(mine, ["s", "none"], failures=True)
    assert {card: [row.id for row in each] for card, each in found.items()} == {"s": ["a"]}


def test_sim_cards_without_a_problem_are_pruned(store: LedgerStore) -> None:
    """Those that were looked up long ago, of the account alone."""
    one, two = store.load("one").account_id, store.load("two").account_id
    cards = {
        "old": SimCard("old", looked_up_at=1.0),
        "broken": SimCard("broken", looked_up_at=1.0),
        "new": SimCard("new", looked_up_at=9.0),
    }
    for mine in (one, two):
        store.commit(mine, a_bare_unit(sim_cards=cards), {})
    store.commit(one, a_bare_unit(problems={("broken", "voice"): a_problem("broken", "voice")}), {})
    assert store.prune_sim_cards(one, 5.0) == 1
    assert store.sim_cards(one, cards).keys() == {"broken", "new"}
    assert store.sim_cards(two, cards) == cards


def test_two_accounts_in_one_file_do_not_mix(
    store: LedgerStore, make_action: Maker, make_unit: Maker, new_in: Maker
) -> None:
    """The same ids, sums and listings stand beside each other, each with its account."""
    one, two = store.load("one").account_id, store.load("two").account_id
    for mine in (one, two):
        store.attach_sinks(mine, ["log"])
    head = ListFilter(None, None)
    units = {}
    for mine, status in ((one, "failed"), (two, "interrupted")):
        unit = new_in(make_unit(), make_action("a", status), make_action("b"))
        unit.cursors[head] = ListCursor(SortOrder.NEWEST, mine, None)
        store.commit(mine, unit, {})
        units[mine] = unit
    for mine, name, status in ((one, "one", "failed"), (two, "two", "interrupted")):
        state = store.load(name)
        assert state.sums == {**units[mine].sums, **units[mine].amounts}
        assert state.cursors[head].seen_count == mine
        assert store.find(mine, ["a"])["a"].status == status
        assert [event.status for event in state.failures] == [status]
        assert [event.status for _, event in store.undelivered(mine, "log", 10)] == [status]
    store.prune(one, 1e9, 10)
    store.delivered(one, "log", store.undelivered(one, "log", 10)[-1][0])
    assert store.load("two").tracked == 2
    assert store.load("two").cursors[head].baseline_cutoff is None
    assert len(store.undelivered(two, "log", 10)) == 1


def test_a_commit_replaces_what_stood_under_the_same_name(
    store: LedgerStore, make_row: Maker
) -> None:
    """Rows, sums, cursors, drift and sweeps are changed in place, the others stay."""
    mine = store.load("main").account_id
    key, head = SumKey(SumName.CREATED, "enable"), ListFilter(None, None)
    first = a_bare_unit(
        rows={"a": make_row("a"), "b": make_row("b")},
        added={"a", "b"},
        cursors={head: ListCursor(SortOrder.NEWEST, 2, None)},
        drift={("enable", Status.FAILED): 3, ("enable", Status.COMPLETED): 1},
        sweeps={("enable", Status.FAILED): Sweep(1, 3), ("enable", Status.COMPLETED): Sweep(2, 1)},
    )
    first.sums[key] += 2
    sums = store.commit(mine, first, {})
    second = a_bare_unit(
        rows={"a": make_row("a", "failed")},
        cursors={head: ListCursor(SortOrder.OLDEST, 3, 4.0, 5.0, 6)},
        drift={("enable", Status.FAILED): 0},
        sweeps={("enable", Status.FAILED): Sweep(4, 2), ("enable", Status.COMPLETED): None},
    )
    second.sums[key] += 1
    store.commit(mine, second, sums)
    state = store.load("main")
    assert store.find(mine, ["a", "b"]) == {"a": make_row("a", "failed"), "b": make_row("b")}
    assert (state.tracked, list(state.open), state.sums[key]) == (2, ["b"], 3)
    assert state.cursors == {head: ListCursor(SortOrder.OLDEST, 3, 4.0, 5.0, 6)}
    assert state.drift == {("enable", Status.FAILED): 0, ("enable", Status.COMPLETED): 1}
    assert state.sweeps == {("enable", Status.FAILED): Sweep(4, 2)}


def test_ten_megabytes_of_open_rows_load(store: LedgerStore, make_row: Maker) -> None:
    """More than goes to a server at once is written in one commit, read whole, and found by ids."""
    mine = store.load("main").account_id
    reason = "A SIM card is blocked. " * 43
    rows = {f"{n}": make_row(f"{n}", reason=reason) for n in range(10_000)}
    store.commit(mine, a_bare_unit(rows=rows, added=set(rows)), {})
    assert store.load("main").open == rows
    assert store.find(mine, [*rows, "unknown"]) == rows
    assert store.find(mine, []) == {}


def test_forgetting_takes_the_oldest_ends_and_no_sums(store: LedgerStore, make_row: Maker) -> None:
    """At most so many go, in the order of their ends; open ones and sums stay."""
    mine = store.load("main").account_id
    rows = {
        **{f"e{n}": make_row(f"e{n}", "failed", ended_at=109.0 - n) for n in range(10)},
        "open": make_row("open"),
    }
    unit = a_bare_unit(rows=rows, added=set(rows))
    unit.sums[SumKey(SumName.FAILED, "enable", "none")] += 10
    store.commit(mine, unit, {})
    assert store.prune(mine, 108.0, 3)[0] == 3
    assert sorted(store.find(mine, rows)) == [*(f"e{n}" for n in range(7)), "open"]
    assert store.prune(mine, 108.0, 100)[0] == 5
    assert store.prune(mine, 108.0, 100) == (0, None)
    state = store.load("main")
    assert (state.tracked, state.sums) == (3, dict(unit.sums))


@pytest.mark.parametrize(
    ("times", "baseline_cutoff"),
    [
        pytest.param([(100.0, 110.0), (90.0, 120.0)], 100.0, id="the latest creation"),
        pytest.param([(None, 110.0), (90.0, 95.0)], 110.0, id="its change, where that is all"),
    ],
)
def test_forgetting_raises_the_horizon_of_every_listing(
    store: LedgerStore,
    make_row: Maker,
    times: list[tuple[float | None, float]],
    baseline_cutoff: float,
) -> None:
    """What was forgotten and is still listed is history then; a later cutoff stays."""
    mine = store.load("main").account_id
    rows = {
        f"{n}": make_row(f"{n}", "failed", created_at=created, updated_at=updated)
        for n, (created, updated) in enumerate(times)
    }
    cursors = {
        ListFilter(None, None): ListCursor(SortOrder.NEWEST, 2, None),
        ListFilter("enable", None): ListCursor(SortOrder.NEWEST, 2, 1.0),
        ListFilter("disable", None): ListCursor(SortOrder.NEWEST, 2, 1e9),
    }
    store.commit(mine, a_bare_unit(rows=rows, added=set(rows), cursors=cursors), {})
    above = nextafter(
        baseline_cutoff, inf
    )  # what was created at the baseline cutoff was forgotten too
    assert store.prune(mine, 1e9, 100) == (2, above)
    found = [each.baseline_cutoff for each in store.load("main").cursors.values()]
    assert sorted(found, key=lambda each: each or 0.0) == [above, above, 1e9]


def test_an_end_without_any_time_is_never_forgotten(store: LedgerStore, make_row: Maker) -> None:
    """No cutoff could tell it from a new one, so it would count again."""
    mine = store.load("main").account_id
    row = make_row("a", "failed", created_at=None, updated_at=None)
    store.commit(mine, a_bare_unit(rows={"a": row}, added={"a"}), {})
    assert store.prune(mine, 1e9, 100) == (0, None)
    assert store.find(mine, ["a"]) == {"a": row}


def test_interrupted_actions_come_with_the_latest_end_first(
    store: LedgerStore, make_row: Maker
) -> None:
    """Of one type or of all, of one account, and no more than was asked for."""
    one, two = store.load("one").account_id, store.load("two").account_id
    rows = {
        f"{status}-{action_type}-{n}": make_row(
            f"{status}-{action_type}-{n}", status, action_type=action_type, ended_at=200.0 - n
        )
        for n in range(3)
        for status in ("interrupted", "failed")
        for action_type in ("enable", "disable")
    }
    store.commit(one, a_bare_unit(rows=rows, added=set(rows)), {})
    enable = [rows[f"interrupted-enable-{n}"] for n in range(3)]
    assert list(store.interrupted(one, "enable", 10)) == enable
    assert list(store.interrupted(one, "enable", 2)) == enable[:2]
    ends = [row.ended_at for row in store.interrupted(one, None, 10)]
    assert ends == [200.0, 200.0, 199.0, 199.0, 198.0, 198.0]
    assert list(store.interrupted(two, None, 10)) == []


def test_increments_are_added_to_what_is_stored(store: LedgerStore) -> None:
    """The sums that a commit returns are those that are read afterwards."""
    mine = store.load("main").account_id
    created, known = SumKey(SumName.CREATED, "enable"), SumKey(SumName.KNOWN, "enable", "failed")
    unit = a_bare_unit(known={known: 7.0}, amounts={created: 0.25})
    unit.sums[created] += 2
    unit.sums[known] += 1
    before = {created: 40.0, known: 1.0}
    assert store.commit(mine, unit, before) == {created: 42.25, known: 8.0}
    assert store.load("main").sums == {created: 42.25, known: 8.0}


def test_an_error_in_a_commit_leaves_all_as_before(place: StatePlace, make_row: Maker) -> None:
    """Nothing of the unit is kept; once the cause is gone, all of it is."""
    store = place.reopen()
    mine = store.load("main").account_id
    store.attach_sinks(mine, ["log"])
    store.commit(mine, a_bare_unit(rows={"a": make_row("a")}, added={"a"}), {})
    before = store.load("main")
    key, list_filter = ("enable", Status.FAILED), ListFilter(None, None)
    unit = a_bare_unit(
        rows={"a": make_row("a", "failed"), "b": make_row("b")},
        added={"b"},
        known={SumKey(SumName.CREATED, "enable"): 2.0},
        cursors={list_filter: ListCursor(SortOrder.NEWEST, 1, None)},
        drift={key: 3},
        sweeps={key: Sweep(1, 3)},
        events=[an_event("a")],
        baseline_at=50.0,
    )
    with place.refuse_end(), pytest.raises(StateError, match="refused"):
        store.commit(mine, unit, {})
    assert store.load("main") == before
    assert store.find(mine, ["a", "b"]) == {"a": make_row("a")}
    assert not store.undelivered(mine, "log", 10)
    store.commit(mine, unit, {})
    after = store.load("main")
    assert (after.tracked, list(after.open), after.baseline_at) == (2, ["b"], 50.0)
    assert (after.sums, after.cursors) == (unit.known, unit.cursors)
    assert (after.drift, after.sweeps) == (unit.drift, unit.sweeps)
    assert [event for _, event in store.undelivered(mine, "log", 10)] == unit.events


def test_a_closed_store_opens_again_in_another_session(store: LedgerStore) -> None:
    """Nothing is lost by it; reading and writing do not change the session."""
    state = store.load("main")
    before = store.session
    store.commit(state.account_id, a_bare_unit(baseline_at=50.0), {})
    assert store.load("main").baseline_at == 50.0
    assert store.session == before
    store.close()
    assert store.session != before
    assert store.load("main").baseline_at == 50.0


def test_sizes_are_told_without_opening_anything(place: StatePlace) -> None:
    """There are none before the first call, and no more than a number of bytes by part after."""
    store = place.reopen()
    assert store.sizes == {}
    store.load("main")
    assert all(part and size >= 0 for part, size in store.sizes.items())


IDS = st.sampled_from("abcdef")
NAMED = st.builds(SumKey, st.sampled_from(SumName), st.sampled_from(["enable", "odd"]), st.just(""))
SEEN_TIMES = st.none() | st.integers(1, 9).map(float)
SOME_ROWS = st.builds(
    TrackedAction,
    id=IDS,
    sim_card_id=st.just("s"),
    action_type=st.sampled_from(["enable", "odd"]),
    status=st.sampled_from([*Status, "odd"]),
    reason=st.none(),
    created_at=SEEN_TIMES,
    updated_at=SEEN_TIMES,
    seen_at=st.just(1.0),
    ended_at=SEEN_TIMES,
    position=st.none(),
    stuck=st.booleans(),
)
SOME_CURSORS = st.builds(
    ListCursor, st.sampled_from(SortOrder), COUNTS, SEEN_TIMES, SEEN_TIMES, COUNTS, SEEN_TIMES
)
SOME_TYPES = st.tuples(st.sampled_from(["enable", "odd"]), st.sampled_from(Status))
UNITS = st.fixed_dictionaries(
    {
        "rows": st.lists(SOME_ROWS, max_size=4).map(lambda rows: {row.id: row for row in rows}),
        "known": st.dictionaries(NAMED, st.integers(0, 9).map(float), max_size=3),
        "amounts": st.dictionaries(NAMED, st.integers(-9, 9).map(float), max_size=3),
        "cursors": st.dictionaries(
            st.builds(ListFilter, st.sampled_from([None, "odd"]), st.none()), SOME_CURSORS
        ),
        "drift": st.dictionaries(SOME_TYPES, st.integers(-9, 9), max_size=2),
        "sweeps": st.dictionaries(SOME_TYPES, st.none() | SWEEPS, max_size=2),
        "events": st.lists(IDS.map(an_event), max_size=30),
        "baseline_at": SEEN_TIMES,
        "audit_at": SEEN_TIMES,
    }
)
CALLS = st.one_of(
    st.tuples(st.just("commit"), UNITS),
    st.tuples(st.just("prune"), SEEN_TIMES.filter(bool), st.integers(1, 3)),
    st.tuples(st.just("reopen")),
)


@settings(deadline=None, max_examples=settings().max_examples // 3)
@given(calls=st.lists(CALLS, max_size=8))
def test_memory_and_store_go_the_same_way(new_place: Begin, calls: list[Any]) -> None:
    """A state that takes in what was committed and pruned equals the one that is read anew."""
    with new_place() as place:
        store = place.reopen()
        state, other = store.load("main"), store.load("other")
        for call in calls:
            match call:
                case ("commit", parts):
                    known = store.find(state.account_id, parts["rows"])
                    unit = a_bare_unit(**parts, added=parts["rows"].keys() - known.keys())
                    unit.exemplars = {
                        key: Exemplar("a", "s", 1.5)
                        for key in (parts["known"] | parts["amounts"])
                        if key.metric in ENTRY_SUMS.values()
                    }
                    state.apply(unit, store.commit(state.account_id, unit, state.sums))
                case ("prune", before, limit):
                    state.dropped(*store.prune(state.account_id, before, limit))
                case _:
                    store = place.reopen()
            assert kept(store.load("main")) == kept(state)
        assert store.load("other") == other


def kept(state: LedgerState) -> dict[str, Any]:
    """Return all that is stored of a state: action types follow from the sums."""
    return {each.name: getattr(state, each.name) for each in fields(state) if each.init}
