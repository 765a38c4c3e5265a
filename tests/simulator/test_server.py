import asyncio
import os
import signal
import socket

import httpx
import pytest

from exporter.address import ListenAddress
from exporter.errors import UsageError
from exporter.simulator.faults import Fault, FaultSettings
from exporter.simulator.server import serve, serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.loopback import NO_TLS
from tests.support.simulation import QUIET

BROKEN = (httpx.ReadError, httpx.RemoteProtocolError)


async def test_it_listens_while_the_context_lasts(simulator: Simulator) -> None:
    """Inside the context the base URL answers, and after it nobody listens there."""
    async with (
        serving(simulator) as base_url,
        httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client,
    ):
        answer = await client.get(
            f"{base_url}/sim_cards", headers={"authorization": f"Bearer {simulator.key}"}
        )
        assert answer.status_code == 200
        assert answer.headers.get_list("date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(base_url)


async def test_two_are_served_at_once(simulator: Simulator) -> None:
    """Each server takes a free port of its own."""
    async with serving(simulator) as one, serving(simulator) as two:
        assert one != two


async def test_signals_are_left_alone(simulator: Simulator) -> None:
    """Inside another program the server installs no handler of its own."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    async with serving(simulator):
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.SILENCE])
async def test_a_connection_breaks(
    simulator: Simulator, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """A reset cuts the answer in the middle, silence lasts until the client gives up."""
    simulator.faults.script(fault)
    expected = BROKEN if fault is Fault.RESET else httpx.ReadTimeout
    async with (
        serving(simulator) as base_url,
        httpx.AsyncClient(timeout=0.2, trust_env=False, verify=NO_TLS) as client,
    ):
        with pytest.raises(expected):
            await client.get(f"{base_url}/sim_cards")
        assert (await client.get(f"{base_url}/sim_cards")).status_code == 401
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_a_slow_answer_takes_its_time(simulator: Simulator) -> None:
    """A slow answer comes late and whole."""
    simulator.faults.settings = FaultSettings(slow=1.0, slow_seconds=0.05)
    loop = asyncio.get_running_loop()
    async with (
        serving(simulator) as base_url,
        httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client,
    ):
        asked = loop.time()
        assert (await client.get(f"{base_url}/sim_cards")).status_code == 401
        assert loop.time() - asked > 0.04


async def test_it_stops_in_the_middle_of_silence(
    simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that waits for ever does not keep the server from stopping, nor is it an error."""
    simulator.faults.script(Fault.SILENCE)
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:  # noqa: S113 - waits on purpose
        async with asyncio.timeout(10), serving(simulator) as base_url:
            waiting = asyncio.create_task(client.get(f"{base_url}/sim_cards"))
            async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as other:
                while simulator.served == 0:
                    await other.get(base_url.removesuffix("/v2"))
        with pytest.raises(BROKEN):
            await waiting
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_a_port_in_use_is_a_usage_error(simulator: Simulator) -> None:
    """A port in use is a UsageError that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(simulator, ListenAddress("127.0.0.1", port)):
                pass


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_runs_until_it_is_urls_to_stop(stop: signal.Signals) -> None:
    """It reports its address once it listens, and a signal ends it without an error."""
    urls: list[str] = []

    def started(base_url: str) -> None:
        urls.append(base_url)
        os.kill(os.getpid(), stop)

    before = signal.getsignal(stop)
    async with asyncio.timeout(10):
        await serve(SimulatorSettings(world=QUIET), [ListenAddress("127.0.0.1", 0)], started)
    assert urls[0].startswith("http://127.0.0.1:")
    assert signal.getsignal(stop) is before
