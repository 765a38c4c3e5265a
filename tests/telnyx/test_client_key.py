"""The API key: where it comes from, and that it goes into one header and nowhere else."""

import asyncio
import io
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from exporter.errors import AuthError, Cause, ConfigError, PollError, UnavailableError
from exporter.telnyx.query import Query

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

KEY = "KEY0123-secret"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Gather all that any library logs, down to the last detail."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def listening() -> Callable[[bytes], Any]:
    """Return a context that sends raw bytes to whoever connects, on loopback; yields its URL."""

    @asynccontextmanager
    async def serve(answer: bytes) -> AsyncIterator[str]:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2"

    return serve


def _everything(at: Any, error: BaseException) -> str:
    """Return all that a log, a page or a person may get to see of a failed request."""
    return " ".join(
        [
            *traceback.format_exception(error),
            repr(error),
            repr(error.__cause__),
            repr(at.client),
            repr(at.notes),
            repr(at.requests),
            repr([request.headers for request in at.requests]),
        ]
    )


async def test_the_key_is_asked_for_at_each_request(desk: Desk, answer: Answer) -> None:
    """A key that was replaced is used from the next request on, retries included."""
    keys = iter(["KEY-1", "KEY-2", "KEY-3"])
    at = desk([answer(), answer(500, b""), answer()], key=lambda: next(keys))
    await at.client.list(Query())
    await at.client.list(Query())
    assert [request.headers["authorization"] for request in at.requests] == [
        "Bearer KEY-1",
        "Bearer KEY-2",
        "Bearer KEY-3",
    ]


async def test_the_key_is_read_when_the_request_goes_out(desk: Desk, answer: Answer) -> None:
    """A request that has to wait goes out with the key of then."""
    spent = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "20"}
    loop = asyncio.get_running_loop()
    at = desk([answer(**spent), answer()], key=lambda: f"KEY-{loop.time():.0f}")
    await at.client.list(Query())
    await at.client.list(Query())
    assert at.requests[1].headers["authorization"] == "Bearer KEY-20"


@pytest.mark.parametrize("key", ["", " ", "KEY ", " KEY", "K EY", "KEY\n", "KEY\r\nx: y", "KEYé"])
async def test_a_key_that_fits_no_header_is_not_sent(desk: Desk, key: str) -> None:
    """Such a key cannot be right: the account is marked as refused, and the key is not shown."""
    at = desk([], key=key)
    with pytest.raises(AuthError, match="contains invalid characters") as caught:
        await at.client.list(Query())
    assert at.requests == []
    assert "KEY" not in str(caught.value)


async def test_a_key_that_cannot_be_read_counts_as_refused(desk: Desk) -> None:
    """An unreadable key file stops this account only, with the words of whoever read it."""

    def unreadable() -> str:
        raise ConfigError(["account a: api_key_file: cannot be read"])

    with pytest.raises(AuthError, match="cannot be read") as caught:
        await desk([], key=unreadable).client.list(Query())
    assert caught.value.cause is Cause.AUTH


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param((400, b'{"errors":[{"detail":"KEY0123-secret"}]}'), id="400"),
        pytest.param((401, b'{"errors":[{"code":"KEY0123-secret"}]}'), id="401"),
        pytest.param((404, b'{"errors":[{"source":{"pointer":"KEY0123-secret"}}]}'), id="404"),
        pytest.param((429, b'{"errors":[{"title":"KEY0123-secret"}]}'), id="429"),
        pytest.param((500, b"KEY0123-secret"), id="500"),
        pytest.param((200, b"Bearer KEY0123-secret"), id="no-json"),
        pytest.param((200, b'{"KEY0123-secret":1}'), id="no-listing"),
        pytest.param((302, b"Bearer KEY0123-secret"), id="redirect"),
        pytest.param((403, b"key0123-SECRET"), id="other-case"),
        pytest.param(
            (403, b"<title>" + b" " * (32 * 1024 - 17) + b"KEY0123-secret"), id="at-the-bound"
        ),
    ],
)
async def test_no_error_holds_the_key(
    desk: Desk, answer: Answer, log: io.StringIO, reply: tuple[int, bytes]
) -> None:
    """Not even where the server sends it back: neither error, repr nor log has it."""
    at = desk(lambda _: answer(*reply, location="https://a.test/"))
    with pytest.raises(PollError) as caught:
        await at.client.list(Query())
    assert KEY not in _everything(at, caught.value)
    assert KEY[:4] not in str(caught.value).upper()
    assert KEY not in log.getvalue()


LONG_KEY = "KEY" + "0123456789ABCDEF" * 2 + "_aB1cD2eF3gH4iJ5kL6mN7o"


@pytest.mark.parametrize("key", [LONG_KEY, "key-12", "KEY-12"])
@pytest.mark.parametrize("before", ["", "gzip, ", "x" * 40 + ", "])
async def test_a_packing_that_is_the_key_is_not_quoted(
    desk: Desk, answer: Answer, key: str, before: str
) -> None:
    """Neither as a whole nor in part."""
    at = desk([answer(200, b"x", content_encoding=before + key)], key=key)
    with pytest.raises(PollError) as caught:
        await at.client.list(Query())
    assert key[:5].lower() not in "".join(traceback.format_exception(caught.value)).lower()


async def test_a_redirect_to_the_key_is_struck_out(desk: Desk, answer: Answer) -> None:
    """A host is told in lower case, and the key with it."""
    at = desk([answer(302, b"", location=f"https://{KEY}.example.org/{KEY}")])
    with pytest.raises(UnavailableError) as caught:
        await at.client.list(Query())
    assert KEY.lower() not in str(caught.value).lower()
    assert "***.example.org" in str(caught.value)


async def test_a_broken_answer_with_the_key_is_told_without_it(desk: Desk) -> None:
    """The library quotes what it cannot read."""
    at = desk([httpx.RemoteProtocolError(f"illegal header line: {KEY}")] * 4)
    with pytest.raises(UnavailableError, match=r"illegal header line: \*\*\*") as caught:
        await at.client.list(Query())
    assert KEY not in _everything(at, caught.value)


@pytest.mark.parametrize(
    "failure",
    [httpx.ReadError("reset"), httpx.ConnectTimeout("late"), httpx.RemoteProtocolError("odd")],
    ids=["reset", "time-out", "protocol"],
)
async def test_no_broken_connection_shows_the_key(
    desk: Desk, log: io.StringIO, failure: Exception
) -> None:
    """The errors of the HTTP library know the request, but do not show its key."""
    at = desk([failure] * 4)
    with pytest.raises(UnavailableError) as caught:
        await at.client.list(Query())
    assert KEY not in _everything(at, caught.value)
    assert KEY not in log.getvalue()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n" + b'{"data":[]}', None, id="ok"
        ),
        pytest.param(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", AuthError, id="refused"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", UnavailableError, id="cut"),
        pytest.param(b"nonsense\r\n\r\n", UnavailableError, id="no-http"),
        pytest.param(b"", UnavailableError, id="closed"),
    ],
)
async def test_no_library_logs_the_key(
    desk: Desk,
    log: io.StringIO,
    listening: Callable[[bytes], Any],
    reply: bytes,
    error: type[PollError] | None,
) -> None:
    """Over a real connection, with all details logged, the key is in no line."""
    async with listening(reply) as base_url:
        at = desk(httpx.AsyncHTTPTransport(), base_url=base_url)
        if error is None:
            await at.client.list(Query())
        else:
            with pytest.raises(error) as caught:
                await at.client.list(Query())
            assert KEY not in _everything(at, caught.value)
    assert "send_request_headers" in log.getvalue()
    assert KEY not in log.getvalue()


@pytest.mark.parametrize("key", [KEY, "KEY/0123+secret="])
async def test_a_key_that_the_api_repeats_in_its_data_is_redacted(
    desk: Desk, answer: Answer, key: str
) -> None:
    """Reasons are logged, stored and shown, so a key in one of them goes no further."""
    item = {"id": "a", "status": {"value": "failed", "reason": f"key {key} is not allowed"}}
    at = desk([answer(200, json.dumps({"data": [item]}).encode())], key=key)
    (action,) = (await at.client.list(Query())).actions
    assert action.reason == "key *** is not allowed"


async def test_a_short_key_changes_no_data(desk: Desk, answer: Answer) -> None:
    """It could be part of an identifier by chance."""
    item = {"id": "KEY-1", "status": {"value": "failed", "reason": "no KEY-1"}}
    at = desk([answer(200, json.dumps({"data": [item]}).encode())], key="KEY-1")
    (action,) = (await at.client.list(Query())).actions
    assert (action.id, action.reason) == ("KEY-1", "no KEY-1")
