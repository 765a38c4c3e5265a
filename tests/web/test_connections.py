import asyncio
import contextlib
from typing import Any

import httpx
import pytest

from exporter.address import ListenAddress
from exporter.web.server import MAX_CONNECTIONS

DEADLINE = 30.0
GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"

RELOAD = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _ask(address: ListenAddress) -> str:
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        return (await client.get("/-/healthy")).text


async def _ended(reader: asyncio.StreamReader) -> bool:
    """Read until the connection ends, be it closed or reset."""
    with contextlib.suppress(ConnectionResetError):
        await asyncio.wait_for(reader.read(), DEADLINE)
    return reader.at_eof() or reader.exception() is not None


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET], ids=["silent", "slow", "used"])
async def test_held_connections_keep_nobody_out(
    operator: Any, serve: Any, connect: Any, sent: bytes
) -> None:
    """However many connections are held open, a new one is served; the oldest gives way."""
    _, address = await serve(operator.app())
    held: list[Stream] = []
    for _ in range(MAX_CONNECTIONS + 150):
        reader, writer = await connect(address)
        held.append((reader, writer))
        writer.write(sent)
        if sent is GET:
            await asyncio.wait_for(reader.readuntil(b"healthy\n"), DEADLINE)
    assert await _ask(address) == "healthy\n"
    assert await _ended(held[0][0])
    assert not held[-1][0].at_eof()


async def test_busy_connection_does_not_give_way(operator: Any, serve: Any, connect: Any) -> None:
    """A request that is being answered outlives any number of newer connections."""
    _, address = await serve(operator.app(waits=True))
    reader, writer = await connect(address)
    writer.write(RELOAD)
    await asyncio.wait_for(operator.arrived.acquire(), DEADLINE)
    held = [await connect(address) for _ in range(MAX_CONNECTIONS + 50)]
    assert await _ended(held[0][0])
    operator.block.set()
    answer = await asyncio.wait_for(reader.readuntil(b"reloaded\n"), DEADLINE)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_all_busy_is_said(operator: Any, serve: Any, connect: Any) -> None:
    """Where every connection has a request running, one more is told to come later."""
    _, address = await serve(operator.app(waits=True))
    for _ in range(MAX_CONNECTIONS):
        _, writer = await connect(address)
        writer.write(RELOAD)
    async with asyncio.timeout(DEADLINE):
        for _ in range(MAX_CONNECTIONS):
            await operator.arrived.acquire()
    async with httpx.AsyncClient(base_url=address.url, trust_env=False) as client:
        assert (await client.get("/-/healthy")).status_code == 503
    operator.block.set()


async def test_flood_of_scrapes_is_answered(operator: Any, serve: Any) -> None:
    """Two hundred scrapes at once all get an answer, and a probe beside them does."""
    _, address = await serve(operator.app())
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=address.url, trust_env=False, limits=limits, timeout=DEADLINE
    ) as client:
        flood = [asyncio.create_task(client.get("/metrics")) for _ in range(200)]
        assert await _ask(address) == "healthy\n"
        answers = await asyncio.gather(*flood)
    assert {each.status_code for each in answers} == {200}
