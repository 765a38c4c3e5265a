from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.simulation import QUIET, ManualClock

Get = Callable[..., Awaitable[httpx.Response]]


async def test_an_action_looks_as_the_specification_says(
    simulator: Simulator, clock: ManualClock, get: Get
) -> None:
    """A listed action has the documented fields, times with milliseconds and a Z."""
    (action_id,) = simulator.world.create(action_type="enable", created_at=clock.now + 0.5214)
    simulator.world.finish(action_id, Status.FAILED, "No luck.", at=clock.now + 60)
    listed = (await get(simulator, "sim_card_actions")).json()
    assert listed == {
        "data": [
            {
                "id": action_id,
                "record_type": "sim_card_action",
                "sim_card_id": listed["data"][0]["sim_card_id"],
                "action_type": "enable",
                "status": {"value": "failed", "reason": "No luck."},
                "settings": None,
                "created_at": "2023-11-14T22:13:20.521Z",
                "updated_at": "2023-11-14T22:14:20.000Z",
            }
        ],
        "meta": {"total_pages": 1, "total_results": 1, "page_number": 1, "page_size": 20},
    }
    by_id = await get(simulator, f"sim_card_actions/{action_id}")
    assert by_id.json() == {"data": listed["data"][0]}


@pytest.mark.parametrize(
    ("page", "held"),
    [
        pytest.param(1, 10, id="first"),
        pytest.param(3, 5, id="last, half full"),
        pytest.param(4, 0, id="past the end"),
        pytest.param(10**9, 0, id="far past the end"),
    ],
)
async def test_a_page_echoes_what_was_asked_for(
    simulator: Simulator, get: Get, page: int, held: int
) -> None:
    """The meta is right on every page, also where no page is."""
    simulator.world.create(25)
    answer = await get(simulator, "sim_card_actions", **{"page[number]": page, "page[size]": 10})
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == held
    assert answer.json()["meta"] == {
        "total_pages": 3,
        "total_results": 25,
        "page_number": page,
        "page_size": 10,
    }


async def test_filters_narrow_the_list(simulator: Simulator, get: Get) -> None:
    """Status, type, SIM card and bulk filter, alone and together; a foreign id finds nothing."""
    (done, *_) = simulator.world.create(3, action_type="enable")
    simulator.world.finish(done, Status.COMPLETED)
    simulator.world.create(4, bulk=True)
    sim = (await get(simulator, f"sim_card_actions/{done}")).json()["data"]["sim_card_id"]
    bulk = (await get(simulator, "bulk_sim_card_actions")).json()["data"][0]["id"]

    async def total(**filters: str) -> int:
        query = {f"filter[{name}]": value for name, value in filters.items()}
        answer = await get(simulator, "sim_card_actions", **query)
        found: int = answer.json()["meta"]["total_results"]
        return found

    assert await total(status="in-progress") == 6
    assert await total(status="completed") == 1
    assert await total(action_type="enable", status="in-progress") == 2
    assert await total(bulk_sim_card_action_id=bulk) == 4
    assert await total(sim_card_id=sim, action_type="enable", status="completed") == 1
    assert await total(sim_card_id="6a09cdc3-8948-47f0-aa62-74ac943d6c58") == 0


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("page[size]", "251"),
        ("page[size]", "0"),
        ("page[size]", "many"),
        ("page[number]", "0"),
        ("page[number]", "-1"),
        ("page[number]", "9" * 5000),
        ("filter[status]", "interrupted"),
        ("filter[status]", ""),
        ("filter[action_type]", "explode"),
        ("filter[sim_card_id]", "17"),
        ("filter[bulk_sim_card_action_id]", "17"),
        ("filter[created_at]", "2024"),
        ("sort", "created_at"),
    ],
    ids=lambda text: text[:20],
)
async def test_a_bad_parameter_is_named(
    simulator: Simulator, get: Get, parameter: str, value: str
) -> None:
    """What the API does not document is 422, and the error says which parameter it is."""
    answer = await get(simulator, "sim_card_actions", **{parameter: value})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["source"] == {"parameter": parameter}
    assert error["code"] == "10015"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("sim_cards", "filter[status]"),
        ("sim_cards", "filter[sim_card_group_id]"),
        ("sim_cards", "include_sim_card_group"),
        ("sim_cards", "include_pin_puk_codes"),
        ("sim_card_groups", "filter[status]"),
        ("sim_cards/6a09cdc3-8948-47f0-aa62-74ac943d6c58", "include_pin_puk_codes"),
        ("bulk_sim_card_actions", "filter[action_type]"),
        ("sim_card_actions/6a09cdc3-8948-47f0-aa62-74ac943d6c58", "page[size]"),
    ],
)
async def test_other_endpoints_name_bad_parameters_too(
    simulator: Simulator, get: Get, path: str, parameter: str
) -> None:
    """A parameter that an endpoint does not serve is 422 there."""
    answer = await get(simulator, path, **{parameter: "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["source"] == {"parameter": parameter}


async def test_all_bad_parameters_are_named_at_once(simulator: Simulator, get: Get) -> None:
    """Two mistakes give two errors."""
    answer = await get(simulator, "sim_card_actions", **{"page[size]": 0, "sort": "x"})
    assert [e["source"]["parameter"] for e in answer.json()["errors"]] == ["page[size]", "sort"]


@pytest.mark.parametrize(
    "path",
    [
        "sim_card_actions/6a09cdc3-8948-47f0-aa62-74ac943d6c58",
        "sim_card_actions/17",
        "bulk_sim_card_actions/6a09cdc3-8948-47f0-aa62-74ac943d6c58",
        "sim_cards/6a09cdc3-8948-47f0-aa62-74ac943d6c58",
        "sim_cards/17",
        "sim_card_groups/6a09cdc3-8948-47f0-aa62-74ac943d6c58",
        "phone_numbers",
    ],
)
async def test_what_is_not_there_is_404(simulator: Simulator, get: Get, path: str) -> None:
    """Unknown ids and unknown paths are 404 with the documented code, a string."""
    answer = await get(simulator, path)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "10005")


async def test_an_action_of_the_history_is_found_by_its_id(get: Get, clock: ManualClock) -> None:
    """What is listed of the history can be read by id, too."""
    settings = SimulatorSettings(world=replace(QUIET, history=10_000_000))
    simulator = Simulator(settings, clock)
    listed = await get(simulator, "sim_card_actions", **{"page[number]": 400_000, "page[size]": 25})
    last = listed.json()["data"][-1]
    assert (await get(simulator, f"sim_card_actions/{last['id']}")).json()["data"] == last


async def test_bulks_sum_up_their_actions(simulator: Simulator, get: Get) -> None:
    """A bulk says how many of its actions have which status; lists are newest first."""
    first, *_ = simulator.world.create(3, bulk=True)
    simulator.world.create(2, action_type="enable_voice", bulk=True)
    simulator.world.finish(first, Status.FAILED)
    bulks = (await get(simulator, "bulk_sim_card_actions")).json()["data"]
    assert [each["action_type"] for each in bulks] == ["bulk_enable_voice", "bulk_set_public_ips"]
    assert bulks[1]["sim_card_actions_summary"] == [
        {"status": "in-progress", "count": 2},
        {"status": "completed", "count": 0},
        {"status": "failed", "count": 1},
        {"status": "interrupted", "count": 0},
    ]
    one = await get(simulator, f"bulk_sim_card_actions/{bulks[1]['id']}")
    assert one.json() == {"data": bulks[1]}
    some = await get(
        simulator, "bulk_sim_card_actions", **{"filter[action_type]": "bulk_enable_voice"}
    )
    assert some.json()["data"] == bulks[:1]


async def test_sim_cards_are_those_of_the_actions(get: Get, clock: ManualClock) -> None:
    """The SIM card of an action is one of the account's."""
    simulator = Simulator(SimulatorSettings(world=replace(QUIET, sim_cards=7)), clock)
    simulator.world.create(20)
    cards = (await get(simulator, "sim_cards")).json()
    actions = (await get(simulator, "sim_card_actions")).json()["data"]
    assert cards["meta"]["total_results"] == len(cards["data"]) == 7
    assert {each["sim_card_id"] for each in actions} <= {each["id"] for each in cards["data"]}


async def test_pages_may_be_capped_and_filters_ignored(simulator: Simulator, get: Get) -> None:
    """The meta says what is served, so that every action is on a page."""
    ids = set(simulator.world.create(25, action_type="enable"))
    simulator.faults.settings = simulator.faults.settings.changed(
        page_size_cap=10, filters_ignored=1.0
    )
    found = []
    for number in (1, 2, 3):
        page = {"page[number]": number, "page[size]": 250, "filter[status]": "failed"}
        answer = (await get(simulator, "sim_card_actions", **page)).json()
        assert (answer["meta"]["page_size"], answer["meta"]["total_pages"]) == (10, 3)
        found += [each["id"] for each in answer["data"]]
    assert (len(found), set(found)) == (25, ids)


async def test_statuses_and_times_may_be_undocumented(simulator: Simulator, get: Get) -> None:
    """Of some actions, the same ones each time."""
    simulator.world.create(200, action_type="enable")
    simulator.faults.settings = simulator.faults.settings.changed(unknown_status=0.5, odd_times=0.5)
    listed, again = [
        (await get(simulator, "sim_card_actions", **{"page[size]": 200})).json()["data"]
        for _ in range(2)
    ]
    assert listed == again
    assert {each["status"]["value"] for each in listed} == {"in-progress", "parked"}
    times = [each["created_at"] for each in listed]
    assert None in times
    assert len({each and "T" in each for each in times}) == 3


@pytest.mark.parametrize(
    ("option", "places"), [("list", (True, True)), ("object", (False, True)), ("nowhere", (0, 0))]
)
async def test_summaries_may_be_missing(
    simulator: Simulator, get: Get, option: str, places: tuple[bool, bool]
) -> None:
    """In the list of bulk actions, or in the object too."""
    simulator.world.create(3, action_type="set_public_ip", bulk=True)
    simulator.faults.settings = simulator.faults.settings.changed(bulk_summary=option)
    (listed,) = (await get(simulator, "bulk_sim_card_actions")).json()["data"]
    one = (await get(simulator, f"bulk_sim_card_actions/{listed['id']}")).json()["data"]
    assert tuple("sim_card_actions_summary" in each for each in (listed, one)) == places


async def test_an_account_may_be_out_of_funds(simulator: Simulator, get: Get) -> None:
    """With Telnyx's code for it."""
    simulator.faults.settings = simulator.faults.settings.changed(unpaid=1.0)
    answer = await get(simulator, "sim_card_actions")
    assert answer.status_code == 402
    assert answer.json()["errors"][0]["code"] == "20100"
