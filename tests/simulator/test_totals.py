from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.faults import FaultSettings
from exporter.simulator.settings import ListOrder, SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.simulation import QUIET, InProcessTransport, ManualClock

Get = Callable[..., Awaitable[httpx.Response]]
MILLIONS = 10_000_000
LISTS = ("sim_card_actions", "bulk_sim_card_actions", "sim_cards")


@pytest.fixture
def total(get: Get) -> Callable[..., Awaitable[int]]:
    """Return a function that asks for a total, and checks that the pages go with it."""

    async def ask(simulator: Simulator, path: str = "sim_card_actions", **filters: str) -> int:
        query = {f"filter[{name}]": value for name, value in filters.items()}
        meta = (await get(simulator, path, **query)).json()["meta"]
        found: int = meta["total_results"]
        assert meta["total_pages"] == -(-found // 20)
        return found

    return ask


Total = Callable[..., Awaitable[int]]


def long_account(
    clock: ManualClock, order: ListOrder = ListOrder.NEWEST, **faults: object
) -> Simulator:
    """Return an account with ten million actions behind it, and its faults."""
    world = replace(QUIET, history=MILLIONS, order=order.value)
    return Simulator(
        SimulatorSettings(world=world, faults=FaultSettings().changed(**faults)), clock
    )


@pytest.mark.parametrize("order", ListOrder)
async def test_totals_lag_while_the_list_is_current(
    clock: ManualClock, get: Get, total: Total, order: ListOrder
) -> None:
    """Each listing's total is as it was so many seconds ago, whenever it was last asked for."""
    simulator = long_account(clock, order, totals_lag=10)
    ids = simulator.world.create(30, action_type="enable")
    clock.advance(4)
    simulator.tick()
    simulator.world.finish(ids[0], Status.COMPLETED)
    listed = await get(simulator, "sim_card_actions", **{"filter[status]": "in-progress"})
    assert (len(listed.json()["data"]), listed.json()["meta"]["total_results"]) == (20, 0)
    assert await total(simulator) == MILLIONS
    clock.advance(6)
    assert await total(simulator) == MILLIONS + 30
    assert await total(simulator, status="in-progress") == 30
    assert await total(simulator, status="in-progress", action_type="disable") == 0
    clock.advance(4)
    assert await total(simulator, status="in-progress", action_type="enable") == 29


async def test_a_lag_holds_at_once_and_no_longer_than_it_is_on(
    simulator: Simulator, clock: ManualClock, total: Total
) -> None:
    """Switched on, it gives the earlier total; switched off, the present one."""
    simulator.world.create(3)
    clock.advance(60)
    simulator.tick()
    simulator.world.create(2, bulk=True)
    assert await total(simulator) == 5
    simulator.faults.settings = FaultSettings(totals_lag=30.0)
    assert await total(simulator) == 3
    assert await total(simulator, "bulk_sim_card_actions") == 0
    simulator.faults.settings = FaultSettings()
    assert await total(simulator) == 5
    assert await total(simulator, "bulk_sim_card_actions") == 1


async def test_what_was_there_from_the_start_does_not_lag(clock: ManualClock, total: Total) -> None:
    """Actions that were stuck before the start are in the totals of before the start."""
    world = replace(QUIET, stuck_at_start=4, history=100)
    settings = SimulatorSettings(world=world, faults=FaultSettings(totals_lag=3600.0))
    assert await total(Simulator(settings, clock)) == 104


async def test_what_left_the_list_lags_too(
    simulator: Simulator, clock: ManualClock, total: Total
) -> None:
    """An action that is no longer listed stays in the total for as long as the lag."""
    gone, *_ = simulator.world.create(5)
    clock.advance(20)
    simulator.tick()
    simulator.world.delete([gone])
    simulator.faults.settings = FaultSettings(totals_lag=10.0)
    assert await total(simulator) == 5
    clock.advance(10)
    assert await total(simulator) == 4


async def test_totals_are_short_for_a_while(clock: ManualClock, total: Total) -> None:
    """They are too small by a fixed number, until the time is over."""
    simulator = long_account(clock, totals_short=1000, totals_short_for=10.0)
    reported = []
    for seconds in (100, 9, 1):
        clock.advance(seconds)
        reported.append(await total(simulator))
    assert reported == [MILLIONS - 1000, MILLIONS - 1000, MILLIONS]
    simulator.faults.settings = simulator.faults.settings.changed()
    assert await total(simulator) == MILLIONS - 1000


async def test_totals_are_short_until_changed(
    simulator: Simulator, clock: ManualClock, total: Total
) -> None:
    """Without a time they stay short, and never fall below 0."""
    simulator.world.create(5)
    simulator.faults.settings = FaultSettings(totals_short=3)
    assert await total(simulator) == 2
    clock.advance(10_000)
    assert await total(simulator) == 2
    simulator.faults.settings = FaultSettings(totals_short=30)
    assert await total(simulator) == 0


@pytest.mark.parametrize("order", ListOrder)
async def test_totals_stop_at_a_cap(
    clock: ManualClock, get: Get, total: Total, order: ListOrder
) -> None:
    """No listing has a total above the cap, and pages go on beyond it."""
    simulator = long_account(clock, order, totals_cap=10_000)
    failed = {"filter[status]": "failed"}
    assert await total(simulator) == await total(simulator, status="failed") == 10_000
    assert await total(simulator, status="in-progress") == 0
    for filters in ({}, failed):
        page = {"page[number]": 2000, "page[size]": 250, **filters}
        answer = (await get(simulator, "sim_card_actions", **page)).json()
        assert len(answer["data"]) == 250
        assert answer["meta"] == {
            "total_pages": 40,
            "total_results": 10_000,
            "page_number": 2000,
            "page_size": 250,
        }


async def test_totals_jump_anew_with_each_answer(clock: ManualClock, total: Total) -> None:
    """A fraction of the totals is wrong, either way, within the bound and reproducibly."""
    first, second = (long_account(clock, totals_jump=0.5, totals_jump_by=40) for _ in range(2))
    reported = [await total(first) - MILLIONS for _ in range(300)]
    assert reported == [await total(second) - MILLIONS for _ in range(300)]
    assert 100 < reported.count(0) < 200
    assert min(reported) < -30
    assert max(reported) > 30
    assert all(abs(each) <= 40 for each in reported)


async def test_a_jump_is_never_right_nor_below_nothing(simulator: Simulator, total: Total) -> None:
    """Where little is listed, a jump down ends at 0, and of nothing it is a jump up."""
    simulator.faults.settings = FaultSettings(totals_jump=1.0, totals_jump_by=1000)
    assert all([await total(simulator) > 0 for _ in range(50)])
    simulator.world.create(2)
    reported = {await total(simulator) for _ in range(100)}
    assert {0, 1} < reported
    assert 2 not in reported
    assert max(reported) > 900


async def test_some_totals_are_zero(clock: ManualClock, total: Total) -> None:
    """A fraction of the answers reports 0, whatever is listed."""
    simulator = long_account(clock, totals_zero=0.5)
    reported = [await total(simulator) for _ in range(100)]
    assert set(reported) == {0, MILLIONS}
    assert 25 < reported.count(0) < 75


@pytest.mark.parametrize("path", LISTS)
async def test_totals_are_missing(simulator: Simulator, get: Get, path: str) -> None:
    """The meta has no totals, or there is no meta, and the data is there all the same."""
    simulator.world.create(3, bulk=True)
    whole = (await get(simulator, path)).json()
    simulator.faults.settings = FaultSettings(totals_missing=1.0)
    page = {"page_number": 1, "page_size": 20}
    assert (await get(simulator, path)).json() == {"data": whole["data"], "meta": page}
    simulator.faults.settings = FaultSettings(totals_missing=1.0, meta_missing=1.0)
    assert (await get(simulator, path)).json() == {"data": whole["data"]}


async def test_wrong_totals_of_several_kinds_add_up(
    simulator: Simulator, clock: ManualClock, total: Total
) -> None:
    """A total lags, is short, and stops at the cap, in this order; 0 goes before all."""
    simulator.world.create(50)
    clock.advance(60)
    simulator.tick()
    simulator.world.create(50)
    lag = FaultSettings(totals_lag=10.0, totals_short=8)
    reported = []
    for more in ({}, {"totals_cap": 45}, {"totals_cap": 30}, {"totals_zero": 1.0}):
        simulator.faults.settings = lag.changed(**more)
        reported.append(await total(simulator))
    assert reported == [42, 42, 30, 0]


@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize(("deep", "status"), [("unprocessable", 422), ("bad_request", 400)])
async def test_deep_pages_are_refused(
    clock: ManualClock, get: Get, order: ListOrder, deep: str, status: int
) -> None:
    """A page that ends beyond the depth is refused by name; the one before it is whole."""
    simulator = long_account(clock, order, page_depth=10_000, deep_page=deep)
    for filters in ({}, {"filter[status]": "failed"}):
        last = {"page[number]": 40, "page[size]": 250, **filters}
        answer = (await get(simulator, "sim_card_actions", **last)).json()
        assert len(answer["data"]) == 250
        assert answer["meta"]["total_results"] > 10_000
        refused = await get(simulator, "sim_card_actions", **{**last, "page[number]": 41})
        assert refused.status_code == status
        (error,) = refused.json()["errors"]
        assert (error["code"], error["source"]) == ("10015", {"parameter": "page[number]"})
        assert error["detail"] == "pages end at item 10000; 41 of 250 goes beyond"


@pytest.mark.parametrize(("size", "last"), [(250, 4), (150, 6), (7, 142)])
async def test_a_deep_page_repeats_the_last_one(
    clock: ManualClock, get: Get, size: int, last: int
) -> None:
    """Beyond the depth comes the last page within it, under the number that was asked for."""
    simulator = long_account(clock, page_depth=1000, deep_page="repeat")
    pages = [
        (
            await get(simulator, "sim_card_actions", **{"page[number]": number, "page[size]": size})
        ).json()
        for number in (last - 1, last, last + 1, last + 1000)
    ]
    assert pages[0]["data"] != pages[1]["data"] == pages[2]["data"] == pages[3]["data"]
    assert [each["meta"]["page_number"] for each in pages[2:]] == [last + 1, last + 1000]


@pytest.mark.parametrize("deep", ["empty", "repeat"])
async def test_a_deep_page_is_empty(simulator: Simulator, get: Get, deep: str) -> None:
    """Beyond the depth there is nothing, nor anything to repeat if no page is within it."""
    simulator.world.create(60, bulk=True)
    simulator.faults.settings = FaultSettings(page_depth=40, deep_page=deep)
    answer = (await get(simulator, "sim_card_actions", **{"page[size]": 50})).json()
    assert (answer["data"], answer["meta"]["total_results"]) == ([], 60)


@pytest.mark.parametrize("path", LISTS)
async def test_every_list_has_the_depth(simulator: Simulator, get: Get, path: str) -> None:
    """Deep pages are refused in each list, and bad parameters before them."""
    simulator.faults.settings = FaultSettings(page_depth=40)
    assert (await get(simulator, path, **{"page[number]": 2})).status_code == 200
    assert (await get(simulator, path, **{"page[number]": 3})).status_code == 422
    both = await get(simulator, path, **{"page[number]": 3, "sort": "x"})
    assert [e["source"]["parameter"] for e in both.json()["errors"]] == ["sort"]


async def test_they_are_switched_while_it_runs(simulator: Simulator, get: Get) -> None:
    """The control endpoint switches wrong totals and refused pages on and off again."""
    simulator.world.create(3)

    async def set_faults(**options: object) -> httpx.Response:
        async with httpx.AsyncClient(transport=InProcessTransport(simulator)) as client:
            return await client.post("http://simulator/_simulator/faults", json=options)

    answer = await set_faults(totals_short=2, page_depth=20, deep_page="bad_request")
    assert answer.json()["deep_page"] == "bad_request"
    assert (await get(simulator, "sim_card_actions")).json()["meta"]["total_results"] == 1
    assert (await get(simulator, "sim_cards", **{"page[number]": 2})).status_code == 400
    await set_faults(totals_short=0, page_depth=0)
    assert (await get(simulator, "sim_card_actions")).json()["meta"]["total_results"] == 3
    assert (await get(simulator, "sim_cards", **{"page[number]": 2})).status_code == 200
    wrong = await set_faults(deep_page="never")
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["title"].startswith("deep_page: 'never' is unknown; use one")
