from collections.abc import Awaitable, Callable

import httpx
import pytest

from exporter.simulator.faults import Fault, FaultSettings
from exporter.simulator.simulator import Simulator

Get = Callable[..., Awaitable[httpx.Response]]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.RESET, httpx.ReadError), (Fault.SILENCE, httpx.ReadTimeout)],
)
async def test_a_fault_that_breaks_the_connection(
    simulator: Simulator, get: Get, fault: Fault, error: type[Exception]
) -> None:
    """These faults give the client the error it would see on a real connection."""
    simulator.faults.script(fault)
    with pytest.raises(error):
        await get(simulator, "sim_card_actions")


@pytest.mark.parametrize(("seconds", "late"), [(4.9, False), (5.0, True)])
async def test_a_slow_answer_is_late_if_the_client_waits_less(
    simulator: Simulator, get: Get, seconds: float, *, late: bool
) -> None:
    """A client waits 5 s by default: an answer that takes as long does not reach it."""
    simulator.faults.settings = FaultSettings(slow=1.0, slow_seconds=seconds)
    if late:
        with pytest.raises(httpx.ReadTimeout):
            await get(simulator, "sim_card_actions")
    else:
        assert (await get(simulator, "sim_card_actions")).status_code == 200
