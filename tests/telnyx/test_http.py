import ssl

import httpx
import pytest

from exporter.telnyx.http import Route, open_http
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
