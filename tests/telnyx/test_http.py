import asyncio
import ssl
from contextlib import suppress

import httpx
import pytest

from exporter.telnyx.http import Network, Route, open_http
from exporter.version import __version__


async def test_the_pool_introduces_itself_and_follows_nobody() -> None:
    """The program and its version are named, JSON is asked for, redirects are not followed."""
    async with open_http(timeout=3.0, concurrency=2) as http:
        assert http.headers["user-agent"] == f"telnyx-sim-exporter/{__version__}"
        assert http.headers["accept"] == "application/json"
        assert "authorization" not in http.headers
        assert not http.follow_redirects


@pytest.mark.parametrize("phase", ["connect", "read", "write", "pool"])
async def test_every_phase_of_a_request_is_bounded(phase: str) -> None:
    """No phase of a request lasts longer than the time-out."""
    async with open_http(timeout=3.0, concurrency=2) as http:
        assert http.timeout.as_dict()[phase] == 3.0


@pytest.mark.parametrize("error", [httpx.ConnectError(""), httpx.ReadError(" "), ssl.SSLError()])
def test_an_error_without_words_says_that_the_connection_was_closed(
    error: httpx.HTTPError | ssl.SSLError,
) -> None:
    """The library gives no words where the other side just leaves."""
    words = f"{type(error).__name__}: the connection was closed"
    assert Route().explain(error) == f"connection failed: {words}"


async def test_accounts_share_their_connections_until_the_last_one_ends() -> None:
    """An account that ends leaves the others connected; the last one closes what is open."""
    opened: list[asyncio.StreamWriter] = []
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()
        left.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        network = Network.read([url], {}, strict=False)
        one, two = (
            open_http(timeout=3.0, concurrency=2, transport=network.connect(url)) for _ in range(2)
        )
        for each in (one, two, one):
            assert (await each.get(url)).status_code == httpx.codes.OK
        await one.aclose()
        assert (await two.get(url)).status_code == httpx.codes.OK
        assert len(opened) == 1
        await two.aclose()
        await asyncio.wait_for(left.wait(), 10)
