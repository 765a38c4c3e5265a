from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.faults import Fault, FaultSettings
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import ReceivedRequest, Simulator
from tests.support.simulation import QUIET, InProcessTransport, ManualClock

Get = Callable[..., Awaitable[httpx.Response]]


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="none"),
        pytest.param("Bearer KEY-wrong", id="wrong key"),
        pytest.param("KEY-simulated", id="no scheme"),
    ],
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty body", "body"])
async def test_only_the_key_is_accepted(
    simulator: Simulator, authorization: str | None, *, empty: bool
) -> None:
    """Without the right key it is 401, with the documented body or none."""
    simulator.faults.settings = FaultSettings(empty_unauthorized=empty)
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx.AsyncClient(transport=InProcessTransport(simulator)) as client:
        answer = await client.get("http://simulator/v2/sim_card_actions", headers=headers)
    assert answer.status_code == 401
    if empty:
        assert answer.content == b""
    else:
        assert answer.json()["errors"][0]["code"] == "10009"


async def test_the_rate_limit_is_kept(get: Get, clock: ManualClock) -> None:
    """One request too many is 429 with the headers; after the window it goes on."""
    settings = SimulatorSettings(world=QUIET, rate_limit=1, rate_window=30.0, retry_after=True)
    simulator = Simulator(settings, clock)
    first = await get(simulator, "sim_card_actions")
    second = await get(simulator, "sim_card_actions")
    assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "0")
    assert (second.status_code, second.json()["errors"][0]["code"]) == (429, "10011")
    clock.advance(float(second.headers["retry-after"]))
    assert (await get(simulator, "sim_card_actions")).status_code == 200


async def test_the_account_advances_between_requests(get: Get, clock: ManualClock) -> None:
    """Each request sees the account at its own time, which the Date header gives."""
    simulator = Simulator(SimulatorSettings(world=replace(QUIET, rate=10.0)), clock)
    before = (await get(simulator, "sim_card_actions")).json()["meta"]["total_results"]
    clock.advance(60)
    answer = await get(simulator, "sim_card_actions")
    assert before == 0
    assert answer.json()["meta"]["total_results"] > 400
    assert answer.headers["date"] == "Tue, 14 Nov 2023 22:14:20 GMT"


async def test_requests_are_counted(simulator: Simulator, get: Get) -> None:
    """Every request to the API is kept, whatever its response; those to the controls are not."""
    simulator.faults.script(None, Fault.SERVER_ERROR)
    await get(simulator, "sim_card_actions", **{"page[size]": 5, "filter[status]": "failed"})
    await get(simulator, "sim_cards")
    async with httpx.AsyncClient(transport=InProcessTransport(simulator)) as client:
        await client.get("http://simulator/_simulator/record")
    assert list(simulator.requests) == [
        ReceivedRequest(
            "/v2/sim_card_actions", (("filter[status]", "failed"), ("page[size]", "5"))
        ),
        ReceivedRequest("/v2/sim_cards", ()),
    ]
    assert simulator.served == 2


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.UNAUTHORIZED, 401),
        (Fault.FORBIDDEN, 403),
        (Fault.THROTTLED, 429),
        (Fault.HTML, 200),
        (Fault.BLOCKED, 403),
        (Fault.TRUNCATED, 200),
    ],
)
async def test_a_fault_that_answers(
    simulator: Simulator, get: Get, fault: Fault, status: int
) -> None:
    """These faults give an answer with their status; a 200 is not valid JSON."""
    simulator.faults.script(fault)
    answer = await get(simulator, "sim_card_actions")
    assert answer.status_code == status
    if fault is Fault.BLOCKED:
        assert answer.headers["content-type"].startswith("text/html")
        assert "<title>Access denied</title>" in answer.text
    elif status == 200:
        with pytest.raises(ValueError, match=r"^(Expecting|Unterminated)"):
            answer.json()
    else:
        assert answer.json()["errors"][0]["code"]
    assert (await get(simulator, "sim_card_actions")).status_code == 200


async def test_server_errors_alternate(simulator: Simulator, get: Get) -> None:
    """The status is 500, 502 and 503 in turn."""
    simulator.faults.settings = FaultSettings(server_error=1.0)
    assert {(await get(simulator, "sim_cards")).status_code for _ in range(3)} == {500, 502, 503}


async def test_odd_actions_are_listed_as_often_as_configured(
    simulator: Simulator, get: Get
) -> None:
    """Some actions have a bare status or no reason, some no id, and the same ones each time."""
    for each in simulator.world.create(200):
        simulator.world.finish(each, Status.FAILED, "why")
    simulator.faults.settings = FaultSettings(odd_status=0.5, malformed=0.2)
    page = (await get(simulator, "sim_card_actions", **{"page[size]": 200})).json()["data"]
    bare = [each for each in page if each["status"] == "failed"]
    mute = [each for each in page if each["status"] == {"value": "failed", "reason": None}]
    nameless = [each for each in page if "id" not in each]
    assert 25 < len(bare) < 75
    assert 25 < len(mute) < 75
    assert 20 < len(nameless) < 60
    again = (await get(simulator, "sim_card_actions", **{"page[size]": 200})).json()["data"]
    assert again == page


async def test_the_root_says_what_this_is(simulator: Simulator) -> None:
    """The root, opened without a key, says what is served."""
    async with httpx.AsyncClient(transport=InProcessTransport(simulator)) as client:
        answer = await client.get("http://simulator/")
    assert answer.status_code == 200
    assert "simulated Telnyx account" in answer.text
