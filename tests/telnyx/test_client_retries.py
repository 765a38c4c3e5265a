"""Which requests are sent again, how often, and after how long."""

from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from exporter.errors import (
    AuthError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    PollError,
    RateLimitedError,
    UnavailableError,
)
from exporter.telnyx.client import ATTEMPTS
from exporter.telnyx.query import Query

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]

EPOCH = 1_700_000_000
BROKEN = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("late"),
    httpx.ReadError("reset"),
    httpx.ReadTimeout("late"),
    httpx.WriteError("reset"),
    httpx.PoolTimeout("full"),
    httpx.RemoteProtocolError("closed"),
    httpx.ProxyError("no way"),
]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
async def test_a_status_that_passes_is_asked_again(desk: Desk, answer: Answer, status: int) -> None:
    """One such answer costs one more request, and nobody but the observer knows."""
    at = desk([answer(status, b""), answer()])
    await at.client.list(Query())
    assert at.notes.done == [("list", str(status), 0.0), ("list", "200", 0.0)]
    assert at.notes.retries == ["rate_limited" if status == 429 else "unavailable"]


@pytest.mark.parametrize("failure", BROKEN, ids=lambda failure: type(failure).__name__)
async def test_a_broken_connection_is_tried_again(
    desk: Desk, answer: Answer, failure: Exception
) -> None:
    """Whatever breaks the connection, the request is sent once more."""
    at = desk([failure, answer(200, b'{"data":{"id":"a"}}')])
    await at.client.get("a")
    assert at.notes.done == [("get", "error", 0.0), ("get", "200", 0.0)]
    assert at.notes.retries == ["unavailable"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, InvalidResponseError),
        (302, InvalidResponseError),
        (400, BadRequestError),
        (401, AuthError),
        (403, AuthError),
        (404, NotFoundError),
        (409, InvalidResponseError),
        (422, BadRequestError),
    ],
)
async def test_a_final_answer_is_not_asked_again(
    desk: Desk, answer: Answer, status: int, kind: type[PollError]
) -> None:
    """What would not change by asking again is an error after one request."""
    at = desk([answer(status, b'{"errors":[{"title":"No"}]}')])
    with pytest.raises(kind, match=rf"^HTTP {status}: No$") as caught:
        await at.client.list(Query())
    assert type(caught.value) is kind
    assert at.notes.done == [("list", str(status), 0.0)]
    assert at.notes.retries == []
    assert at.clock.waits == []


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitedError), (500, UnavailableError), (408, UnavailableError)]
)
async def test_the_last_attempt_ends_it(
    desk: Desk, answer: Answer, status: int, kind: type[PollError]
) -> None:
    """After so many attempts the error of the last one is raised, without one more wait."""
    at = desk(lambda _: answer(status, b'{"errors":[{"title":"Busy"}]}'))
    with pytest.raises(kind, match="Busy"):
        await at.client.list(Query())
    assert len(at.requests) == len(at.notes.done) == ATTEMPTS
    assert len(at.clock.waits) == len(at.notes.retries) == ATTEMPTS - 1


@pytest.mark.parametrize("failure", BROKEN, ids=lambda failure: type(failure).__name__)
async def test_a_connection_that_stays_broken_is_an_outage(desk: Desk, failure: Exception) -> None:
    """The errors of the HTTP library do not leave the client, but stay as the reason."""
    at = desk([failure] * ATTEMPTS)
    with pytest.raises(UnavailableError, match=r"connection failed|no response within") as caught:
        await at.client.list(Query())
    assert len(at.requests) == ATTEMPTS
    assert caught.value.__cause__ is not None


async def test_backoff_doubles_with_jitter(desk: Desk, answer: Answer) -> None:
    """Waits of about 0.5, 1 and 2 s, each a quarter more or less, and not all the same."""
    seen = set()
    for _ in range(20):
        at = desk([*(answer(500, b"") for _ in range(3)), answer()])
        await at.client.list(Query())
        for wait, base in zip(at.clock.waits, [0.5, 1.0, 2.0], strict=True):
            assert 0.75 * base <= wait <= 1.25 * base
        seen.add(at.clock.waits[0])
    assert len(seen) > 10


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "retry_after",
    ["7", "6.5", formatdate(EPOCH + 7, usegmt=True)],
    ids=["seconds", "part-of-a-second", "date"],
)
async def test_retry_after_is_obeyed(
    desk: Desk, answer: Answer, status: int, retry_after: str
) -> None:
    """The server's word on when to come back counts more than backoff."""
    at = desk([answer(status, b"", retry_after=retry_after), answer()])
    await at.client.list(Query())
    assert at.times[1] == pytest.approx(6.5 if retry_after == "6.5" else 7.0)


@pytest.mark.parametrize("reset", ["7", str(EPOCH + 7)], ids=["seconds", "epoch"])
async def test_the_reset_of_a_refused_request_is_obeyed(
    desk: Desk, answer: Answer, reset: str
) -> None:
    """Both readings of the header lead to the same wait."""
    at = desk([answer(429, b"", x_ratelimit_reset=reset), answer()])
    await at.client.list(Query())
    assert at.times[1] == pytest.approx(7.0)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "retry_after", ["0", "0.1", formatdate(EPOCH - 60, usegmt=True)], ids=["0", "0.1", "past"]
)
async def test_hardly_any_wait_is_not_taken_at_its_word(
    desk: Desk, answer: Answer, status: int, retry_after: str
) -> None:
    """A clock that differs from ours makes waits vanish: the backoff is kept at least."""
    at = desk([*(answer(status, b"", retry_after=retry_after) for _ in range(3)), answer()])
    await at.client.list(Query())
    assert at.times[3] >= 0.75 * (0.5 + 1.0 + 2.0)


async def test_the_wait_of_an_outage_has_a_cap(desk: Desk, answer: Answer) -> None:
    """An outage that says to come back tomorrow is asked again within the cap."""
    at = desk([answer(503, b"", retry_after="86400"), answer()])
    await at.client.list(Query())
    assert at.times[1] == pytest.approx(30.0)
