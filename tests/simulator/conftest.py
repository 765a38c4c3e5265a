"""Fixtures of the simulator's tests: an account in which nothing happens, and ways to call it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from exporter.simulator.server import serving
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.loopback import NO_TLS
from tests.support.simulation import QUIET, InProcessTransport, ManualClock

if TYPE_CHECKING:
    from telnyx import Telnyx


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that only the test moves."""
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    """Return a simulator of an account in which nothing happens by itself."""
    return Simulator(SimulatorSettings(world=QUIET), clock)


@pytest.fixture
def get() -> Callable[..., Awaitable[httpx.Response]]:
    """Return a function that sends one GET to a simulator, with its key."""
    transports: dict[int, InProcessTransport] = {}

    async def send(simulator: Simulator, path: str, **params: object) -> httpx.Response:
        if id(simulator) not in transports:
            transports[id(simulator)] = InProcessTransport(simulator)
        async with httpx.AsyncClient(
            transport=transports[id(simulator)],
            base_url="http://simulator/v2/",
            headers={"authorization": f"Bearer {simulator.key}"},
        ) as client:
            query = {name: str(value) for name, value in params.items()}
            return await client.get(path, params=query)

    return send


@pytest.fixture
def listening() -> Callable[[Simulator], AbstractContextManager[str]]:
    """Return a context that serves a simulator on loopback, in a thread; it yields the URL."""

    @contextmanager
    def serve(simulator: Simulator) -> Iterator[str]:
        url: Future[str] = Future()
        stopping: Future[Callable[[], object]] = Future()

        async def run() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            stopping.set_result(lambda: loop.call_soon_threadsafe(stop.set))
            async with serving(simulator) as base_url:
                url.set_result(base_url)
                await stop.wait()

        thread = threading.Thread(target=asyncio.run, args=(run(),))
        thread.start()
        try:
            yield url.result(timeout=10)
        finally:
            stopping.result(timeout=10)()
            thread.join(timeout=10)

    return serve


@pytest.fixture
def sdk(
    account: Simulator, listening: Callable[[Simulator], AbstractContextManager[str]]
) -> "Iterator[Telnyx]":
    """Return the official client, pointed at the `account` of the tests, without retries."""
    # It takes more than a second, in each process that collects tests.
    from telnyx import DefaultHttpxClient, Telnyx  # noqa: PLC0415

    with (
        listening(account) as base_url,
        Telnyx(
            api_key=account.key,
            base_url=base_url,
            max_retries=0,
            http_client=DefaultHttpxClient(trust_env=False, verify=NO_TLS),
        ) as client,
    ):
        yield client


@pytest.fixture
def errors() -> Any:
    """Return the module of the official client, which has its errors."""
    return import_module("telnyx")
