"""Guess passwords by real requests from many addresses of loopback."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import pytest

from exporter.address import ListenAddress

ADDRESSES = 12
GUESSERS = 40
GUESSES = 100
"""Of all together, before the right password comes: their answers have shown who guesses."""

PAUSE = 0.02
"""Seconds between two guesses of one: so many ask again far more often than can be answered."""

DEADLINE = 60.0


@pytest.fixture
async def client() -> AsyncIterator[Callable[[ListenAddress, int], httpx.AsyncClient]]:
    """Give an opener of clients that come from the address 127.0.0.NUMBER."""
    async with AsyncExitStack() as opened:

        def make(address: ListenAddress, number: int) -> httpx.AsyncClient:
            limits = httpx.Limits(max_connections=100)
            transport = httpx.AsyncHTTPTransport(
                local_address=f"127.0.0.{number}",
                limits=limits,
                # To read the certificates for each takes longer than its requests.
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
            made = httpx.AsyncClient(
                base_url=address.url, transport=transport, trust_env=False, timeout=DEADLINE
            )
            opened.push_async_callback(made.aclose)
            return made

        yield make


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("files", "tries"),
    [pytest.param(0, 1, id="many connections"), pytest.param(10**9, 20, id="fewest connections")],
)
async def test_guessers_lock_nobody_out(
    operator: Any,
    serve: Any,
    web_file: Any,
    hashed: Callable[..., str],
    client: Callable[[ListenAddress, int], httpx.AsyncClient],
    files: int,
    tries: int,
) -> None:
    """While forty guess from twelve addresses, users that were never seen before get in.

    Where few connections fit, they may have to ask again.
    """
    users = {f"user{number}": hashed(f"right{number}", 7) for number in range(5)}
    file = "basic_auth_users:\n" + "".join(f"  {name}: {h}\n" for name, h in users.items())
    _, address = await serve(
        operator.app(), web_config=web_file.reloader(file), files=lambda: files
    )
    answers: Counter[int] = Counter()
    begun, over = asyncio.Event(), asyncio.Event()

    async def guess(number: int, guesser: httpx.AsyncClient) -> None:
        while not over.is_set():
            auth = ("user0", f"guess {number} {answers.total()}")
            with suppress(httpx.TransportError):  # where few fit it may have to give way
                answers[(await guesser.get("/metrics", auth=auth)).status_code] += 1
            if answers.total() > GUESSES:
                begun.set()
            await asyncio.sleep(PAUSE)

    async def gets_in(came_from: int, number: int) -> bool:
        for _ in range(tries):
            asked = client(address, came_from).get(
                "/metrics", auth=(f"user{number}", f"right{number}")
            )
            with suppress(httpx.TransportError):
                answer = await asyncio.wait_for(asked, DEADLINE)
                if answer.status_code == httpx.codes.OK:
                    return True
        return False

    clients = [client(address, 2 + number) for number in range(ADDRESSES)]
    async with asyncio.TaskGroup() as group:
        for number in range(GUESSERS):
            group.create_task(guess(number, clients[number % ADDRESSES]))
        await asyncio.wait_for(begun.wait(), DEADLINE)
        for number in range(5):  # each from an address of its own, as after a restart
            assert await gets_in(100 + number, number)
        for _ in range(20):  # and once it is known, at once
            assert await gets_in(100, 0)
        over.set()
    assert answers.keys() <= {401, 503}
    assert answers[503]
