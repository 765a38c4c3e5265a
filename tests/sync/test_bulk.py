"""Bulk actions are followed until they end, with their counts, and at what cost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from exporter.domain import BulkCounts, EventType, Status
from exporter.ledger.store.schema import bulk_members
from exporter.simulator.faults import BulkSummary
from exporter.simulator.ids import IdType
from exporter.simulator.rendering import bulk_type
from exporter.simulator.settings import ListOrder
from tests.support.combinations import combined
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]

AUDIT = 3600.0
ORDERS = [ListOrder.NEWEST, ListOrder.OLDEST]


@pytest.fixture
def opened(open_account: OpenAccount) -> OpenAccount:
    """Open accounts with so many bulk actions of one member that ended, and take the baseline."""

    async def open_one(
        order: ListOrder = ListOrder.NEWEST,
        ended: int = 0,
        summary: str = BulkSummary.LIST,
        **options: Any,
    ) -> Any:
        world = replace(QUIET, order=order)
        account = open_account(world, bulks=True, audit_interval=AUDIT, **options)
        faults = account.simulator.faults
        faults.settings = faults.settings.changed(bulk_summary=summary)
        end(account, *(create(account, 1) for _ in range(ended)))
        account.clock.advance(60)
        await account.poll()
        return account

    return open_one


def create(account: Any, members: int, action_type: str | None = None) -> list[str]:
    """Create a bulk action, and return the ids of its members."""
    account.clock.advance(1)
    at = account.clock()
    ids: list[str] = account.world.create(
        members, bulk=True, action_type=action_type, created_at=at
    )
    return ids


def end(account: Any, *bulks: list[str], status: Status = Status.COMPLETED) -> None:
    """Let all members of bulk actions end."""
    for ids in bulks:
        for each in ids:
            account.world.finish(each, status)


def requests(account: Any) -> int:
    """Return how many requests of the last poll were for bulk actions."""
    return sum("bulk" in str(each) for each in account.simulator.requests)


async def poll(account: Any, after: float = 60.0) -> int:
    """Poll, and return how many requests were for bulk actions."""
    await account.poll(after)
    return requests(account)


def truth(account: Any) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return the bulk actions by type and status, and the members of those in progress."""
    bulks: Counter[tuple[str, str]] = Counter()
    members: Counter[tuple[str, str]] = Counter()
    for bulk in account.world.bulks:
        statuses = Counter(each.status for each in account.world.actions_of(bulk))
        kind = bulk_type(bulk.action_type)
        running = statuses[Status.IN_PROGRESS] > 0
        bulks[kind, "in-progress" if running else "ended"] += 1
        for status, count in statuses.items() if running else ():
            members[kind, status.value] += count
    return bulks, members


def shown(account: Any) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return what the exporter shows of them, zeros left out."""
    snapshot = account.snapshot
    return +Counter(snapshot.bulk_counts), +Counter(snapshot.bulk_members)


def ended_events(account: Any) -> list[Any]:
    """Return the events of bulk actions that ended and are not delivered yet."""
    store = account.ledger._store  # noqa: SLF001 # as the delivery reads it
    events = store.undelivered(account.ledger.state.account_id, "log", 10_000)
    return [each for _, each in events if each.event_type is EventType.BULK_ENDED]


@combined(order=ORDERS, ended=[0, 1, 250, 600])
async def test_an_account_without_any_in_progress_is_asked_once_an_audit(
    opened: OpenAccount, order: ListOrder, ended: int
) -> None:
    """And at no other poll, however many there were."""
    account = await opened(order, ended)
    assert [await poll(account) for _ in range(3)] == [0, 0, 0]
    assert [await poll(account, AUDIT) for _ in range(3)] == [1, 1, 1]


async def test_a_list_that_begins_a_page_costs_that_page_alone(opened: OpenAccount) -> None:
    """Oldest first: members that were not read before their bulk action ended stay unread."""
    account = await opened(ListOrder.OLDEST)
    bulks = [create(account, 2) for _ in range(20)]
    await poll(account, AUDIT)
    end(account, *bulks)
    await poll(account)
    end(account, *(create(account, 1) for _ in range(231)))
    assert [await poll(account, AUDIT) for _ in range(2)] == [2, 1]


@combined(order=ORDERS, ended=[0, 600], running=[1, 3, 250, 251, 600])
async def test_those_in_progress_cost_their_pages_and_one(
    opened: OpenAccount, order: ListOrder, ended: int, running: int
) -> None:
    """While one is in progress, each poll reads the list, and what that does not show."""
    account = await opened(order, ended)
    bulks = [create(account, 2) for _ in range(running)]
    await poll(account, AUDIT)
    for _ in range(4):
        assert await poll(account) <= 1 + ceil(running / 250)
    end(account, *(ids[:1] for ids in bulks))
    for _ in range(4):
        assert await poll(account) <= 1 + ceil(running / 250)
    if running < 600:
        assert shown(account)[1] == truth(account)[1]


@pytest.mark.parametrize("order", ORDERS)
async def test_what_the_first_page_does_not_show_is_asked_for_in_turn(
    opened: OpenAccount, order: ListOrder
) -> None:
    """Three are followed to their end though newer ones have ended: by a page or an id a poll."""
    account = await opened(order)
    old = [create(account, 3), create(account, 4)]
    await poll(account, AUDIT)
    end(account, *(create(account, 1) for _ in range(250)))
    old.append(create(account, 5))
    await poll(account, AUDIT)
    end(account, *(create(account, 1) for _ in range(250)))
    end(account, *(ids[1:] for ids in old))
    assert [await poll(account) for _ in range(4)] == [2, 2, 2, 2]
    assert shown(account)[1] == truth(account)[1]
    end(account, *(ids[:1] for ids in old), status=Status.FAILED)
    assert [await poll(account) for _ in range(2)] == [2, 2]
    assert await poll(account) == 0
    assert [e.members.failed for e in ended_events(account) if e.members.failed] == [1, 1, 1]


@pytest.mark.parametrize("order", ORDERS)
async def test_those_beyond_a_page_are_found_again_after_a_restart(
    opened: OpenAccount, order: ListOrder
) -> None:
    """By reading the next page, not by asking for each: the first poll knows all counts."""
    account = await opened(order)
    bulks = [create(account, 2) for _ in range(240)]
    await poll(account, AUDIT)
    bulks += [create(account, 2) for _ in range(160)]
    await poll(account)
    await poll(account)
    assert shown(account)[1] == truth(account)[1]
    account.restart()
    end(account, *(ids[:1] for ids in bulks))
    for _ in range(3):
        assert await poll(account) <= 1 + 2
    assert shown(account)[1] == truth(account)[1]


@pytest.mark.parametrize("summary", list(BulkSummary))
async def test_counts_are_those_of_the_account_wherever_it_has_the_summary(
    opened: OpenAccount, summary: BulkSummary
) -> None:
    """In the list, in the object or nowhere: then the members are counted."""
    account = await opened(summary=summary)
    first, second = create(account, 5), create(account, 4, "enable_voice")
    await poll(account, AUDIT)
    await poll(account)
    assert shown(account) == truth(account)
    end(account, first[:1])
    end(account, first[1:3], second[:1], status=Status.FAILED)
    end(account, second[1:2], status=Status.INTERRUPTED)
    await poll(account)
    assert shown(account) == truth(account)
    end(account, first[3:], status=Status.INTERRUPTED)
    await poll(account)
    if summary is BulkSummary.NOWHERE:
        await poll(account)  # that one ended is believed at the second look
    assert shown(account) == truth(account)
    (event,) = ended_events(account)
    assert event.members == BulkCounts(completed=1, failed=2, interrupted=2)


@combined(summary=[BulkSummary.OBJECT, BulkSummary.NOWHERE], running=[1, 6, 40])
async def test_the_fallbacks_are_bounded_and_take_turns(
    opened: OpenAccount, summary: BulkSummary, running: int
) -> None:
    """Without summaries in the list a poll sends at most 20 requests, and forgets none."""
    account = await opened(summary=summary)
    bulks = [create(account, 2) for _ in range(running)]
    await poll(account, AUDIT)
    end(account, *(ids[:1] for ids in bulks))
    for _ in range(ceil(running / (19 if summary is BulkSummary.OBJECT else 4)) + 1):
        assert await poll(account) <= 20
    assert shown(account) == truth(account)
    end(account, *(ids[1:] for ids in bulks))
    # Each is counted twice before it is believed to have ended.
    for _ in range(ceil(running / (19 if summary is BulkSummary.OBJECT else 2)) + 1):
        assert await poll(account) <= 20
    assert shown(account) == truth(account)
    assert await poll(account) == 0
    assert len(ended_events(account)) == running


async def test_the_end_is_told_once(opened: OpenAccount) -> None:
    """Not for those that had ended when the list was read first, nor again after a restart."""
    account = await opened(ended=3)
    ids = create(account, 2)
    await poll(account, AUDIT)
    end(account, ids, create(account, 1))  # the second begins and ends between two polls
    await poll(account)
    durations = [each.duration_seconds for each in ended_events(account)]
    assert sorted(durations, key=str) == [AUDIT + 61, None]  # of the second nobody knows
    account.restart()
    await poll(account, AUDIT)
    await poll(account, AUDIT)
    assert len(ended_events(account)) == 2


async def test_one_that_was_forgotten_is_not_told_again(opened: OpenAccount) -> None:
    """A page that shows it again, for one in progress, brings it back as history."""
    account = await opened()
    for _ in range(2):
        create(account, 2)  # so that a page is read again, where both stand
    await poll(account, AUDIT)
    for count in (3, 200, 200):
        end(account, *(create(account, 1) for _ in range(count)))
        await poll(account)
    assert len(ended_events(account)) == 403
    await account.ledger.forget(account.clock() + 1)
    known = len(account.ledger.state.bulks)
    await poll(account)
    assert len(account.ledger.state.bulks) > known
    assert len(ended_events(account)) == 403


async def test_an_interrupted_member_that_goes_on_is_taken_in(opened: OpenAccount) -> None:
    """The list shows it at the next audit; the end is not told again."""
    account = await opened()
    ids = create(account, 2)
    await poll(account, AUDIT)
    end(account, ids, status=Status.INTERRUPTED)
    await poll(account)
    end(account, ids[:1], status=Status.IN_PROGRESS)
    await poll(account, AUDIT)
    assert shown(account) == truth(account)
    end(account, ids[:1], status=Status.COMPLETED)
    await poll(account)
    assert shown(account) == truth(account)
    assert len(ended_events(account)) == 1


async def test_one_that_has_no_members_yet_is_in_progress(opened: OpenAccount) -> None:
    """For an hour; then it has none."""
    account = await opened()
    bulk: dict[str, object] = {
        "id": "b-1",
        "action_type": "bulk_enable_voice",
        "created_at": "2023-11-14T22:13:20Z",
        "sim_card_actions_summary": [],
    }
    account.answers.odd = lambda request: answer_alike(request, bulk)
    await poll(account, AUDIT)
    assert account.snapshot.bulk_counts["bulk_enable_voice", "in-progress"] == 0  # of long ago
    created = datetime.fromtimestamp(account.clock() + AUDIT - 60, UTC).isoformat()
    young = bulk | {"id": "b-2", "created_at": created}
    account.answers.odd = lambda request: answer_alike(request, young)
    await poll(account, AUDIT)
    assert account.snapshot.bulk_counts["bulk_enable_voice", "in-progress"] == 1
    await poll(account, AUDIT)
    assert account.snapshot.bulk_counts["bulk_enable_voice", "in-progress"] == 0


async def test_an_empty_summary_in_the_list_alone_is_none(opened: OpenAccount) -> None:
    """The object has the counts, and nothing ended because of it."""
    account = await opened()
    create(account, 30)
    create(account, 2)
    account.answers.odd = lambda request: (
        answer(
            [
                {
                    "id": account.world.ids.encode(IdType.BULK, each.number),
                    "action_type": bulk_type(each.action_type),
                    "sim_card_actions_summary": [],
                }
                for each in account.world.bulks
            ]
        )
        if request.url.path.endswith("/bulk_sim_card_actions")
        else None
    )
    for after in (AUDIT, 60.0, AUDIT):
        await poll(account, after)
        assert shown(account)[1].total() == 32
    assert not ended_events(account)


async def test_one_that_the_api_does_not_know_any_more_is_forgotten(opened: OpenAccount) -> None:
    """It counts nowhere, and nobody is told that it ended."""
    account = await opened()
    create(account, 2)
    await poll(account, AUDIT)
    account.answers.odd = lambda request: (
        answer([])
        if request.url.path.endswith("actions")
        else httpx.Response(404, json={"errors": [{"code": "10005", "title": "Not found"}]})
    )
    await poll(account)
    assert not any(account.snapshot.bulk_counts.values())
    assert await poll(account) == 0
    assert not ended_events(account)


@pytest.mark.parametrize(
    "odd",
    [
        httpx.Response(404, text="no such page"),
        httpx.Response(403, json={"errors": [{"code": "10010", "title": "Forbidden"}]}),
        httpx.Response(503),
        httpx.Response(429, headers={"retry-after": "900"}),
        httpx.Response(200, text="<p>maintenance</p>"),
        httpx.Response(200, json={"data": {"none": 1}}),
    ],
    ids=["404", "403", "503", "429", "html", "object"],
)
async def test_an_endpoint_that_fails_fails_no_poll(
    opened: OpenAccount, odd: httpx.Response
) -> None:
    """It is told once, asked for again after a pause, and told when it works again."""
    told: list[str | None] = []
    account = await opened(on_bulks=told.append)
    ids = create(account, 2)
    await poll(account, AUDIT)
    asked = []

    def answer_oddly(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return odd

    account.answers.odd = answer_oddly
    end(account, ids)
    for _ in range(5):
        await poll(account, 10)
    assert sum(account.snapshot.completed.values()) == 2
    assert len(asked) == (1 if odd.status_code in {403, 404, 429} else 2)
    assert len(told) == 1
    account.answers.odd = lambda _: None
    await poll(account, AUDIT)
    assert told[1:] == [None]
    assert shown(account) == truth(account)


async def test_a_single_failure_is_no_matter(opened: OpenAccount) -> None:
    """The next poll asks again, and nobody is told."""
    told: list[str | None] = []
    account = await opened(on_bulks=told.append)
    create(account, 2)
    await poll(account, AUDIT)
    account.answers.odd = lambda _: httpx.Response(503)
    await poll(account)
    account.answers.odd = lambda _: None
    assert await poll(account) == 2
    assert told == []


async def test_the_members_of_those_in_progress_become_known(opened: OpenAccount) -> None:
    """A page a poll, within the bound, whatever is restarted meanwhile."""
    account = await opened()
    first, second = create(account, 600), create(account, 2)
    await poll(account, AUDIT)
    for number in range(6):
        assert await poll(account) == (2 if number < 4 else 1)
        if number == 1:
            account.restart()
    known = members_known(account)
    assert sorted(map(sorted, known.values())) == sorted(map(sorted, (first, second)))


async def test_members_that_moved_while_they_were_read_are_read_again(
    opened: OpenAccount,
) -> None:
    """By last change, those that end are on a page that was read already; three times at most."""
    account = await opened(ListOrder.UPDATED)
    ids = create(account, 600)
    create(account, 1)
    await poll(account, AUDIT)
    for number in range(3):
        end(account, ids[number * 150 : number * 150 + 150])
        await poll(account)
    for _ in range(6):
        await poll(account)
    assert sorted(map(len, members_known(account).values())) == [1, 600]


async def test_members_that_stay_missing_are_given_up(opened: OpenAccount) -> None:
    """A bulk action of more members than its list shows costs no request at every poll."""
    account = await opened()
    create(account, 2)
    await poll(account, AUDIT)
    ((bulk_id, _),) = account.ledger.state.bulks.items()
    more = {"id": bulk_id, "sim_card_actions_summary": {"in-progress": 3}}
    asked: list[httpx.Request] = []

    def answer_oddly(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/bulk_sim_card_actions"):
            return answer([more])
        asked.append(request)
        return None

    account.answers.odd = answer_oddly
    for _ in range(8):
        await poll(account)
    assert len([each for each in asked if "bulk" in str(each.url)]) == 1 + 3


def with_two_failures(account: Any) -> dict[str, object]:
    """Return the only bulk action, with one interrupted and two failed members."""
    ((bulk_id, bulk),) = account.ledger.state.bulks.items()
    return {
        "id": bulk_id,
        "action_type": bulk.action_type,
        "sim_card_actions_summary": {"interrupted": 1, "failed": 2},
    }


async def test_a_difference_in_interrupted_members_is_drift(opened: OpenAccount) -> None:
    """At the audit after the end, where all members are known; it goes when they agree again."""
    account = await opened()
    ids = create(account, 3)
    await poll(account, AUDIT)
    await poll(account)
    end(account, ids, status=Status.INTERRUPTED)
    await poll(account)
    await poll(account, AUDIT)
    assert account.snapshot.drift["interrupted"] == 0
    wrong = with_two_failures(account)
    account.answers.odd = lambda _: answer([wrong])
    await poll(account, AUDIT)  # they have just changed, so the ledger may be behind
    assert account.snapshot.drift["interrupted"] == 0
    await poll(account, AUDIT)
    assert account.snapshot.drift["interrupted"] == -2
    account.restart()
    await poll(account)
    assert account.snapshot.drift["interrupted"] == -2
    account.answers.odd = lambda _: None
    await poll(account, AUDIT)
    await poll(account, AUDIT)
    assert account.snapshot.drift["interrupted"] == 0


async def test_drift_of_what_is_not_compared_any_more_goes(opened: OpenAccount) -> None:
    """A page that does not show it, or that fails, leaves nothing of an earlier audit."""
    account = await opened()
    ids = create(account, 3)
    await poll(account, AUDIT)
    await poll(account)
    end(account, ids, status=Status.INTERRUPTED)
    await poll(account)
    wrong = with_two_failures(account)
    for beyond in (answer([]), httpx.Response(503)):
        account.answers.odd = lambda _: answer([wrong])
        await poll(account, AUDIT)
        await poll(account, AUDIT)
        assert account.snapshot.drift["interrupted"] == -2
        account.answers.odd = lambda _, answer=beyond: answer
        await poll(account, AUDIT)
        assert account.snapshot.drift["interrupted"] == 0
        account.restart()
        await poll(account)
        assert account.snapshot.drift["interrupted"] == 0


async def test_a_filter_that_the_api_ignores_makes_no_members(opened: OpenAccount) -> None:
    """A page with more actions than the bulk action has members is not believed."""
    account = await opened()
    account.world.create(5)
    create(account, 2)
    await poll(account, AUDIT)
    faults = account.simulator.faults
    faults.settings = faults.settings.changed(filters_ignored=1.0)
    await poll(account)
    assert not members_known(account)


async def test_a_total_that_is_odd_once_ends_no_bulk_action(opened: OpenAccount) -> None:
    """None in progress for one look is a mistake: the next one counts again."""
    account = await opened(summary=BulkSummary.NOWHERE)
    create(account, 3)
    await poll(account, AUDIT)
    account.answers.odd = lambda request: answer([]) if "in-progress" in str(request.url) else None
    await poll(account)
    account.answers.odd = lambda _: None
    for _ in range(3):
        await poll(account)
        assert shown(account) == truth(account)
    assert not ended_events(account)


@pytest.mark.parametrize("status", [403, 404, 422, 500])
async def test_members_that_cannot_be_read_delay_no_counts(
    opened: OpenAccount, status: int
) -> None:
    """They are asked for ever more rarely, and nobody is told."""
    told: list[str | None] = []
    account = await opened(on_bulks=told.append)
    ids = create(account, 20)
    await poll(account, AUDIT)
    asked = []

    def answer_oddly(request: httpx.Request) -> httpx.Response | None:
        if "bulk_sim_card_action_id" not in str(request.url):
            return None
        asked.append(request)
        return httpx.Response(status)

    account.answers.odd = answer_oddly
    for each in ids[1:]:
        end(account, [each])
        await poll(account)
        assert shown(account) == truth(account)
    assert 2 < len(asked) < 8
    assert told == []


@pytest.mark.parametrize("status", [403, 500])
async def test_one_object_that_cannot_be_read_delays_no_other(
    opened: OpenAccount, status: int
) -> None:
    """It is asked for again after a while."""
    account = await opened(summary=BulkSummary.OBJECT)
    bulks = [create(account, 10) for _ in range(3)]
    await poll(account, AUDIT)
    await poll(account)
    bad = min(account.ledger.state.bulks)
    account.answers.odd = lambda request: (
        httpx.Response(status) if request.url.path.endswith(bad) else None
    )
    for number in range(8):
        end(account, *([ids[number]] for ids in bulks))
        await poll(account)
    known = account.ledger.state.bulks.values()
    assert sorted(each.counts.completed for each in known) == [0, 8, 8]
    account.answers.odd = lambda _: None
    for _ in range(10):
        await poll(account)
    assert shown(account) == truth(account)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_list_that_is_refused_once_is_read_again_in_minutes(
    opened: OpenAccount, status: int
) -> None:
    """And in an hour if it is refused again."""
    account = await opened()
    ids = create(account, 2)
    await poll(account, AUDIT)
    account.answers.odd = lambda _: httpx.Response(status)
    await poll(account)
    account.answers.odd = lambda _: None
    end(account, ids[:1])
    costs = [await poll(account) for _ in range(6)]
    assert sum(costs[:-1]) < 3
    assert shown(account) == truth(account)
    account.answers.odd = lambda _: httpx.Response(status)
    for _ in range(10):
        await poll(account)
    account.answers.odd = lambda _: None
    assert sum([await poll(account) for _ in range(40)]) == 0


async def test_one_with_more_members_than_it_counts_delays_no_other(opened: OpenAccount) -> None:
    """Its members are not taken in, those of the others are."""
    account = await opened()
    bulks = [create(account, 3) for _ in range(3)]
    await poll(account, AUDIT)
    bad = min(account.ledger.state.bulks)
    known = account.ledger.state.bulks.values()
    account.answers.odd = lambda request: (
        answer(
            [
                {"id": each.id, "sim_card_actions_summary": {"in-progress": 3 - (each.id == bad)}}
                for each in known
            ]
        )
        if request.url.path.endswith("/bulk_sim_card_actions")
        else None
    )
    for _ in range(6):
        await poll(account)
    assert sorted(members_known(account)) == sorted({each.id for each in known} - {bad})
    assert len(bulks) == len(account.ledger.state.bulks)


async def test_one_that_cannot_be_counted_is_given_up(opened: OpenAccount) -> None:
    """If it is old: after three tries, the third at an audit."""
    account = await opened()
    odd: dict[str, object] = {"id": "b-1", "action_type": "v", "created_at": "2020-01-01T00:00:00Z"}
    asked: list[httpx.Request] = []

    async def cost(after: float = 60.0) -> int:
        asked.clear()
        await account.poll(after)
        return len(asked)

    def answer_oddly(request: httpx.Request) -> httpx.Response | None:
        if "bulk" not in str(request.url):
            return None
        asked.append(request)
        if request.url.path.endswith("/bulk_sim_card_actions"):
            return answer([odd])
        if "/bulk_sim_card_actions/" in request.url.path:
            return httpx.Response(200, json={"data": odd})
        return httpx.Response(200, json={"data": [], "meta": {}})

    account.answers.odd = answer_oddly
    assert await cost(AUDIT) > 1
    assert await cost() > 1
    assert [await cost() for _ in range(5)] == [0] * 5
    assert sum([await cost(AUDIT), await cost()]) > 1
    assert [await cost(AUDIT), await cost()] == [1, 0]


async def test_one_object_without_a_summary_says_nothing_of_others(opened: OpenAccount) -> None:
    """They are asked for by id all the same."""
    account = await opened(summary=BulkSummary.OBJECT)
    for _ in range(6):
        create(account, 2)
    await poll(account, AUDIT)
    bad = min(account.ledger.state.bulks)
    account.answers.odd = lambda request: (
        httpx.Response(200, json={"data": {"id": bad}}) if request.url.path.endswith(bad) else None
    )
    for _ in range(2):
        await poll(account)
        asked = [str(each) for each in account.simulator.requests]
        assert sum("/bulk_sim_card_actions/" in each for each in asked) == 5
    assert shown(account) == truth(account)


async def test_types_that_are_followed_no_more_cost_nothing(opened: OpenAccount) -> None:
    """Though the ledger knows some of them in progress, whose members were not read."""
    hidden: set[str] = set()
    account = await opened(shows_bulk=lambda each: each not in hidden)
    create(account, 300, "enable_voice")
    await poll(account, AUDIT)
    hidden.update(each.action_type for each in account.ledger.state.bulks.values())
    account.restart()
    assert [await poll(account), await poll(account)] == [0, 0]
    create(account, 2)
    assert [await poll(account, AUDIT), await poll(account), await poll(account)] == [1, 2, 1]


def members_known(account: Any) -> dict[str, set[str]]:
    """Return the members that the ledger knows, by bulk action."""
    known: dict[str, set[str]] = {}
    with account.ledger._store._database.reading() as connection:  # noqa: SLF001
        for row in connection.execute(select(bulk_members)):
            known.setdefault(row.bulk_id, set()).add(row.action_id)
    return known


def answer(bulks: list[dict[str, object]]) -> httpx.Response:
    """Return a page of bulk actions."""
    meta = {"total_results": len(bulks), "page_size": 250, "page_number": 1, "total_pages": 1}
    return httpx.Response(200, json={"data": bulks, "meta": meta})


def answer_alike(request: httpx.Request, bulk: dict[str, object]) -> httpx.Response:
    """Show a bulk action in the list as it is itself."""
    if request.url.path.endswith("/bulk_sim_card_actions"):
        return answer([bulk])
    return httpx.Response(200, json={"data": bulk})
