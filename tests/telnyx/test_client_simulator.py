"""The client against the whole simulated API: every parameter, every fault, the rate limit."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import Status
from exporter.errors import (
    AuthError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    UnavailableError,
)
from exporter.simulator.faults import Fault, FaultSettings
from exporter.simulator.ids import IdType
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.sim_cards import GROUPS
from exporter.simulator.simulator import Simulator
from exporter.telnyx.query import Query
from exporter.telnyx.schema import Page
from tests.support.simulation import QUIET, InProcessTransport

Desk = Callable[..., Any]
Account = Callable[..., tuple[Any, Simulator]]

EPOCH = 1_700_000_000


@pytest.fixture
def account(desk: Desk) -> Account:
    """Return a function that opens an account and a client of it, in one time."""

    def open_one(**settings: Any) -> tuple[Any, Simulator]:
        loop = asyncio.get_running_loop()
        simulator = Simulator(
            SimulatorSettings(world=QUIET, **settings), lambda: EPOCH + loop.time()
        )
        return desk(InProcessTransport(simulator), key=lambda: simulator.key), simulator

    return open_one


async def test_a_sim_card_is_read_as_it_is(account: Account) -> None:
    """By the list and by its id, a SIM card is what the account says, but for what is personal."""
    at, simulator = account()
    cards = simulator.world.sim_cards
    page = await at.client.sim_cards(2)
    assert (page.total, page.page_size, page.length) == (5000, 250, 250)
    for number in (250, 255, 256, 257):
        card, read = cards.card(number), page.cards[number - 250]
        assert await at.client.sim_card(card.id) == read
        group = None if card.group_number is None else GROUPS[card.group_number]
        assert (read.iccid, read.group, read.tags) == (card.iccid, group or "", card.tags)
        assert bool(read.group_id) is (group is not None)
        assert read.status == card.resting_status
    simulator.world.delete_sim_card(cards.card(250).id)
    with pytest.raises(NotFoundError):
        await at.client.sim_card(cards.card(250).id)


async def test_an_action_is_read_as_it_is(account: Account) -> None:
    """By the list and by its id, an action is what the account says of it."""
    at, simulator = account()
    (action_id,) = simulator.world.create(1, action_type="disable")
    reason = "The SIM card is blocked."
    simulator.world.finish(action_id, Status.FAILED, reason, at=EPOCH + 30.0)
    action = await at.client.get(action_id)
    assert (await at.client.list(Query())).actions == (action,)
    assert (action.id, action.action_type) == (action_id, "disable")
    assert (action.status, action.reason) == ("failed", reason)
    assert action.created_at == EPOCH
    assert action.updated_at == EPOCH + 30.0


async def test_every_filter_filters(account: Account) -> None:
    """Each parameter of a query does at the API what it is for."""
    at, simulator = account()
    simulator.world.create(3, action_type="enable")
    done = simulator.world.create(2, action_type="disable")
    for action_id in done:
        simulator.world.finish(action_id, Status.COMPLETED)
    bulk = simulator.world.ids.encode(IdType.BULK, 0)
    simulator.world.create(4, bulk=True)
    card = (await at.client.get(done[0])).sim_card_id

    async def total(**query: Any) -> int | None:
        page = await at.client.list(replace(Query(size=1), **query))
        assert isinstance(page, Page)
        return page.total

    assert await total() == 9
    assert await total(status="in-progress") == 7
    assert await total(action_type="disable") == 2
    assert await total(action_type="enable", status="completed") == 0
    assert await total(sim_card_id=card) == 1
    assert await total(bulk_id=bulk) == 4


async def test_pages_are_the_whole_list(account: Account) -> None:
    """Page by page every action comes once, and each page says how large it is."""
    at, simulator = account()
    ids = simulator.world.create(45, action_type="enable")
    pages = [await at.client.list(Query(page=number, size=20)) for number in (1, 2, 3, 4)]
    assert [len(page.actions) for page in pages] == [20, 20, 5, 0]
    assert {page.page_size for page in pages} == {20}
    assert sorted(action.id for page in pages for action in page.actions) == sorted(ids)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        (Query(page=0), "page[number]"),
        (Query(size=251), "page[size]"),
        (Query(status="interrupted"), "filter[status]"),
        (Query(action_type="teleport"), "filter[action_type]"),
    ],
)
async def test_a_bad_parameter_is_named(account: Account, query: Query, parameter: str) -> None:
    """The API says which parameter it does not take, and so does the error."""
    at, _ = account()
    with pytest.raises(BadRequestError, match="HTTP 422: 10015 Invalid parameter") as caught:
        await at.client.list(query)
    assert f"({parameter})" in str(caught.value)


async def test_what_is_not_there_is_not_found(account: Account) -> None:
    """An id that the account does not know, and one that is none, are both not found."""
    at, _ = account()
    for action_id in ("6a09cdc3-8948-47f0-aa62-74ac943d6c58", "..", "a/b"):
        with pytest.raises(NotFoundError):
            await at.client.get(action_id)


@pytest.mark.parametrize("empty", [False, True], ids=["documented-body", "no-body"])
async def test_a_revoked_key_is_refused_and_a_new_one_works(
    account: Account, *, empty: bool
) -> None:
    """The key of the next request is the one that is then valid."""
    at, simulator = account(faults=FaultSettings(empty_unauthorized=empty))
    simulator.faults.script(Fault.UNAUTHORIZED)
    with pytest.raises(AuthError, match=r"^HTTP 401"):
        await at.client.list(Query())
    simulator.key = "KEY-other"
    assert (await at.client.list(Query())).total == 0


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.RESET, Fault.SLOW, Fault.SILENCE, Fault.THROTTLED]
)
async def test_a_fault_that_passes_is_not_noticed(account: Account, fault: Fault) -> None:
    """Three of them in a row cost three more requests, and the page comes."""
    at, simulator = account(faults=FaultSettings(slow_seconds=60.0))
    simulator.faults.script(fault, fault, fault)
    assert (await at.client.list(Query())).total == 0
    assert simulator.served == len(at.notes.done) == 4
    assert len(at.notes.retries) == 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVER_ERROR, UnavailableError),
        (Fault.RESET, UnavailableError),
        (Fault.SILENCE, UnavailableError),
        (Fault.TRUNCATED, InvalidResponseError),
        (Fault.HTML, UnavailableError),
        (Fault.BLOCKED, UnavailableError),
        (Fault.UNAUTHORIZED, AuthError),
        (Fault.FORBIDDEN, AuthError),
    ],
)
async def test_a_fault_that_stays_is_an_error(
    account: Account, fault: Fault, error: type[PollError]
) -> None:
    """Each kind of trouble is an error of its own, and tried again only where that may help."""
    at, simulator = account(faults=FaultSettings().changed(**{fault.value: 1.0}))
    with pytest.raises(error) as caught:
        await at.client.list(Query())
    assert type(caught.value) is error
    retryable = error is UnavailableError and fault not in {Fault.HTML, Fault.BLOCKED}
    assert simulator.served == len(at.notes.done) == (4 if retryable else 1)


async def test_odd_and_bad_items_do_not_hide_the_others(account: Account) -> None:
    """Bare statuses are read, items without an id are counted, all the others are there."""
    at, simulator = account(faults=FaultSettings(odd_status=0.3, malformed=0.1))
    simulator.world.create(250, action_type="enable")
    page = await at.client.list(Query())
    assert page.malformed > 0
    assert len(page.actions) == 250 - page.malformed
    assert {action.status for action in page.actions} == {"in-progress"}
    assert at.notes.malformed == [page.malformed]


@pytest.mark.parametrize("retry_after", [False, True], ids=["reset-only", "retry-after"])
@pytest.mark.parametrize("style", ["seconds", "epoch"])
async def test_the_rate_limit_is_never_run_into(
    account: Account, style: str, *, retry_after: bool
) -> None:
    """One by one, no request is refused: each window is used up and the next one waited for."""
    at, simulator = account(
        rate_limit=5, rate_window=10.0, rate_reset=style, retry_after=retry_after
    )
    for _ in range(20):
        await at.client.list(Query())
    assert simulator.served == 20
    assert {code for _, code, _ in at.notes.done} == {"200"}
    assert 30.0 <= at.clock.monotonic() <= 35.0
    assert at.notes.limits[-1] == (5.0, 0.0)


@pytest.mark.parametrize("style", ["seconds", "epoch"])
async def test_requests_side_by_side_get_through_a_rate_limit(account: Account, style: str) -> None:
    """At once, at most the requests that are under way are refused, and all are answered."""
    at, simulator = account(rate_limit=5, rate_window=10.0, rate_reset=style)
    pages = await asyncio.gather(*(at.client.list(Query()) for _ in range(20)))
    assert len(pages) == 20
    codes = [code for _, code, _ in at.notes.done]
    assert (codes.count("200"), codes.count("429")) == (20, simulator.served - 20)
    assert codes.count("429") <= 4 * 3
