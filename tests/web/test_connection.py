import asyncio
import contextlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from exporter.address import ListenAddress
from exporter.web.connection_limiter import MAX_CONNECTIONS, MIN_CONNECTIONS
from tests.support.loopback import NO_TLS

DEADLINE = 30.0
GET = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"

RELOAD = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _ask(address: ListenAddress) -> str:
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        return (await client.get("/-/healthy")).text


async def _read(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, be it closed or reset."""
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.wait_for(reader.read(), DEADLINE)
    return b""


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
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
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


LARGE = b"x" * 32_000_000
"""More than the buffers of both ends hold."""


async def _large(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(LARGE)(scope, receive, send)


async def _a_moment() -> None:
    """Let the other side work."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.005, passed.set)
    await passed.wait()


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("requests", [1, 3], ids=["one", "pipelined"])
async def test_who_does_not_take_an_answer_is_let_go(
    serve: Any, connect: Any, requests: int
) -> None:
    """An answer that nobody reads does not stay in memory, nor does its connection stay open."""
    _, address = await serve(_large, answer_timeout=0.2)
    before = _files()
    reader, writer = await connect(address)
    writer.transport.pause_reading()
    writer.write(GET * requests)
    async with asyncio.timeout(DEADLINE):
        while _files() <= before + 1:  # the server has let it in
            await _a_moment()
        while _files() > before + 1:  # only the client's end is left
            await _a_moment()
    writer.transport.resume_reading()
    assert len(await _read(reader)) < len(LARGE) * requests


async def test_who_takes_an_answer_slowly_gets_all_of_it(serve: Any, connect: Any) -> None:
    """What is taken piece by piece takes longer than the time for one piece."""
    _, address = await serve(_large, answer_timeout=0.2)
    reader, writer = await connect(address, limit=2**16)
    writer.write(GET)
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE)
    left = len(LARGE)
    while left:
        left -= len(await asyncio.wait_for(reader.read(left), DEADLINE))
        await _a_moment()


async def test_pipelined_answers_that_nobody_takes_keep_nobody_out(
    serve: Any, connect: Any
) -> None:
    """However many clients ask and do not read, a new one is served."""
    _, address = await serve(_large, files=lambda: 10**9)
    for _ in range(MIN_CONNECTIONS):
        _, writer = await connect(address)
        writer.transport.pause_reading()
        writer.write(GET * 2)
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        assert (await client.get("/")).content == LARGE


async def test_request_that_does_not_end_is_let_go(operator: Any, serve: Any, connect: Any) -> None:
    """A body that is promised and comes byte by byte has no more time than a head."""
    _, address = await serve(operator.app(), header_timeout=0.2)
    reader, writer = await connect(address)
    writer.write(RELOAD.replace(b"Length: 0", b"Length: 1000000"))
    await asyncio.wait_for(reader.readuntil(b"reloaded\n"), DEADLINE)
    ended = asyncio.create_task(_ended(reader))
    async with asyncio.timeout(DEADLINE):
        while not ended.done():
            writer.write(b"x")
            await _a_moment()


async def test_idle_connections_that_go_are_counted_and_told(
    operator: Any, serve: Any, connect: Any
) -> None:
    """The server says how many had to go, and tells once that it is full."""
    told: list[int] = []
    server, address = await serve(operator.app(), files=lambda: 10**9, on_full=told.append)
    for _ in range(MIN_CONNECTIONS + 5):
        await connect(address)
    assert await _ask(address) == "healthy\n"
    assert server.connections_dropped == 6
    assert told == [MIN_CONNECTIONS]


async def test_who_closes_its_sending_side_gets_the_answer(
    operator: Any, serve: Any, connect: Any
) -> None:
    """A client that says it sends no more still reads the answer, then the end."""
    _, address = await serve(operator.app(waits=True))
    reader, writer = await connect(address)
    writer.write(RELOAD)
    writer.write_eof()
    await asyncio.wait_for(operator.arrived.acquire(), DEADLINE)
    await _ask(address)
    operator.block.set()
    assert (await _read(reader)).endswith(b"reloaded\n")


async def test_all_that_came_before_the_end_is_answered(
    operator: Any, serve: Any, connect: Any
) -> None:
    """Requests that were sent together, and the end with them, all have their answers."""
    _, address = await serve(operator.app())
    reader, writer = await connect(address)
    writer.write(GET.replace(b"/-/healthy", b"/metrics") + RELOAD + GET)
    writer.write_eof()
    answers = await _read(reader)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert answers.endswith(b"healthy\n")


async def test_who_has_hung_up_keeps_nobody_out(operator: Any, serve: Any, connect: Any) -> None:
    """Where all connections are of clients that left before their answer, a new one is served."""
    _, address = await serve(operator.app(waits=True), files=lambda: 10**9)
    held = []
    for _ in range(MIN_CONNECTIONS):
        reader, writer = await connect(address)
        writer.write(RELOAD)
        writer.write_eof()
        held.append(reader)
        await asyncio.wait_for(operator.arrived.acquire(), DEADLINE)
    await connect(address)
    assert await _ended(held[0])
    operator.block.set()


async def test_pipelined_requests_are_answered_in_order(
    operator: Any, serve: Any, connect: Any
) -> None:
    """Requests that come at once, and one in two pieces after them, all get their answers."""
    _, address = await serve(operator.app())
    reader, writer = await connect(address)
    chunked = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(GET + chunked + b"2\r\nab\r\n0\r\n\r\n" + GET[:10])
    await asyncio.wait_for(reader.readuntil(b"healthy\n"), DEADLINE)
    await asyncio.wait_for(reader.readuntil(b"reloaded\n"), DEADLINE)
    writer.write(GET[10:])
    answer = await asyncio.wait_for(reader.readuntil(b"healthy\n"), DEADLINE)
    assert b"\r\ndate: " in answer


async def test_a_pipelined_request_that_does_not_end_is_let_go(
    operator: Any, serve: Any, connect: Any
) -> None:
    """A part of a request that came with the one before has no more time than another."""
    _, address = await serve(operator.app(waits=True), header_timeout=0.2)
    reader, writer = await connect(address)
    writer.write(RELOAD)
    await asyncio.wait_for(operator.arrived.acquire(), DEADLINE)
    writer.write(GET[:10])
    await _ask(address)
    operator.block.set()
    assert (await _read(reader)).endswith(b"reloaded\n")


async def test_a_body_is_asked_for_and_left_alone(operator: Any, serve: Any, connect: Any) -> None:
    """A connection whose request had a body that nobody read carries the next one."""
    _, address = await serve(operator.app())
    reader, writer = await connect(address)
    for _ in range(3):
        writer.write(RELOAD.replace(b"Length: 0", b"Length: 200000") + b"x" * 200_000)
        await asyncio.wait_for(reader.readuntil(b"reloaded\n"), DEADLINE)
    assert operator.reloads == 3
