"""What is read of a ledger beside its owner: the same as the owner publishes, and errors."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from msgspec import structs

from exporter.domain import BulkAction, BulkCounts, SimCard
from exporter.ledger.problems import ProblemStep
from exporter.ledger.queries import (
    FailureQuery,
    LedgerView,
    ProblemQuery,
    Rows,
    decode_position,
    read_in_parts,
)
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.records import ListCursor, ListFilter, SortOrder
from exporter.ledger.store.protocol import LedgerReader, LedgerStore
from exporter.ledger.store.sql_reader import SqlReader
from tests.ledger.store.conftest import beginning
from tests.ledger.store.contract import NOW, READABLE, STORES, StatePlace, failed

REASONS = Reasons.with_configured(())
Opener = Callable[..., Any]


@pytest.fixture(params=READABLE)
def place(request: pytest.FixtureRequest) -> Iterator[StatePlace]:
    """Give the place of an empty state."""
    with beginning(request)() as made:
        yield made


@pytest.fixture
def open_store(place: StatePlace) -> Callable[[], LedgerStore]:
    """Open stores on the state, for the accounts of `open_account`."""
    return place.reopen


@pytest.fixture
def reader(place: StatePlace) -> SqlReader:
    """Give a reader of the state."""
    return place.make_reader(2.0)


async def name_cards(account: Any, *cards: SimCard) -> None:
    """Commit what is known of SIM cards."""
    unit = account.ledger.begin(NOW)
    unit.sim_cards.update({card.id: card for card in cards})
    await account.ledger.commit(unit)


async def test_the_same_problems_are_read_as_are_published(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """While the owner has the file open, with who is retried and who is not."""
    account = open_account()
    await account.saw(
        failed("a", "one"),
        failed("b", "two", NOW + 1, status="interrupted", reason=None),
        failed("c", "three", NOW - 2000, status="in-progress"),  # stuck: no retry of itself
        failed("d", "one", NOW + 3, status="in-progress", action_type="disable"),
        failed("e", "two", NOW + 4, status="in-progress", action_type="set_public_ip"),
        failed("f", "four", NOW + 5, action_type="new_type"),
        failed("g", "four", NOW + 4, status="in-progress", action_type="new_type"),
        failed("h", "five", NOW + 6, action_type=""),
        failed("i", "five", NOW + 7, action_type="", status="in-progress"),
        at=NOW + 100,
    )
    published = account.ledger.snapshot.problems
    read = reader.problems(view(), ProblemQuery())
    assert [row.problem for row in read.rows] == list(published)
    assert len(published) == 4
    assert {each.sim_card_id for each in published if each.retrying} == {"one"}
    assert read.next is None


@pytest.mark.parametrize(
    ("query", "cards"),
    [
        ({}, ["one", "two", "three"]),
        ({"account": "other"}, []),
        ({"concern": "public_ip"}, ["two"]),
        ({"status": "interrupted"}, ["three"]),
        ({"reason_class": "sim_blocked"}, ["one", "two"]),
        ({"sim_card_id": "one"}, ["one"]),
        ({"iccid": "8988"}, ["two"]),
        ({"iccid": ""}, []),
        ({"sim_card_group": "Fleet"}, ["two", "three"]),
        ({"sim_card_group": "group-1"}, ["two", "three"]),
        ({"tag": 'a "b", c'}, ["two"]),
        ({"tag": "a"}, []),
        ({"sim_card_group": "Fleet", "status": "interrupted"}, ["three"]),
        ({"sort": "-opened_at"}, ["three", "two", "one"]),
    ],
)
async def test_filters(
    open_account: Opener,
    reader: LedgerReader,
    view: Callable[..., LedgerView],
    query: dict[str, Any],
    cards: list[str],
) -> None:
    """Each filter leaves what it names, alone and with others; in pages of one row too."""
    account = open_account()
    await account.saw(
        failed("a", "one"),
        failed("b", "two", NOW + 1, action_type="set_public_ip"),
        failed("c", "three", NOW + 1, status="interrupted", reason="no network"),
        at=NOW + 100,
    )
    await open_account("other", account.store).saw(failed("a", "old"), at=NOW + 100)
    group: Any = {"group": "Fleet", "group_id": "group-1"}
    await name_cards(
        account,
        SimCard("two", "8988", tags=('a "b", c', "x"), **group),
        SimCard("three", "8977", **group),
    )
    whole = reader.problems(view(), ProblemQuery(**query)).rows
    assert sorted(row.problem.sim_card_id for row in whole) == sorted(cards)
    assert [row.problem.opened_at for row in whole] == sorted(
        (row.problem.opened_at for row in whole), reverse="sort" in query
    )
    paged: list[Any] = []
    after = None
    while True:
        found = reader.problems(view(), ProblemQuery(**query, after=after, limit=1))
        paged += found.rows
        if found.next is None:
            break
        after = decode_position(found.next, tuple[float, str, str, str])
    assert tuple(paged) == whole


async def test_what_an_account_does_not_watch_is_not_shown(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """After a change of its filters problems may be left whose repair nobody would see."""
    await open_account().saw(
        failed("a", "one"), failed("b", "two", action_type="set_public_ip"), at=NOW + 100
    )
    public_ip = view(action_types=("enable", "set_public_ip", "remove_public_ip"))
    assert [row.problem.sim_card_id for row in reader.problems(public_ip, ProblemQuery()).rows] == [
        "two"
    ]
    unseen = view(statuses=("failed",))
    assert reader.problems(unseen, ProblemQuery()).rows == ()
    assert len(reader.failures(unseen, FailureQuery()).rows) == 2
    assert len(reader.failures(view(action_types=("enable",)), FailureQuery()).rows) == 1
    assert reader.failures(view(statuses=("completed",)), FailureQuery()).rows == ()
    assert reader.failures(view("somebody else"), FailureQuery()).rows == ()


async def test_failures_are_paged_without_a_shift(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """While new ones come between two pages, none is read twice or left out."""
    account = open_account()
    other = open_account("other", account.store)
    for number in range(30):
        one = account if number % 3 else other
        await one.saw(failed(f"a-{number:02}", at=NOW + number // 4), at=NOW + number // 2)
    seen, after = [], None
    for number in range(100, 120):
        found = reader.failures(view("main", "other"), FailureQuery(after=after, limit=4))
        seen += [row.action_id for row in found.rows]
        if found.next is None:
            break
        after = decode_position(found.next, tuple[float, str, str])
        await account.saw(failed(f"b-{number}", at=NOW + number), at=NOW + number)
    assert len(seen) == 30
    assert seen == sorted(seen, reverse=True)


async def test_failures_have_filters(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """Completed and open actions are none of them."""
    await open_account().saw(
        failed("a"),
        failed("b", status="interrupted", reason="no network"),
        failed("c", action_type="disable", sim_card_id="two"),
        failed("d", status="completed", reason=None),
        failed("e", status="in-progress", reason=None),
        at=NOW + 100,
    )

    def ids(**query: Any) -> set[str]:
        return {row.action_id for row in reader.failures(view(), FailureQuery(**query)).rows}

    assert ids() == {"a", "b", "c"}
    assert ids(status="interrupted") == ids(reason="no network") == {"b"}
    assert ids(reason_class="sim_blocked") == {"a", "c"}
    assert ids(action_type="disable") == ids(sim_card_id="two") == {"c"}
    assert ids(account="main", action_type="enable", status="failed") == {"a"}


async def test_a_rare_class_is_found_among_many_failures(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """Each reason is classified once, not each failure."""
    await open_account().saw(
        *(failed(f"a-{n:05}", reason=f"no network {n % 7}") for n in range(5000)),
        failed("z", at=NOW - 5),
        at=NOW + 100,
    )
    classified: list[str | None] = []

    def classify(reason: str | None) -> str:
        classified.append(reason)
        return REASONS.classify(reason)

    counting = replace(view(), classify=classify)
    query = FailureQuery(reason_class="sim_blocked", limit=100)
    found = reader.failures(counting, query)
    assert [row.action_id for row in found.rows] == ["z"]
    assert len(classified) <= 10
    rest = [
        row.action_id
        for row in reader.failures(view(), FailureQuery(reason_class="network", limit=3)).rows
    ]
    assert rest == ["a-04999", "a-04998", "a-04997"]


async def test_a_class_of_very_many_reasons_is_paged(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """More of them than a statement can name."""
    await open_account().saw(
        *(failed(f"a-{n:05}", reason=f"no network {n}") for n in range(2000)),
        failed("z"),
        at=NOW + 100,
    )
    query = FailureQuery(reason_class="network")
    parts = list(read_in_parts(lambda each: reader.failures(view(), each), query, 700))
    assert [len(each.rows) for each in parts] == [700, 700, 600]
    found = [row.action_id for each in parts for row in each.rows]
    assert found == [f"a-{n:05}" for n in reversed(range(2000))]


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [(None, [4, 4, 2]), (3, [3]), (4, [4]), (5, [4, 1]), (10, [4, 4, 2]), (10**17, [4, 4, 2])],
)
async def test_a_list_is_read_in_parts(
    open_account: Opener,
    reader: LedgerReader,
    view: Callable[..., LedgerView],
    limit: int | None,
    sizes: list[int],
) -> None:
    """Each row once, up to the limit, after which the position says whether more follow."""
    await open_account().saw(*(failed(f"a-{n}", f"sim-{n}", NOW + n) for n in range(10)), at=2e6)
    newest_first = ProblemQuery(limit=limit, sort="-opened_at")
    for lists in (
        read_in_parts(partial(reader.problems, view()), ProblemQuery(limit=limit), 4),
        read_in_parts(partial(reader.problems, view()), newest_first, 4),
        read_in_parts(partial(reader.failures, view()), FailureQuery(limit=limit), 4),
    ):
        parts: list[Rows[Any]] = list(lists)
        assert [len(each.rows) for each in parts] == sizes
        assert len({repr(row) for each in parts for row in each.rows}) == sum(sizes)
        assert (parts[-1].next is None) is (sum(sizes) == 10)


async def test_a_very_long_reason_is_read_in_part(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """As much as is told and one character more, wherever it is read; its class is the same."""
    long = "no network " + "x" * 1_000_000
    await open_account().saw(failed("a", reason=long), at=NOW + 100)
    part = long[:10_001]
    for wanted in (None, "network"):
        (problem,) = reader.problems(view(), ProblemQuery(reason_class=wanted)).rows
        (failure,) = reader.failures(view(), FailureQuery(reason_class=wanted)).rows
        assert (problem.problem.reason, failure.reason) == (part, part)
    assert len(reader.failures(view(), FailureQuery(reason=long)).rows) == 1
    assert [each.reason for each in reader.failure_reasons(view(), NOW)] == [part]


async def test_problems_have_the_class_of_the_present_rules(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """As failures have: what was stored came from rules that may have changed since."""
    await open_account().saw(
        failed("a", "one"),
        failed("b", "two", NOW + 1, reason="no network"),
        failed("c", "three", NOW + 2, reason=None),
        failed("d", "four", NOW - 2000, status="in-progress", reason=None),
        at=NOW + 100,
    )
    reasons = Reasons.with_configured([Rule("lost", re.compile("blocked"))])
    changed = replace(view(), classify=reasons.classify, reason_classes=reasons.classes)

    def cards(reason_class: str | None) -> dict[str, str]:
        for limit in (None, 5):
            query = ProblemQuery(reason_class=reason_class, limit=limit)
            rows = reader.problems(changed, query).rows
        return {row.problem.sim_card_id: row.problem.reason_class for row in rows}

    assert cards(None) == {"one": "lost", "two": "network", "three": "none", "four": ""}
    assert cards("lost") == {"one": "lost"}
    assert cards("sim_blocked") == {}
    assert cards("none") == {"three": "none"}
    timeline = reader.sim_card(changed, "one")
    assert [row.problem.reason_class for row in timeline.problems] == ["lost"]


async def test_problems_of_very_many_reasons_are_filtered_by_class(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """More of them than a statement can name."""
    await open_account().saw(
        *(failed(f"a-{n}", f"sim-{n}", NOW + n, reason=f"no network {n}") for n in range(1000)),
        failed("z", "z", NOW - 1),
        at=NOW + 5000,
    )
    query = ProblemQuery(reason_class="network", limit=600)
    found = reader.problems(view(), query)
    assert [row.problem.sim_card_id for row in found.rows] == [f"sim-{n}" for n in range(600)]
    assert found.next is not None
    assert len(reader.problems(view(), query.going_on(found.next)).rows) == 400


async def test_failures_of_a_day_by_reason(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """The most frequent first; what ended earlier, and was only seen since, is not of the day."""
    await open_account().saw(
        failed("a"),
        failed("b", status="interrupted"),
        failed("c", reason=None),
        failed("d", at=NOW - 90_000),
        failed("e", status="completed"),
        at=NOW + 100,
    )
    counts = reader.failure_reasons(view(), NOW - 80_000)
    assert [(each.reason_class, each.reason, each.count) for each in counts] == [
        ("sim_blocked", "SIM card is blocked", 2),
        ("none", "", 1),
    ]
    assert reader.failure_reasons(view(), NOW + 200) == ()


async def test_failures_of_a_day_by_account(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """Each reason says how often it came in which account, of those that are shown."""
    account = open_account()
    await account.saw(failed("a"), failed("b", at=NOW + 5), failed("c", reason=None), at=NOW + 100)
    for name in ("other", "hidden"):
        await open_account(name, account.store).saw(failed("a", at=NOW + 9), at=NOW + 90)
    counts = reader.failure_reasons(view("main", "other"), NOW - 86_400)
    assert [(each.reason, each.accounts, each.count, each.latest) for each in counts] == [
        ("SIM card is blocked", {"main": 2, "other": 1}, 3, NOW + 100),
        ("", {"main": 1}, 1, NOW + 100),
    ]


async def test_the_timeline_of_a_sim_card(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """All that is remembered of it, newest first, with its problems, in every account."""
    account = open_account()
    await account.saw(
        *(failed(f"a-{number}", at=NOW + number) for number in range(5)),
        failed("b", "two"),
        at=NOW + 100,
    )
    await open_account("other", account.store).saw(
        failed("c", at=NOW + 2, status="completed", reason=None), at=NOW + 100
    )
    await name_cards(account, SimCard("sim", "8988"))
    both = view("main", "other")
    first = reader.sim_card(both, "sim", limit=4)
    assert [row.action_id for row in first.actions.rows] == ["a-4", "a-3", "c", "a-2"]
    assert first.actions.next is not None
    after = decode_position(first.actions.next, tuple[str, float, str, str])
    rest = reader.sim_card(both, "sim", after, limit=4)
    assert [row.action_id for row in rest.actions.rows] == ["a-1", "a-0"]
    assert rest.actions.next is None
    assert rest.cards == {"main": SimCard("sim", "8988")}
    assert [(each.account, each.problem.attempts) for each in rest.problems] == [("main", 5)]
    assert not reader.sim_card(both, "nobody").known


async def test_the_timeline_says_what_opened_and_what_mended_a_problem(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """By concern and account, as the rules see all that is remembered, on whatever page it is."""
    account = open_account()
    await account.saw(
        failed("a"),
        failed("b", at=NOW + 20),
        failed("c", at=NOW + 30, action_type="set_public_ip"),
        failed("d", at=NOW + 50, status="completed", reason=None),
        failed("e", at=NOW + 70),
        at=NOW + 100,
    )
    await open_account("other", account.store).saw(
        failed("d", at=NOW + 50, status="completed", reason=None), at=NOW + 100
    )
    found = reader.sim_card(view("main", "other"), "sim", limit=1)
    assert found.steps == {
        ("main", "a"): ProblemStep("connectivity", opened_at=NOW + 10, attempts=1),
        ("main", "b"): ProblemStep("connectivity", attempts=2),
        ("main", "c"): ProblemStep("public_ip", opened_at=NOW + 40, attempts=1),
        ("main", "d"): ProblemStep("connectivity", mended_at=NOW + 60, mended_after=50.0),
        ("main", "e"): ProblemStep("connectivity", opened_at=NOW + 80, attempts=1),
    }


async def test_ten_thousand_problems_are_read(
    open_account: Opener, place: StatePlace, view: Callable[..., LedgerView]
) -> None:
    """All at once, and by a filter that only the last one passes."""
    account, reader = open_account(), place.make_reader(30.0)
    await account.saw(*(failed(f"a-{n}", f"sim-{n}", NOW + n) for n in range(10_000)), at=2 * NOW)
    await name_cards(account, *(SimCard(f"sim-{n}", str(n)) for n in range(10_000)))
    assert len(reader.problems(view(), ProblemQuery()).rows) == 10_000
    (last,) = reader.problems(view(), ProblemQuery(iccid="9999", limit=5)).rows
    assert last.problem.action_id == "a-9999"


@pytest.mark.parametrize("place", STORES, indirect=True)
async def test_a_reader_needs_no_owner(
    open_account: Opener, open_store: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """After a clean end, and the owner finds its file as it was."""
    account = open_account()
    await account.saw(failed("a"), at=NOW + 100)
    account.store.close()
    assert len(reader.problems(view(), ProblemQuery()).rows) == 1
    assert len(open_store().load("main").problems) == 1


async def test_the_state_of_an_account_is_read_as_its_owner_loads_it(
    open_account: Opener, reader: SqlReader
) -> None:
    """All of it; there is none for an account that the ledger does not have."""
    account = open_account()
    await account.saw(failed("a", "one"), failed("b", "two", status="in-progress"), at=NOW + 100)
    await name_cards(account, SimCard("one", "8988"))
    assert reader.state("main") == account.kept()
    assert reader.state("nobody") is None


async def test_members_are_complete_once_all_are_known(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """Of a bulk action that is not known, whose pages were not all read, or gave too few: never."""
    account = open_account()
    await account.saw(failed("a"), failed("b"), at=NOW + 20)
    bulk = BulkAction("x", "bulk_enable_voice", NOW, NOW, NOW, NOW, None, BulkCounts(1, 0, 1))

    async def since(
        members: tuple[str, ...], members_page: int, bulk_id: str = "x"
    ) -> float | None:
        unit = account.ledger.begin(NOW + 20)
        unit.bulks["x"] = structs.replace(bulk, members_page=members_page)
        unit.bulk_members["x"] = members
        await account.ledger.commit(unit)
        return reader.complete_since(view(), bulk_id=bulk_id)

    assert await since(("a",), 2) is None
    assert await since(("a",), 0) is None
    assert await since(("b",), 0, "unknown") is None
    assert await since(("b",), 0) == 50.0
    assert reader.complete_since(view("other"), bulk_id="x") is None


async def test_complete_since_the_baseline_or_what_was_forgotten(
    open_account: Opener, reader: LedgerReader, view: Callable[..., LedgerView]
) -> None:
    """Of several accounts the latest; never, as long as one has no baseline."""
    account = open_account()
    other = open_account("other", account.store)
    await account.ledger.open(NOW)
    assert reader.complete_since(view()) is None
    await account.saw(failed("a"), at=NOW + 20)
    assert reader.complete_since(view()) == 50.0
    assert reader.complete_since(view("main", "other")) is None
    await other.ledger.open(NOW)
    unit = other.ledger.begin(NOW)
    cursor = ListCursor(SortOrder.NEWEST, 1, NOW, baseline_time=NOW + 5)
    unit.baseline_at = NOW
    unit.cursors[ListFilter(None, None)] = cursor
    await other.saw(failed("b", at=NOW + 9, status="completed"), at=NOW + 30)
    await other.ledger.commit(unit)
    both = view("main", "other")
    assert reader.complete_since(both) == NOW + 5
    assert reader.complete_since(both, "main") == 50.0
    await other.ledger.forget(NOW + 100)
    since = reader.complete_since(both)
    assert since is not None
    assert NOW + 9 < since < NOW + 10


async def test_actions_are_found_by_their_ids(open_account: Opener, reader: SqlReader) -> None:
    """As their owner finds them, open or not, however many are asked for."""
    account = open_account()
    await account.saw(failed("a", "one"), failed("b", "two", status="in-progress"), at=NOW + 100)
    mine = account.kept().account_id
    ids = ["a", "b", *(f"unknown-{n}" for n in range(2_000))]
    found = reader.find(mine, ids)
    assert found == account.store.find(mine, ids)
    assert sorted(found) == ["a", "b"]
    assert reader.find(mine + 1, ids) == {}
    assert reader.find(mine, []) == {}
