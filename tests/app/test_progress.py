"""How far a catch-up is shows while it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from exporter.config import Settings
from exporter.domain import Status
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings
from exporter.simulator.simulator import Simulator

Simulators = Callable[..., Awaitable[tuple[Simulator, str]]]
NEW = 20_000


async def test_what_is_unseen_falls_and_what_is_counted_rises(
    simulators: Simulators, settings: Callable[..., Settings], build: Callable[..., Any]
) -> None:
    """Also while the poll that reads it waits for an answer."""
    simulator, url = await simulators()
    rig = build(settings({"one": url}))
    await rig.start()
    await rig.until_polled()
    assert await rig.total("telnyx_exporter_unseen_actions") == 0
    # The first page tells how many there are, and after some chunks no answer comes.
    simulator.faults.script(*[None] * 60, *[Fault.SILENCE] * 100)
    simulator.tick()
    for action_id in simulator.world.create(NEW):
        simulator.world.finish(action_id, Status.COMPLETED)

    async def under_way() -> bool:
        unseen: float = await rig.total("telnyx_exporter_unseen_actions")
        return 0 < unseen < NEW / 2

    await rig.until(under_way)
    completed = await rig.total("telnyx_sim_card_actions_completed_total")
    assert 0 < completed < NEW
    assert 0 < await rig.total("telnyx_exporter_unseen_actions") <= NEW - completed
    page = (await rig.http.get("/")).text
    assert "<progress" in page
    await asyncio.wait_for(rig.stop(), 10)

    simulator.faults = FaultInjector(FaultSettings(), seed=1)
    again = build(settings({"one": url}))
    await again.start()
    await again.until_total("telnyx_sim_card_actions_completed_total", NEW)
    await again.until_polled()
    assert await again.total("telnyx_exporter_unseen_actions") == 0
    assert "<progress" not in (await again.http.get("/")).text
