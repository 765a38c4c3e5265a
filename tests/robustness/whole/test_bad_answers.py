"""Each way in which an answer can be bad, through the real HTTP stack to /metrics and back."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
Running = Callable[..., Awaitable[Any]]

OK = b"HTTP/1.1 200 OK\r\n"
ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
"""What a server says that takes plain HTTP for a broken TLS handshake."""

BOMB = gzip.compress(b" " * 2**25, compresslevel=1)  # each worker packs it
HTML = b"<!DOCTYPE html><html><body>Log in to the network</body></html>"
WHOLE = b'{"data": [], "meta": {"total_results": 0, "page_number": 1, "page_size": 250}}'
MEGABYTE = b" " * 2**20


def answer(status: int, content: bytes = b"", *headers: bytes) -> bytes:
    """Return a whole answer as it goes over the wire."""
    lines = [b"HTTP/1.1 %d X" % status, b"content-length: %d" % len(content), *headers]
    return b"\r\n".join([*lines, b"", content])


def listing(data: object, total: object = 3) -> bytes:
    """Return a listing that says it holds whatever."""
    meta = {"page_number": 1, "page_size": 250, "total_results": total, "total_pages": 1}
    return answer(200, json.dumps({"data": data, "meta": meta}).encode())


def reset(after: bytes = b"") -> Behaviour:
    """Break the connection with a reset, after part of an answer."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        raw = cast("socket.socket", writer.get_extra_info("socket"))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return play


def drip(begin: bytes, part: bytes, pause: float = 0.02) -> Behaviour:
    """Send the same bytes for ever, ``pause`` seconds apart."""

    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return play


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def outage(exporter: Any, api: Any, fault: bytes | Behaviour, cause: str) -> None:
    """See that a fault which begins now shows, touches nothing, and passes by itself."""
    before = await exporter.look()
    assert before.causes == set()
    api.happen(2, failed=1)
    api.fault = fault
    broken = await exporter.until(lambda seen: seen.failures >= 1)
    assert (broken.up, broken.causes) == (0, {cause})
    assert broken.domain == before.domain
    assert await exporter.status("/-/healthy") == 200
    assert await exporter.status("/-/ready") == 200

    api.fault = None
    ended = await exporter.look()
    well = await exporter.until(lambda seen: seen.up == 1)
    # Of two polls after the cure the first may have begun before it.
    assert well.failures - ended.failures <= 1
    assert (well.causes, well.failed, well.created) == ({cause}, 3, 5)
    assert await exporter.status("/-/healthy") == 200
    told = await exporter.failures(3)
    assert len(told) == len(set(told)) == 3
    assert [each["cause"] for each in exporter.events("poll_failed")] == [cause]
    assert len(exporter.events("poll_recovered")) == 1


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        pytest.param(answer(500, b'{"errors":[{"code":"1"}]}'), "unavailable", id="500"),
        pytest.param(answer(502, HTML), "unavailable", id="502 with a page"),
        pytest.param(answer(503), "unavailable", id="503 without a body"),
        pytest.param(answer(504, b"null"), "unavailable", id="504 with null"),
        pytest.param(answer(200, HTML), "unavailable", id="HTML"),
        pytest.param(answer(200), "invalid_response", id="empty"),
        pytest.param(answer(204), "invalid_response", id="no content"),
        pytest.param(answer(200, WHOLE[:-20]), "invalid_response", id="truncated JSON"),
        pytest.param(OK + b"content-length: 99\r\n\r\n{", "unavailable", id="truncated body"),
        pytest.param(
            OK + b"transfer-encoding: chunked\r\n\r\n5\r\n{\r\n",
            "unavailable",
            id="truncated chunk",
        ),
        pytest.param(OK + b"content-le", "unavailable", id="truncated head"),
        pytest.param(answer(200, b"[]"), "invalid_response", id="a list"),
        pytest.param(listing([1, "x", None]), "invalid_response", id="items of wrong types"),
        pytest.param(
            listing([{"id": 7}] * 3, "many"), "invalid_response", id="ids and total of wrong types"
        ),
        pytest.param(answer(200, b'{"data": [\xff\xfe]}'), "invalid_response", id="no UTF-8"),
        pytest.param(answer(200, b"[" * 100_000), "invalid_response", id="nested too deep"),
        pytest.param(
            answer(200, WHOLE, b"content-encoding: gzip"), "invalid_response", id="not packed"
        ),
        pytest.param(
            answer(200, BOMB, b"content-encoding: gzip"), "invalid_response", id="packed bomb"
        ),
        pytest.param(drip(OK + b"\r\n", MEGABYTE, 0), "invalid_response", id="endless body"),
        pytest.param(drip(OK, b"x: y\r\n" * 9999, 0), "unavailable", id="endless head"),
        pytest.param(reset(), "unavailable", id="reset"),
        pytest.param(reset(OK + b"content-length: 99\r\n\r\n{"), "unavailable", id="reset body"),
        pytest.param(b"", "unavailable", id="closed"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "unavailable", id="no HTTP"),
        pytest.param(ALERT, "unavailable", id="TLS alert"),
        pytest.param(answer(401), "auth", id="401 without a body"),
        pytest.param(answer(401, HTML), "unavailable", id="401 with a page"),
        pytest.param(answer(403, HTML), "unavailable", id="403 with a page"),
        pytest.param(answer(404, HTML), "unavailable", id="404 with a page"),
        pytest.param(answer(407), "unavailable", id="407"),
        pytest.param(answer(451), "unavailable", id="451"),
        pytest.param(answer(403, b'{"errors": null}'), "auth", id="403"),
        pytest.param(answer(404), "invalid_response", id="404"),
        pytest.param(answer(422, b"[]"), "invalid_response", id="422"),
        pytest.param(answer(429), "rate_limited", id="429"),
        pytest.param(answer(429, b"", b"retry-after: 1"), "rate_limited", id="429 for 1 s"),
        pytest.param(
            answer(429, b"", b"x-ratelimit-remaining: 0", b"x-ratelimit-reset: 1"),
            "rate_limited",
            id="429 with nothing left",
        ),
    ],
)
async def test_a_bad_answer_shows_changes_nothing_and_passes(
    running: Running, api: Any, fault: bytes | Behaviour, cause: str
) -> None:
    """telnyx_up is 0 with the right cause, no series of an action moves, all is well after it."""
    await outage(await running(), api, fault, cause)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(silence, id="silence"),
        pytest.param(drip(OK + b"content-length: 9999\r\n\r\n", b" "), id="slow body"),
        pytest.param(drip(OK + b"x: ", b"y"), id="slow head"),
    ],
)
async def test_an_answer_that_does_not_end_shows_changes_nothing_and_passes(
    running: Running, api: Any, fault: Behaviour
) -> None:
    """What takes longer than a request may take is an outage, though bytes may go on coming."""
    await outage(await running(request_timeout=0.3), api, fault, "unavailable")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_host_gets_no_key(
    running: Running, api: Any, open_api: Callable[[], Awaitable[Any]], status: int
) -> None:
    """Something in between wants a login, perhaps: nothing is sent there, least of all the key."""
    other = await open_api()
    location = f"location: {other.url}/sim_card_actions".encode()
    await outage(await running(), api, answer(status, b"", location), "unavailable")
    assert other.seen == []


async def test_an_api_that_is_gone_shows_changes_nothing_and_passes(
    running: Running, api: Any
) -> None:
    """Nobody listens for a while: that is an outage like any other."""
    exporter = await running()
    before = await exporter.look()
    await api.close()
    broken = await exporter.until(lambda seen: seen.up == 0)
    assert (broken.causes, broken.domain) == ({"unavailable"}, before.domain)
    assert await exporter.status("/-/healthy") == 200
    api.happen(2, failed=1)
    await api.open()
    ended = await exporter.look()
    well = await exporter.until(lambda seen: seen.up == 1)
    assert well.failures - ended.failures <= 1
    assert (well.causes, well.failed, well.created) == ({"unavailable"}, 3, 5)
