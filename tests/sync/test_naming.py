"""SIM cards are looked up when something is wrong with them, and at what cost."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import httpx
import pytest
from msgspec import structs

from exporter.domain import Status
from exporter.simulator.faults import FaultSettings
from tests.support.combinations import combined
from tests.support.simulation import QUIET

OpenAccount = Callable[..., Any]


async def broken(account: Any, count: int) -> int:
    """Let actions of so many SIM cards fail, and poll; returns the requests for SIM cards."""
    for number in range(count):
        card = account.world.sim_cards.card(account.broken + number)
        (action,) = account.world.create(1, sim_card_id=card.id)
        account.world.finish(action, Status.FAILED, "no network")
    account.broken += count
    await account.poll()
    return lookups(account)


def lookups(account: Any) -> int:
    """Return how many requests of the last poll were for SIM cards."""
    return sum("/sim_cards" in str(each) for each in account.simulator.requests)


def by_id(request: httpx.Request) -> httpx.Response | None:
    """Answer pages so that they show no SIM card: each has to be asked for by its id."""
    if not request.url.path.endswith("/sim_cards"):
        return None
    meta = {"total_results": 1_000_000, "page_size": 250}
    return httpx.Response(200, json={"data": [], "meta": meta})


@pytest.fixture
def opened(open_account: OpenAccount) -> OpenAccount:
    """Open accounts whose baseline is taken, with any number of SIM cards."""

    async def open_one(cards: int, budget: int = 20, **options: Any) -> Any:
        account = open_account(replace(QUIET, sim_cards=cards), lookups=budget, **options)
        account.broken = 0
        await account.poll()
        return account

    return open_one


@combined(budget=[1, 20], cards=[100, 600, 20_000], count=[1, 2, 5, 40])
async def test_names_cost_their_bound_at_most(
    opened: OpenAccount, cards: int, count: int, budget: int
) -> None:
    """Each poll asks by id or by page, whichever is cheaper, until every problem has its name."""
    account = await opened(cards, budget)
    left = count
    used = await broken(account, count)
    for _ in range(100):
        assert used <= min(left, ceil(cards / 250), budget)
        named = account.ledger.announced.sim_cards
        left = count - len(named)
        if not left:
            break
        await account.poll()
        used = lookups(account)
    snapshot = account.ledger.announced
    assert {each.sim_card_id for each in snapshot.problems} == snapshot.sim_cards.keys()
    assert all(card.iccid for card in snapshot.sim_cards.values())
    assert snapshot.sim_cards_known == count
    assert await account.poll() == 1


async def test_a_line_is_told_with_its_name(opened: OpenAccount) -> None:
    """The events of a poll know the ICCID, group and tags of their SIM cards, and the attempt."""
    account = await opened(100)
    await broken(account, 3)
    events = [event for _, event in await account.ledger.undelivered("log")]
    cards = [account.world.sim_cards.card(number) for number in range(3)]
    assert {(event.iccid, event.tags, event.attempts) for event in events} == {
        (card.iccid, card.tags, 1) for card in cards
    }


async def test_names_are_remembered(opened: OpenAccount) -> None:
    """Neither another failure nor a restart asks for a SIM card again, until it is a day old."""
    account = await opened(100)
    assert await broken(account, 3) == 1
    account.broken = 0
    assert await broken(account, 3) == 0
    account.restart()
    account.broken = 0
    assert await broken(account, 3) == 0
    await account.poll(after=86_500)
    assert lookups(account) == 1


async def test_a_deleted_sim_card_is_remembered_as_such(opened: OpenAccount) -> None:
    """It is asked for once."""
    account = await opened(20_000)
    account.world.delete_sim_card(account.world.sim_cards.card(0).id)
    assert await broken(account, 1) == 1
    assert [card.deleted for card in account.ledger.announced.sim_cards.values()] == [True]
    assert await account.poll() == 1


@pytest.mark.parametrize("body", [b"", b'{"errors":[{"code":"10005","title":"No"}]}'])
async def test_a_deleted_sim_card_keeps_its_name(opened: OpenAccount, body: bytes) -> None:
    """Its former ICCID, group and tags still tell which one it was, also after a restart."""
    account = await opened(20_000)
    cards = account.world.sim_cards
    account.broken = next(number for number in range(100) if cards.card(number).tags)
    await broken(account, 1)
    (named,) = account.ledger.announced.sim_cards.values()
    assert all((named.iccid, named.group, named.tags, named.status))
    account.answers.odd = lambda _: httpx.Response(404, content=body)
    await account.poll(after=86_500)
    (deleted,) = account.ledger.announced.sim_cards.values()
    assert deleted == structs.replace(
        named, deleted=True, status="", looked_up_at=deleted.looked_up_at
    )
    assert deleted.looked_up_at > named.looked_up_at
    account.restart()
    await account.poll()
    assert list(account.ledger.announced.sim_cards.values()) == [deleted]


@pytest.mark.parametrize(
    "faults", [{"sim_cards_forbidden": 1.0}, {"sim_cards_error": 1.0}], ids=["403", "500"]
)
async def test_lookups_that_fail_fail_no_poll(
    opened: OpenAccount, faults: dict[str, float]
) -> None:
    """What happened is told without names; lookups pause, and go on when they work again."""
    account = await opened(100)
    account.simulator.faults.settings = FaultSettings().changed(**faults)
    used = await broken(account, 5)
    assert used == 1
    events = [event for _, event in await account.ledger.undelivered("log")]
    assert [event.iccid for event in events] == [""] * 5
    assert len(account.snapshot.problems) == 5
    assert await account.poll() == 1
    account.simulator.faults.settings = FaultSettings()
    await account.poll(after=3700)
    assert len(account.ledger.announced.sim_cards) == 5


async def test_refreshes_do_not_hold_up_new_names(opened: OpenAccount) -> None:
    """What has no name comes first, however much is old; then what was looked up longest ago."""
    account = await opened(20_000, 5)
    account.answers.odd = by_id
    await broken(account, 40)
    for _ in range(8):  # in each of these polls, all names are old
        await account.poll(after=90_000)
    cards = account.ledger.announced.sim_cards.values()
    assert len(cards) == 40
    for _ in range(8):
        await account.poll(after=90_000)
    cards = account.ledger.announced.sim_cards.values()
    assert min(card.looked_up_at for card in cards) > account.clock.now - 8 * 90_000


async def test_events_have_their_names_first(opened: OpenAccount) -> None:
    """A poll that cannot look up all names looks up those of its events."""
    account = await opened(20_000, 3)
    account.answers.odd = by_id
    await broken(account, 30)
    await broken(account, 3)
    events = [event for _, event in await account.ledger.undelivered("log")][-3:]
    assert all(event.iccid for event in events)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"errors": [{"title": "x"}]}),
        httpx.Response(500),
        httpx.Response(200, json={"data": {"id": "another"}}),
        httpx.Response(200, content=b"{"),
    ],
    ids=["400", "500", "another", "truncated"],
)
@pytest.mark.parametrize("count", [1, 2])
async def test_a_sim_card_that_cannot_be_read_holds_up_no_other(
    opened: OpenAccount, answer: httpx.Response, count: int
) -> None:
    """It is left out for five minutes and tried again; the names of all others come at once."""
    account = await opened(20_000)
    bad = account.world.sim_cards.card(0).id
    asked = []

    def odd(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith(bad):
            return by_id(request)
        asked.append(account.clock.now)
        return httpx.Response(answer.status_code, content=answer.content)

    account.answers.odd = odd
    for polls in range(1, 12):
        await broken(account, count)
        assert len(account.ledger.announced.sim_cards) == polls * count - 1
    assert 1 < len(asked) <= 3
    assert min(b - a for a, b in pairwise(asked)) >= 300
    account.answers.odd = by_id
    await account.poll(after=301)
    assert len(account.ledger.announced.sim_cards) == 11 * count


async def test_a_sim_card_that_cannot_be_read_is_told_once(opened: OpenAccount) -> None:
    """Whoever runs the exporter learns which one, and when it works again."""
    told: list[str | None] = []
    account = await opened(20_000, on_lookups=told.append)
    bad = account.world.sim_cards.card(0).id
    account.answers.odd = lambda request: (
        httpx.Response(500) if request.url.path.endswith(bad) else by_id(request)
    )
    for _ in range(12):
        await broken(account, 2)
    assert told == [f"SIM card {bad}: HTTP 500"]
    account.answers.odd = by_id
    await account.poll(after=301)
    assert told[1:] == [None]


async def test_slow_lookups_keep_what_they_found(opened: OpenAccount) -> None:
    """After its time the poll goes on with the names that it has; lookups pause, and go on."""
    account = await opened(20_000)

    def slow(request: httpx.Request) -> httpx.Response | None:
        account.clock.advance(4.0)
        return by_id(request)

    account.answers.odd = slow
    before = account.clock.now
    used = await broken(account, 20)
    assert account.clock.now - before < 60 + 20 + 4 * 4
    assert 0 < used < 20
    assert len(account.ledger.announced.sim_cards) == used
    assert await account.poll() == 1
    account.answers.odd = by_id
    await account.poll(after=300)
    assert len(account.ledger.announced.sim_cards) == 20


async def test_the_rate_limit_of_a_lookup_fails_no_poll(opened: OpenAccount) -> None:
    """Actions are counted all the time that lookups have to wait."""
    account = await opened(100)
    account.answers.odd = lambda _: httpx.Response(429, headers={"retry-after": "3600"})
    assert await broken(account, 3) == 0
    assert await broken(account, 3) == 0
    assert len(account.snapshot.problems) == 6


async def test_nothing_is_asked_while_nothing_is_wrong(opened: OpenAccount) -> None:
    """Completed actions are no reason to look up a SIM card."""
    account = await opened(100)
    for action in account.world.create(50):
        account.world.finish(action, Status.COMPLETED)
    await account.poll()
    assert lookups(account) == 0
    assert await account.poll() == 1


async def test_lookups_can_be_turned_off(opened: OpenAccount) -> None:
    """Problems are there all the same."""
    account = await opened(100, 0)
    assert await broken(account, 2) == 0
    assert len(account.snapshot.problems) == 2
