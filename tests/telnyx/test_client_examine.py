from collections.abc import Callable
from typing import Any

import pytest

from exporter.errors import AuthError, UnavailableError
from exporter.telnyx.client import Received
from tests.telnyx.conftest import EPOCH, KEY, Desk


async def test_what_is_examined_comes_as_it_was_sent(
    desk: Callable[..., Desk], answer: Callable[..., Any]
) -> None:
    """Any path below the base URL, with its body and headers, but for the key."""
    at = desk([answer(200, b'{"of": "' + KEY.encode() + b'"}', x_ratelimit_limit="7")])
    seen: list[Received] = []
    at.client.on_received = seen.append
    body = await at.client.examine("a", "../b", params={"c": "d"}, attempts=1, patience=1.0)
    assert body == b'{"of": "***"}'
    assert str(at.requests[0].url) == "https://api.telnyx.test/v2/a/%2E%2E%2Fb?c=d"
    (received,) = seen
    assert (received.answer.status, received.answer.body) == (200, body)
    assert received.headers["x-ratelimit-limit"] == "7"
    assert received.at == pytest.approx(EPOCH, abs=1)
    assert received.issuer == ""


@pytest.mark.parametrize("attempts", [1, 2, 3])
async def test_no_more_is_sent_than_attempts_say(
    desk: Callable[..., Desk], answer: Callable[..., Any], attempts: int
) -> None:
    """Each response is received, those that are repeated too."""
    at = desk([answer(500) for _ in range(attempts)])
    seen: list[Received] = []
    at.client.on_received = seen.append
    with pytest.raises(UnavailableError):
        await at.client.examine("a", params={}, attempts=attempts, patience=1.0)
    assert [each.answer.status for each in seen] == [500] * attempts
    assert len(at.requests) == attempts


async def test_a_refusal_is_received_and_raised(
    desk: Callable[..., Desk], answer: Callable[..., Any]
) -> None:
    """So is a page of another's."""
    at = desk([answer(401, b""), answer(200, b"<html>", content_type="text/html")])
    seen: list[Received] = []
    at.client.on_received = seen.append
    with pytest.raises(AuthError):
        await at.client.examine("a", params={}, attempts=1, patience=1.0)
    with pytest.raises(UnavailableError, match="not from Telnyx"):
        await at.client.examine("a", params={}, attempts=1, patience=1.0)
    assert [each.answer.status for each in seen] == [401, 200]
