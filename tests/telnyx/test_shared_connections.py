"""Accounts that share their connections with an API, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from exporter.telnyx.http import Network, open_http

Respond = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

ACCOUNTS = 10
CONCURRENCY = 4


@asynccontextmanager
async def api(respond: Respond) -> AsyncIterator[tuple[str, list[asyncio.Task[None]]]]:
    """Yield the URL of a server, and a task for each connection, done once that is closed."""
    connections: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await respond(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connections


def clients(url: str, count: int) -> list[httpx.AsyncClient]:
    """Return the clients of so many accounts."""
    network = Network.read([url], {}, strict=False)
    return [
        open_http(timeout=10, concurrency=CONCURRENCY, transport=network.connect(url))
        for _ in range(count)
    ]


async def test_as_many_connections_as_requests_at_a_time() -> None:
    """However many run at once, the next ones need no further connection, and none is broken."""
    everyone = asyncio.Barrier(ACCOUNTS * CONCURRENCY)

    async def respond(_: bytes, writer: asyncio.StreamWriter) -> None:
        await everyone.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with api(respond) as (url, connections):
        accounts = clients(url, ACCOUNTS)
        for _ in range(3):
            requests = [each.get(url) for each in accounts for _ in range(CONCURRENCY)]
            await asyncio.gather(*requests)
        assert len(connections) == ACCOUNTS * CONCURRENCY
        for each in accounts:
            await each.aclose()
        await asyncio.wait_for(asyncio.gather(*connections), 10)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"])
async def test_a_cancelled_request_leaves_nothing_to_the_next_one(sent: bytes) -> None:
    """Its connection is closed: nobody is sent the rest of its response, nor waits for it."""
    waiting = asyncio.Event()

    async def respond(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b"first" in request:
            writer.write(sent)
            waiting.set()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond")

    async with api(respond) as (url, connections):
        one, two = clients(url, 2)
        first = asyncio.create_task(one.get(f"{url}first"))
        await waiting.wait()
        await asyncio.sleep(0)
        first.cancel()
        assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], BaseException)
        assert (await two.get(url)).text == "second"
        await asyncio.wait_for(connections[0], 10)
        await one.aclose()
        await two.aclose()
        await asyncio.wait_for(asyncio.gather(*connections), 10)


async def test_a_request_that_hangs_holds_up_no_other_account() -> None:
    """All that one account may send hang, and another one is answered."""
    hanging = asyncio.Semaphore(0)

    async def respond(request: bytes, writer: asyncio.StreamWriter) -> None:
        if b"hang" in request:
            hanging.release()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    async with api(respond) as (url, connections):
        one, two = clients(url, 2)
        held = [asyncio.create_task(one.get(f"{url}hang")) for _ in range(CONCURRENCY)]
        for _ in held:
            await hanging.acquire()
        assert (await two.get(url)).status_code == httpx.codes.OK
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        await one.aclose()
        await two.aclose()
        await asyncio.wait_for(asyncio.gather(*connections), 10)
