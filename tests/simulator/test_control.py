from collections.abc import AsyncIterator

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.actions import ActionFilter
from exporter.simulator.simulator import Simulator
from tests.support.simulation import InProcessTransport


@pytest.fixture
async def control(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the control endpoints, without a key."""
    async with httpx.AsyncClient(
        transport=InProcessTransport(simulator), base_url="http://simulator/_simulator/"
    ) as client:
        yield client


async def test_the_record_tells_what_happened(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    """The record counts what was created and what it became, by type and by reason."""
    one, two, _ = simulator.world.create(3, action_type="enable")
    simulator.world.finish(one, Status.FAILED, "No luck.")
    simulator.world.finish(two, Status.INTERRUPTED)
    record = (await control.get("record")).json()
    assert record["created"]["enable"] == 3
    assert record["failed"]["enable"] == 1
    assert record["completed"]["enable"] == 0
    assert record["reasons"] == {"failed": {"No luck.": 1}, "interrupted": {"": 1}}
    assert record["current"]["enable"] == {
        "in-progress": 1,
        "completed": 0,
        "failed": 1,
        "interrupted": 1,
    }
    assert record["in_flight"] == 1
    assert record["problems"]["opened"] == {"connectivity": 2}
    assert {each["action_id"]: each["status"] for each in record["problems"]["open"]} == {
        one: "failed",
        two: "interrupted",
    }


async def test_faults_are_turned_one_by_one(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    """A fault that is posted is turned, and the others stay as they were."""
    await control.post("faults", json={"reset": 0.25})
    answer = await control.post("faults", json={"slow_seconds": 2})
    assert (await control.get("faults")).json() == answer.json()
    assert (simulator.faults.settings.reset, simulator.faults.settings.slow_seconds) == (0.25, 2)


async def test_actions_are_made_and_finished(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    """Actions, bulks too, can be made by HTTP, and finished one by one."""
    created = await control.post(
        "actions", json={"count": 3, "action_type": "enable_voice", "bulk": True}
    )
    ids = created.json()["ids"]
    assert simulator.world.total(ActionFilter(bulk_number=0, action_type="enable_voice")) == 3
    ended = await control.post(f"actions/{ids[0]}", json={"status": "failed", "reason": "x"})
    assert ended.json() == {"id": ids[0], "status": "failed", "reason": "x"}
    action = simulator.world.get(ids[0])
    assert action is not None
    assert (action.status, action.reason) == (Status.FAILED, "x")


async def test_an_action_is_made_on_a_sim_card(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    """A retry on the same SIM card can be made by HTTP; a foreign one is refused by its id."""
    (action_id,) = simulator.world.create(action_type="enable")
    first = simulator.world.get(action_id)
    assert first is not None
    body = {"action_type": "disable", "sim_card_id": first.sim_card_id}
    (retry_id,) = (await control.post("actions", json=body)).json()["ids"]
    retry = simulator.world.get(retry_id)
    assert retry is not None
    assert (retry.sim_card_id, retry.action_type) == (first.sim_card_id, "disable")
    refused = await control.post("actions", json={"sim_card_id": action_id})
    assert (refused.status_code, action_id in refused.text) == (422, True)


async def test_a_sim_card_is_deleted(simulator: Simulator, control: httpx.AsyncClient) -> None:
    """It is gone until that is undone; one that never was is refused by its id."""
    card = simulator.world.sim_cards.card(3)
    answer = await control.post(f"sim_cards/{card.id}", json={"deleted": True})
    assert answer.json() == {"id": card.id, "deleted": True}
    assert simulator.world.sim_cards.find(card.id) is None
    await control.post(f"sim_cards/{card.id}", json={"deleted": False})
    assert simulator.world.sim_cards.find(card.id) == card
    unknown = "6a09cdc3-8948-47f0-aa62-74ac943d6c58"
    refused = await control.post(f"sim_cards/{unknown}", json={"deleted": True})
    assert (refused.status_code, unknown in refused.text) == (422, True)


async def test_arrivals_are_paused_and_resumed(control: httpx.AsyncClient) -> None:
    """Pause and resume answer with what holds now."""
    assert (await control.post("pause")).json() == {"paused": True}
    assert (await control.post("resume")).json() == {"paused": False}


async def test_the_key_is_rotated(simulator: Simulator, control: httpx.AsyncClient) -> None:
    """After a rotation the old key is refused and the new one opens."""
    await control.post("key", json={"key": "KEY-new"})
    codes = [
        (
            await control.get(
                "http://simulator/v2/sim_cards", headers={"authorization": f"Bearer {key}"}
            )
        ).status_code
        for key in ("KEY-simulated", "KEY-new")
    ]
    assert codes == [401, 200]
    assert simulator.key == "KEY-new"


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        pytest.param("faults", '{"rest": 1}', "rest", id="unknown fault"),
        pytest.param("faults", '{"reset": "x"}', "reset", id="wrong fault"),
        pytest.param("faults", '{"reset": 0.6, "html": 0.6}', "reset, html", id="too much"),
        pytest.param("faults", "[]", "object", id="no object"),
        pytest.param("faults", "{", "truncated", id="no JSON"),
        pytest.param("actions", '{"counts": 1}', "counts", id="unknown field"),
        pytest.param("actions", '{"count": 0}', "count", id="out of range"),
        pytest.param("actions/17", '{"status": "failed"}', "17", id="no such action"),
        pytest.param("actions/17", '{"status": "lost"}', "lost", id="no such status"),
        pytest.param("key", '{"key": ""}', "key", id="no key"),
    ],
)
async def test_a_wrong_body_is_refused_by_name(
    simulator: Simulator, control: httpx.AsyncClient, path: str, body: str, named: str
) -> None:
    """What cannot be done is 422, names what is wrong, and changes nothing."""
    before = (simulator.faults.settings, simulator.key, simulator.world.record())
    answer = await control.post(path, content=body)
    assert answer.status_code == 422
    assert named in answer.json()["errors"][0]["title"]
    assert (simulator.faults.settings, simulator.key, simulator.world.record()) == before
