import asyncio
import gzip
from typing import Any

import httpx
import pytest

from exporter.metrics.negotiation import Format
from tests.support.loopback import NO_TLS

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready")


@pytest.mark.parametrize("path", PATHS)
async def test_get_and_head_are_answered(client: httpx.AsyncClient, path: str) -> None:
    """Each page answers GET, and HEAD in the same way."""
    assert (await client.get(path)).status_code == 200
    assert (await client.head(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/metrics/", "/x", "/-/", "/favicon.ico", "//", "/metrics/x", "/-/reload/"]
)
async def test_any_other_path_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    """There is nothing else, and no redirect to something."""
    assert (await client.get("http://test" + path)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *(("POST", path, {"GET", "HEAD"}) for path in PATHS),
        ("DELETE", "/metrics", {"GET", "HEAD"}),
        ("GET", "/-/reload", {"POST", "PUT"}),
        ("HEAD", "/-/reload", {"POST", "PUT"}),
    ],
)
async def test_wrong_method_is_told_the_right_one(
    client: httpx.AsyncClient, operator: Any, method: str, path: str, allowed: set[str]
) -> None:
    """A wrong method is refused with the right ones, and does nothing."""
    answer = await client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert operator.reloads == 0


@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", path) for path in PATHS), ("GET", "/x"), ("GET", "/-/reload")]
)
async def test_every_answer_is_hardened(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Errors carry the security headers as well; no script and no frame is ever allowed."""
    headers = (await client.request(method, path)).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"


async def test_mistake_of_ours_is_hardened_too(client: httpx.AsyncClient, operator: Any) -> None:
    """An internal error is a 500 without detail, with the security headers."""
    operator.snapshot = None
    answer = await client.get("/")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("*/*", Format.TEXT),
        ("application/openmetrics-text; version=1.0.0", Format.OPENMETRICS),
        ("application/openmetrics-text; version=abc", Format.TEXT),
    ],
)
async def test_metrics_come_in_the_format_asked_for(
    client: httpx.AsyncClient, accept: str, chosen: Format
) -> None:
    """The Content-Type says the format, and the body is in it."""
    answer = await client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"] == chosen.value
    assert answer.text.endswith("# EOF\n") is (chosen is Format.OPENMETRICS)
    assert 'telnyx_up{account="default"} 1.0' in answer.text


async def test_several_accept_headers_are_one(client: httpx.AsyncClient) -> None:
    """A header that comes in several lines means the same as in one."""
    headers = [("Accept", "text/plain;q=0.1"), ("Accept", "application/openmetrics-text")]
    answer = await client.get("/metrics", headers=headers)
    assert answer.headers["content-type"] == Format.OPENMETRICS.value


@pytest.mark.parametrize(("coding", "gzipped"), [("gzip", True), ("gzip;q=0", False)])
async def test_metrics_are_compressed_when_asked(
    client: httpx.AsyncClient,
    coding: str,
    gzipped: bool,  # noqa: FBT001 # a test's data
) -> None:
    """The body is gzip only for a client that takes it, and caches are told."""
    async with client.stream("GET", "/metrics", headers={"Accept-Encoding": coding}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert ("content-encoding" in answer.headers) is gzipped
    assert b"telnyx_up{" in (gzip.decompress(raw) if gzipped else raw)
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)


@pytest.mark.parametrize(
    ("coding", "gzipped"),
    [
        ("gzip", True),
        ("br;q=1, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("identity", False),
        ("", False),
    ],
)
async def test_the_page_is_compressed_when_asked(
    operator: Any, serve: Any, busy: Any, up: Any, snapshot: Any, coding: str, *, gzipped: bool
) -> None:
    """A page of many accounts is a fifth of its size for a browser, over a real connection."""
    operator.snapshot = snapshot(*[(busy, up)] * 40)
    _, address = await serve(operator.app())
    async with httpx.AsyncClient(base_url=address.url, trust_env=False, verify=NO_TLS) as client:
        plain = await client.get("/", headers={"Accept-Encoding": "identity"})
        async with client.stream("GET", "/", headers={"Accept-Encoding": coding}) as answer:
            raw = b"".join([chunk async for chunk in answer.aiter_raw()])
        head = await client.head("/", headers={"Accept-Encoding": coding})
    assert ("content-encoding" in answer.headers) is gzipped
    assert (gzip.decompress(raw) if gzipped else raw) == plain.content
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert len(raw) * 5 < len(plain.content) or not gzipped


async def test_probes_are_not_compressed(client: httpx.AsyncClient) -> None:
    """They are a word."""
    answer = await client.get("/-/healthy", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("/-/healthy", "healthy\n", "the poll loop is not running\n"),
        ("/-/ready", "ready\n", "waiting for the first complete poll of every account\n"),
    ],
)
async def test_probes_tell_the_state(
    client: httpx.AsyncClient, operator: Any, path: str, good: str, bad: str
) -> None:
    """A probe is 200 while all is well and else 503, each time anew."""
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (200, good)
    operator.healthy = operator.ready = False
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (503, bad)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_reload_succeeds(client: httpx.AsyncClient, operator: Any, method: str) -> None:
    """A good configuration is taken over, once for each request."""
    answer = await client.request(method, "/-/reload")
    assert (answer.status_code, answer.text) == (200, "configuration reloaded\n")
    assert operator.reloads == 1


async def test_refused_reload_names_every_mistake(client: httpx.AsyncClient, operator: Any) -> None:
    """A bad configuration is a 500 with one mistake a line, as text."""
    operator.mistakes = ("poll.interval: too short", "web: <b>unknown</b>")
    answer = await client.post("/-/reload")
    assert answer.status_code == 500
    assert answer.text == "poll.interval: too short\nweb: <b>unknown</b>\n"
    assert answer.headers["content-type"].startswith("text/plain")


async def test_page_is_whole_html(client: httpx.AsyncClient) -> None:
    """The landing page is HTML in UTF-8."""
    answer = await client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")


async def test_reload_keeps_no_other_request_waiting(operator: Any) -> None:
    """While a reload takes its time, scrapes and probes are answered."""
    transport = httpx.ASGITransport(operator.app(waits=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        reload = asyncio.create_task(client.post("/-/reload"))
        assert (await client.get("/metrics")).status_code == 200
        assert not reload.done()
        operator.block.set()
        assert (await reload).status_code == 200


async def test_a_mistake_that_quotes_odd_text_is_one_line(
    client: httpx.AsyncClient, operator: Any
) -> None:
    """Half a surrogate pair or a line break in the name of a key breaks neither line nor answer."""
    operator.mistakes = ("c.yaml:1: \ud800\n: unknown key",)
    answer = await client.post("/-/reload")
    assert (answer.status_code, answer.text) == (500, "c.yaml:1: \\ud800\\n: unknown key\n")
