"""What one account or one crowd of clients does must not be felt by the others."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

OpenApi = Callable[[], Awaitable[Any]]
Export = Callable[..., Awaitable[Any]]

OPEN_CONNECTIONS = 1000
AT_ONCE = 50
REFUSAL = b"HTTP/1.1 429 X\r\nretry-after: 900\r\ncontent-length: 0\r\n\r\n"


async def hang(_writer: object) -> None:
    """Never answer."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        pytest.param(hang, set(), id="silent"),
        pytest.param(REFUSAL, {"rate_limited"}, id="refused for long"),
    ],
)
async def test_an_account_that_has_to_wait_asks_nothing_and_slows_no_other(
    open_api: OpenApi, export: Export, fault: object, causes: set[str]
) -> None:
    """No request goes into a window that is closed, and the other account is polled as ever."""
    slow, good = await open_api(), await open_api()
    slow.fault = fault
    exporter = await export({"slow": slow.url, "good": good.url}, request_timeout=60.0)
    await exporter.until(lambda seen: seen.up == 1 and seen.causes == causes)
    slow.fault = None
    await exporter.until_polled(times=5, account="good")
    good.happen(2, failed=1)
    seen = await exporter.until(lambda seen: seen.failed == 1)
    assert (seen.total("telnyx_up", "good"), seen.causes) == (1, causes)
    assert seen.total("telnyx_exporter_polls_total", "slow") == len(causes)
    assert len(slow.seen) == 1
    assert await exporter.status("/-/healthy") == 200


CROWD = """\
import contextlib, socket, sys
host, port, count, sent = sys.argv[1:]
held = []
for _ in sys.stdin:
    for _ in range(int(count)):
        held.append(socket.create_connection((host, int(port))))
        with contextlib.suppress(ConnectionError):  # it may have given way already
            held[-1].sendall(sent.encode())
    print(len(held), flush=True)
"""
"""A process of its own, as both ends together are more files than one may open by default."""


@contextlib.asynccontextmanager
async def crowd(exporter: Any, sent: str) -> AsyncIterator[None]:
    """Hold a thousand connections open, on each of which only this was sent."""
    url = exporter.http.base_url
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CROWD, url.host, str(url.port), str(AT_ONCE), sent),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for held in range(AT_ONCE, OPEN_CONNECTIONS + 1, AT_ONCE):
            process.stdin.write(b"more\n")
            assert await process.stdout.readline() == b"%d\n" % held
        yield
    finally:
        await process.communicate(b"")  # the end of its input ends it


@pytest.mark.parametrize("sent", ["", "GET /met"], ids=["silent", "slow"])
async def test_a_thousand_open_connections_stop_no_poll_and_no_scrape(
    export: Export, api: Any, sent: str
) -> None:
    """Polls go on, and who comes after the thousand still sees what they found."""
    exporter = await export({"default": api.url})
    await exporter.until(lambda seen: seen.up == 1)
    async with crowd(exporter, sent):
        api.happen(2, failed=1)
        seen = await exporter.until(lambda seen: seen.failed == 1)
        assert (seen.up, seen.causes) == (1, set())
        await exporter.until_polled(times=3)
        assert await exporter.status("/-/healthy") == 200


async def test_a_flood_of_scrapes_stops_no_poll_and_no_scrape(export: Export, api: Any) -> None:
    """While fifty clients scrape without a pause, failures are found and shown to another one."""
    exporter = await export({"default": api.url})
    await exporter.until(lambda seen: seen.up == 1)
    limits = httpx.Limits(max_connections=50)
    async with (
        httpx.AsyncClient(
            base_url=exporter.http.base_url, trust_env=False, limits=limits, timeout=15
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        flooding = True
        answered: list[int] = []

        async def flood() -> None:
            while flooding:
                answered.append((await client.get("/metrics")).status_code)

        for _ in range(50):
            group.create_task(flood())
        api.happen(2, failed=1)
        seen = await exporter.until(lambda seen: seen.failed == 1)
        await exporter.until_polled(times=3)
        flooding = False
    assert (seen.up, seen.causes) == (1, set())
    assert len(answered) >= 50
    assert set(answered) == {200}
