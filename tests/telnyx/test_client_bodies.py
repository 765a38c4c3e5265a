"""Bodies that come slowly, in part, packed, in excess, or not at all."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from exporter.errors import InvalidResponseError, UnavailableError
from exporter.telnyx.body import LARGEST_BODY
from exporter.telnyx.query import Query

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]
Body = Callable[..., httpx.AsyncByteStream]

PAGE = json.dumps({"data": [{"id": f"action-{number}"} for number in range(250)]}).encode()


class _Drip(httpx.AsyncByteStream):
    """Sends a byte every ``pause`` seconds, and counts those that were taken."""

    def __init__(self, content: bytes, pause: float) -> None:
        self._content = content
        self._pause = pause
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for byte in self._content:
            await asyncio.sleep(self._pause)
            self.sent += 1
            yield bytes([byte])

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("cuts", [[], [0], [1], [1, 2, 3], [5000]], ids=str)
async def test_a_body_may_come_in_any_parts(
    desk: Desk, answer: Answer, body: Body, cuts: list[int]
) -> None:
    """Where a body is cut into packets does not matter."""
    parts = [PAGE[start:end] for start, end in zip([0, *cuts], [*cuts, len(PAGE)], strict=True)]
    page = await desk([answer(200, body(*parts))]).client.list(Query())
    assert len(page.actions) == 250


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(PAGE[:1000], id="half-a-page"),
        pytest.param(gzip.compress(PAGE), id="packed-without-saying-so"),
    ],
)
async def test_a_good_status_with_a_bad_body_is_invalid(
    desk: Desk, answer: Answer, content: bytes
) -> None:
    """What is not even JSON is refused as what it is, at once."""
    at = desk([answer(200, content)])
    with pytest.raises(InvalidResponseError, match="not JSON"):
        await at.client.list(Query())
    assert at.notes.done == [("list", "200", 0.0)]
    assert at.notes.retries == []


@pytest.mark.parametrize(
    "failure",
    [httpx.ReadError("reset"), httpx.RemoteProtocolError("closed")],
    ids=["reset", "closed"],
)
async def test_a_body_that_breaks_off_is_asked_for_again(
    desk: Desk, answer: Answer, body: Body, failure: Exception
) -> None:
    """Half an answer is none: it counts as an error, whatever its status said."""
    at = desk([answer(200, body(PAGE[:1000], failure)), answer(200, PAGE)])
    assert len((await at.client.list(Query())).actions) == 250
    assert at.notes.done == [("list", "error", 0.0), ("list", "200", 0.0)]
    assert at.notes.retries == ["unavailable"]


async def test_a_body_is_read_up_to_the_cap(desk: Desk, answer: Answer, body: Body) -> None:
    """A body as large as the cap is read."""
    padding = b" " * (LARGEST_BODY - len(PAGE))
    at = desk([answer(200, body(PAGE, padding))])
    assert len((await at.client.list(Query())).actions) == 250


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_over_the_cap_is_not_read_on(desk: Desk, answer: Answer, status: int) -> None:
    """A body without end is left after the cap, and not asked for again."""
    sent = 0

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                yield b" " * 65536

    at = desk([answer(status, Endless())])
    with pytest.raises(InvalidResponseError, match=f"longer than {LARGEST_BODY} bytes"):
        await at.client.list(Query())
    assert sent == LARGEST_BODY // 65536 + 1
    assert at.notes.done == [("list", "error", 0.0)]


async def test_slow_bytes_do_not_stretch_the_time_out(desk: Desk, answer: Answer) -> None:
    """The time-out is for the whole answer: a byte now and then does not begin it anew."""
    drips = [_Drip(PAGE, 1.0) for _ in range(4)]
    at = desk([answer(200, drip) for drip in drips], timeout=5.5)
    with pytest.raises(UnavailableError, match=r"no response within 5\.5 s"):
        await at.client.list(Query())
    assert [drip.sent for drip in drips] == [5] * 4
    assert all(drip.closed for drip in drips)
    assert at.notes.done == [("list", "error", pytest.approx(5.5))] * 4
    assert at.notes.retries == ["unavailable"] * 3


async def test_an_answer_just_in_time_is_taken(desk: Desk, answer: Answer) -> None:
    """Slow is not too slow; the observer is told how long it took."""
    content = b'{"data":[]}'
    at = desk([answer(200, _Drip(content, 0.5))], timeout=5.6)
    await at.client.list(Query())
    assert at.notes.done == [("list", "200", pytest.approx(5.5))]


async def test_silence_ends_at_the_time_out(desk: Desk, answer: Answer) -> None:
    """A server that takes the request and never answers is asked again after the time-out."""
    never = asyncio.Event()
    script: list[httpx.Response | None] = [None, answer()]

    async def play(_: httpx.Request) -> httpx.Response:
        given = script.pop(0)
        if given is None:
            await never.wait()
        assert given is not None
        return given

    at = desk(play, timeout=2.0)
    await at.client.list(Query())
    assert [code for _, code, _ in at.notes.done] == ["error", "200"]
    assert at.times[1] == pytest.approx(2.5, abs=0.13)


async def test_the_time_a_request_waits_for_its_turn_is_not_counted(
    desk: Desk, answer: Answer
) -> None:
    """Waiting for the limiter is not the server's slowness: it neither times out nor is told."""
    at = desk(lambda _: answer(), rate=0.1, timeout=2.0)
    for _ in range(3):
        await at.client.list(Query())
    assert at.notes.done == [("list", "200", 0.0)] * 3
    assert at.times[-1] == pytest.approx(20.0, abs=0.01)
