import asyncio
import contextlib
import signal
from typing import Any

import httpx
import pytest

from exporter.address import ListenAddress
from exporter.errors import UsageError
from exporter.web.server import Server
from tests.support.loopback import NO_TLS

DEADLINE = 10.0

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(address: ListenAddress) -> Stream:
    return await asyncio.open_connection(address.host, address.port)


async def _get(address: ListenAddress, path: str = "/-/healthy") -> httpx.Response:
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        return await client.get(path)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection ends, be it closed or reset."""
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.wait_for(reader.read(), DEADLINE)
    return b""


async def test_server_serves_on_the_port_it_names(operator: Any, serve: Any) -> None:
    """Port 0 becomes a real port, and the app answers there."""
    _, address = await serve(operator.app())
    assert address.port > 0
    answer = await _get(address)
    assert answer.text == "healthy\n"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("", id="without a host"),
        pytest.param("::", id="of IPv6"),
    ],
)
async def test_every_address_is_that_of_ipv4_too(operator: Any, host: str) -> None:
    """An address that stands for all of the machine is reached by 127.0.0.1."""
    server = Server(operator.app())
    try:
        (address,) = await server.start(ListenAddress(host, 0))
        answer = await _get(ListenAddress("127.0.0.1", address.port))
        assert answer.status_code == 200
    finally:
        await server.stop(grace=0)


async def test_port_in_use_is_a_clear_error(operator: Any, serve: Any) -> None:
    """A taken port names the address and what to do."""
    _, address = await serve(operator.app())
    with pytest.raises(
        UsageError,
        match=f"{address}: the address is in use by another process .*; stop that process",
    ):
        await Server(operator.app()).start(address)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        pytest.param("203.0.113.1", "use an address of this machine", id="of another machine"),
        pytest.param("fe80::1%none", "the host name cannot be resolved", id="of no interface"),
        pytest.param("a" * 64, "the host name cannot be resolved", id="no name at all"),
    ],
)
async def test_wrong_host_is_a_clear_error(operator: Any, host: str, says: str) -> None:
    """An address that cannot be listened on names itself and what to do."""
    with pytest.raises(UsageError, match=says) as caught:
        await Server(operator.app()).start(ListenAddress(host, 0))
    assert f"cannot listen on {ListenAddress(host, 0)}: " in str(caught.value)


async def test_signal_handlers_are_left_alone(operator: Any, serve: Any) -> None:
    """Signals are the program's business, before and after."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    server, _ = await serve(operator.app())
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    await server.stop(grace=1)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


async def test_stopped_server_no_longer_listens(operator: Any, serve: Any) -> None:
    """After the stop nobody is let in, and the port is free again."""
    server, address = await serve(operator.app())
    await server.stop(grace=1)
    with pytest.raises(ConnectionRefusedError):
        await _connect(address)


async def test_stop_without_start_does_nothing(operator: Any) -> None:
    """A server that never ran can be stopped."""
    await Server(operator.app()).stop(grace=1)


async def test_idle_connections_do_not_hold_up_the_stop(operator: Any, serve: Any) -> None:
    """Clients that keep a connection, used or not, are let go at once."""
    server, address = await serve(operator.app())
    silent, writer = await _connect(address)
    used, used_writer = await _connect(address)
    used_writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.wait_for(used.readuntil(b"healthy\n"), DEADLINE)
    await asyncio.wait_for(server.stop(grace=DEADLINE * 10), DEADLINE)
    assert await _rest(silent) == b""
    assert await _rest(used) == b""
    writer.close()
    used_writer.close()


async def _ask_for_reload(address: ListenAddress, operator: Any) -> Stream:
    """Start a request that does not end, and return once the app works at it."""
    reader, writer = await _connect(address)
    writer.write(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    async with asyncio.timeout(DEADLINE):
        while not operator.reloads:
            await _get(address)
    return reader, writer


async def test_running_request_may_end_within_the_grace(operator: Any, serve: Any) -> None:
    """A request that runs when the stop begins still gets its answer."""
    server, address = await serve(operator.app(waits=True))
    reader, writer = await _ask_for_reload(address, operator)
    stop = asyncio.create_task(server.stop(grace=DEADLINE))
    operator.block.set()
    answer = await asyncio.wait_for(reader.read(), DEADLINE)
    await asyncio.wait_for(stop, DEADLINE)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"configuration reloaded\n")
    writer.close()


async def test_hanging_request_is_broken_off(operator: Any, serve: Any) -> None:
    """A request that does not end within the grace does not keep the server."""
    server, address = await serve(operator.app(waits=True))
    reader, writer = await _ask_for_reload(address, operator)
    await asyncio.wait_for(server.stop(grace=0.05), DEADLINE)
    assert await _rest(reader) == b""
    writer.close()


async def test_silent_client_is_shown_the_door(operator: Any, serve: Any) -> None:
    """A request whose head does not come in time loses its connection; others are served."""
    _, address = await serve(operator.app(), header_timeout=0.05)
    reader, writer = await _connect(address)
    writer.write(b"GET /metrics HT")
    assert await _rest(reader) == b""
    writer.close()
    assert (await _get(address)).status_code == 200


async def test_too_long_head_is_refused(operator: Any, serve: Any) -> None:
    """A head that never ends is answered with 400 instead of being kept in memory."""
    _, address = await serve(operator.app())
    reader, writer = await _connect(address)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000)
    answer = await asyncio.wait_for(reader.readline(), DEADLINE)
    assert answer.startswith(b"HTTP/1.1 400")
    writer.close()
