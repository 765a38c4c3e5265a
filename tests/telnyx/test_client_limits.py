"""That no more is sent than the limits allow: the window, the rate, requests side by side."""

import asyncio
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.errors import RateLimitedError
from exporter.telnyx.query import Query

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

EPOCH = 1_700_000_000


async def _ask(at: Any, count: int) -> list[object]:
    """Ask for ``count`` pages side by side; returns pages and errors."""
    asked = [at.client.list(Query(page=number + 1)) for number in range(count)]
    results: list[object] = await asyncio.gather(*asked, return_exceptions=True)
    return results


@pytest.mark.parametrize("reset", ["12", str(EPOCH + 12)], ids=["seconds", "epoch"])
async def test_nothing_is_sent_into_a_window_that_is_spent(
    desk: Desk, answer: Answer, reset: str
) -> None:
    """A good answer that was the last one of its window holds back the next request."""
    spent = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": reset}
    at = desk([answer(**spent), answer(**spent), answer()])
    for _ in range(3):
        await at.client.list(Query())
    # An epoch that has passed by then closes nothing any more.
    expected = [0.0, 12.0, 24.0] if reset == "12" else [0.0, 12.0, 12.0]
    assert at.times == pytest.approx(expected)
    assert at.notes.retries == []


@pytest.mark.parametrize("reset", ["3600", str(EPOCH + 1e6), "1e300"])
async def test_a_reset_far_ahead_of_a_good_answer_is_capped(
    desk: Desk, answer: Answer, reset: str
) -> None:
    """Nothing was refused: half a minute later the next request goes out, time and again."""
    at = desk(lambda _: answer(x_ratelimit_remaining="0", x_ratelimit_reset=reset))
    for _ in range(3):
        await at.client.list(Query())
    assert at.times == pytest.approx([0.0, 30.0, 60.0])


@pytest.mark.parametrize("ahead", [-3600, 3600])
async def test_points_in_time_are_read_on_the_clock_of_the_api(
    desk: Desk, answer: Answer, ahead: int
) -> None:
    """A clock here that is an hour off makes no window an hour longer or shorter."""
    date = formatdate(EPOCH + ahead, usegmt=True)
    spent = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(EPOCH + ahead + 12)}
    at = desk([answer(date=date, **spent), answer()])
    await at.client.list(Query())
    await at.client.list(Query())
    assert at.times == pytest.approx([0.0, 12.0])


@pytest.mark.parametrize(
    "headers",
    [
        {"x_ratelimit_remaining": "1", "x_ratelimit_reset": "12"},
        {"x_ratelimit_remaining": "0"},
        {"x_ratelimit_reset": "12"},
        {"retry_after": "12"},
    ],
    ids=["one-left", "no-reset", "no-remaining", "retry-after-of-a-good-answer"],
)
async def test_a_window_that_is_not_known_to_be_spent_is_open(
    desk: Desk, answer: Answer, headers: dict[str, str]
) -> None:
    """Without both headers, or with something left, nothing is held back."""
    at = desk([answer(**headers), answer()])
    await at.client.list(Query())
    await at.client.list(Query())
    assert at.times == [0.0, 0.0]


async def test_a_refusal_holds_back_the_others(desk: Desk, answer: Answer) -> None:
    """While one request waits for the limit, none of the others is sent."""
    refused = iter([answer(429, b"", retry_after="9")])
    at = desk(lambda _: next(refused, None) or answer(), concurrency=1)
    assert not [each for each in await _ask(at, 5) if isinstance(each, Exception)]
    assert at.times == pytest.approx([0.0] + [9.0] * 5)


async def test_a_refusal_on_its_own_terms_goes_before_the_reset(desk: Desk, answer: Answer) -> None:
    """Where Retry-After says less than the reset of the window, it counts for all requests."""
    limit = {"retry_after": "3", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "3000"}
    at = desk([answer(429, b"", **limit), answer()])
    await at.client.list(Query())
    assert at.times == pytest.approx([0.0, 3.0])


@pytest.mark.parametrize(
    "headers",
    [{"retry_after": "90"}, {"x_ratelimit_reset": "90"}, {"x_ratelimit_reset": str(EPOCH + 90)}],
    ids=["retry-after", "reset", "epoch"],
)
async def test_a_long_refusal_ends_the_poll_and_the_next_ones(
    desk: Desk, answer: Answer, headers: dict[str, str]
) -> None:
    """Past the cap nothing is sent again, by nobody, and each error says how long that holds."""
    at = desk([answer(429, b"", **headers), answer()])
    with pytest.raises(RateLimitedError, match="HTTP 429") as caught:
        await at.client.list(Query())
    assert caught.value.retry_after == pytest.approx(90.0)
    await asyncio.sleep(40.0)
    with pytest.raises(RateLimitedError, match="requires a wait of 50 s") as caught:
        await at.client.list(Query())
    assert caught.value.retry_after == pytest.approx(50.0)
    assert at.notes.done == [("list", "429", 0.0)]
    assert at.notes.retries == []
    await asyncio.sleep(caught.value.retry_after)
    await at.client.list(Query())
    assert at.times == pytest.approx([0.0, 90.0])


async def test_a_long_window_ends_those_that_wait_for_a_slot(desk: Desk, answer: Answer) -> None:
    """Requests that were asked for already are not sent either."""
    at = desk(lambda _: answer(429, b"", retry_after="90"), concurrency=1)
    errors = await _ask(at, 4)
    assert [type(error) for error in errors] == [RateLimitedError] * 4
    assert len(at.requests) == 1


async def test_a_wait_holds_while_it_is_a_retry_of_something_else(
    desk: Desk, answer: Answer
) -> None:
    """A request that backs off from an outage meets a window that closed meanwhile, and waits."""
    script = {
        "1": [answer(500, b""), answer()],
        "2": [answer(429, b"", retry_after="20"), answer()],
    }
    at = desk(lambda request: script[request.url.params["page[number]"]].pop(0))
    assert not [each for each in await _ask(at, 2) if isinstance(each, Exception)]
    assert at.times[:2] == [0.0, 0.0]
    assert at.times[2:] == pytest.approx([20.0, 20.0])


@pytest.mark.parametrize(
    ("rate", "count", "seconds"),
    [
        pytest.param(10.0, 10, 0.0, id="a-burst-of-one-second"),
        pytest.param(10.0, 60, 5.0, id="then-the-rate"),
        pytest.param(1.0, 4, 3.0, id="one-a-second"),
        pytest.param(0.5, 4, 6.0, id="one-every-two-seconds"),
        pytest.param(0.01, 3, 200.0, id="one-every-hundred-seconds"),
        pytest.param(2.5, 10, 3.0, id="a-broken-number"),
    ],
)
async def test_requests_keep_to_the_rate(
    desk: Desk, answer: Answer, rate: float, count: int, seconds: float
) -> None:
    """Beyond what one second (or one request) allows, requests go out at the rate, also below 1."""
    at = desk(lambda _: answer(), rate=rate)
    await _ask(at, count)
    assert len(at.times) == count
    assert at.times[-1] == pytest.approx(seconds, abs=0.01)


async def test_retries_keep_to_the_rate_too(desk: Desk, answer: Answer) -> None:
    """A retry is a request like any other."""
    at = desk([answer(500, b""), answer(500, b""), answer()], rate=0.1)
    await at.client.list(Query())
    assert at.times == pytest.approx([0.0, 10.0, 20.0], abs=0.01)


@pytest.mark.parametrize("concurrency", [1, 2, 4])
async def test_no_more_requests_run_side_by_side_than_allowed(
    desk: Desk, answer: Answer, concurrency: int
) -> None:
    """Of many requests asked for at once, only so many are open, and that many are."""
    running = most = 0

    async def play(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(1.0)
        running -= 1
        return answer()

    at = desk(play, concurrency=concurrency)
    await _ask(at, 12)
    assert most == concurrency
    assert at.clock.monotonic() == pytest.approx(12 / concurrency)


async def test_a_body_that_is_still_coming_takes_a_slot(desk: Desk, answer: Answer) -> None:
    """A request is over when its body is read, not when its headers have come."""

    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            await asyncio.sleep(1.0)
            yield b'{"data":[]}'

    at = desk(lambda _: answer(200, Slow()), concurrency=1)
    await _ask(at, 3)
    assert at.times == pytest.approx([0.0, 1.0, 2.0])


async def test_backing_off_takes_no_slot(desk: Desk, answer: Answer) -> None:
    """While one request waits for its retry, another one goes out."""
    script = {"1": [answer(503, b"", retry_after="20"), answer()], "2": [answer()]}
    at = desk(lambda request: script[request.url.params["page[number]"]].pop(0), concurrency=1)
    await _ask(at, 2)
    assert at.times == pytest.approx([0.0, 0.0, 20.0])


async def test_a_request_that_is_cancelled_gives_its_slot_back(desk: Desk, answer: Answer) -> None:
    """A poll that is cut off does not starve the next one; the observer is told of the request."""
    never = asyncio.Event()

    async def play(request: httpx.Request) -> httpx.Response:
        if request.url.params["page[number]"] == "1":
            await never.wait()
        return answer()

    at = desk(play, concurrency=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3.0):
            await at.client.list(Query())
    await at.client.list(Query(page=2))
    assert at.notes.done == [("list", "error", 3.0), ("list", "200", 0.0)]
    assert at.notes.retries == []
