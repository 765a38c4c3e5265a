"""An API on loopback that answers as the simulator does, until a test has it break byte by byte.

It must not know who asks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from exporter.domain import Status
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from tests.support.simulation import QUIET, InProcessTransport

KEY = "KEY-simulated"

Fault = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]] | None
"""What is sent in place of an answer, or done to the connection, which is closed then."""


class Api:
    """A simulated account behind a socket; ``seen`` holds the head of each request.

    Its clock is ``ahead`` of the real one, by how much may only grow.
    """

    def __init__(self, ahead: float) -> None:
        """Be well-behaved, in an account in which nothing happens by itself."""
        self.ahead = ahead
        settings = SimulatorSettings(world=QUIET, key=KEY)
        self.simulator = Simulator(settings, lambda: time.time() + self.ahead)
        self.fault: Fault = None
        self.seen: list[str] = []
        self.port = 0
        self._transport = InProcessTransport(self.simulator)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where an account's base URL points."""
        return f"http://127.0.0.1:{self.port}/v2"

    async def open(self) -> None:
        """Listen, at the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, and cut every connection."""
        if self._server is not None:
            self._server.close()
        for each in self._connections:
            each.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def happen(self, count: int, failed: int) -> None:
        """Let actions be created, the first of which fail at once."""
        self.simulator.tick()
        ids = self.simulator.world.create(count, action_type="enable")
        for action_id in ids[:failed]:
            self.simulator.world.finish(action_id, Status.FAILED, "SIM card is blocked")

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.seen.append(head)
                fault = self.fault
                if fault is None:
                    writer.write(await self._well(head))
                elif isinstance(fault, bytes):
                    writer.write(fault)
                else:
                    await fault(writer)
                await writer.drain()
                if fault is not None:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _well(self, head: str) -> bytes:
        """Answer as the simulator does."""
        line, *fields = head.split("\r\n")
        headers = dict(each.split(": ", 1) for each in fields if each)
        request = httpx.Request("GET", f"http://api{line.split()[1]}", headers=headers)
        answer = await self._transport.handle_async_request(request)
        return reply(answer.status_code, await answer.aread())


def reply(status: int, body: bytes) -> bytes:
    """Return a whole answer as it goes over the wire."""
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Give what ends in the end, the latest first."""
    async with AsyncExitStack() as entered:
        yield entered


@pytest.fixture
async def open_api(stack: AsyncExitStack) -> Callable[..., Awaitable[Api]]:
    """Give a starter of APIs."""

    async def start(ahead: float = 0.0) -> Api:
        api = Api(ahead)
        stack.push_async_callback(api.close)
        await api.open()
        return api

    return start


@pytest.fixture
async def api(open_api: Callable[..., Awaitable[Api]]) -> Api:
    """Give an API."""
    return await open_api()
