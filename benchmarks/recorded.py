"""Answers of a simulated account, recorded once as bytes and given again to whoever asks.

What is timed holds no work of the simulator then. It must not know what is asked, nor why.
"""

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from multiprocessing.connection import Connection
from typing import NamedTuple
from urllib.parse import parse_qsl

import httpx

DEFAULTS = {"page[number]": "1", "page[size]": "20"}
"""What a listing is asked with where a client leaves it out."""


class Asked(NamedTuple):
    """A request: its path, and its parameters in sorted order."""

    path: str
    params: tuple[tuple[str, str], ...]


Answers = Mapping[Asked, bytes]


class Recorder(httpx.AsyncBaseTransport):
    """Carries requests on, and keeps what is answered: once each, as nothing may move meanwhile.

    ``asked`` holds the requests in the order in which they came.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Carry requests on to ``inner``."""
        self._inner = inner
        self.answers: dict[Asked, bytes] = {}
        self.asked: list[Asked] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let ``inner`` answer, and keep the body."""
        response = await self._inner.handle_async_request(request)
        body = await response.aread()
        if response.status_code != httpx.codes.OK:
            raise LookupError(f"{request.url}: HTTP {response.status_code} cannot be recorded")
        asked = _asked(request.url.raw_path)
        self.asked.append(asked)
        self.answers[asked] = body
        return _answer(body)


class Replay(httpx.AsyncBaseTransport):
    """Answers from a recording, in this process and at once; ``answers`` may be replaced."""

    def __init__(self, answers: Answers) -> None:
        """Answer from ``answers``."""
        self.answers = answers
        self.served = 0
        self._read: dict[bytes, Asked] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer what was recorded; raises LookupError for what was not."""
        target = request.url.raw_path
        if target not in self._read:
            self._read[target] = _asked(target)
        self.served += 1
        return _answer(self.answers[self._read[target]])


@contextmanager
def served(answers: Answers) -> Iterator[str]:
    """Serve a recording from a process of its own; gives the address, without a path."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(dict(answers), theirs), daemon=True)
    process.start()
    theirs.close()  # so that a process that ends is noticed
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.kill()
        process.join()


class _Protocol(asyncio.Protocol):
    """As little HTTP as a server can know: GET without a body, on connections that stay open."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(b"\r\n\r\n")
        for head in heads:
            body = self._answers.get(_asked(head.split(b" ", 2)[1]))
            if self._transport is not None:
                self._transport.writelines(_lines(body))


def _lines(body: bytes | None) -> Sequence[bytes]:
    status, body = ("404 Not Found", b"{}") if body is None else ("200 OK", body)
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
        f"date: {formatdate(usegmt=True)}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii"), body


def _run(answers: Answers, report: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with whoever started it
    asyncio.run(_serve(answers, report))


async def _serve(answers: Answers, report: Connection) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(answers), "127.0.0.1", 0)
    report.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _asked(target: bytes) -> Asked:
    """Read the target of a request, in whatever order and encoding a client wrote it."""
    path, _, query = target.decode("ascii").partition("?")
    listing = path.endswith("/sim_card_actions")
    params = (DEFAULTS if listing else {}) | dict(parse_qsl(query))
    return Asked(path, tuple(sorted(params.items())))


def _answer(body: bytes) -> httpx.Response:
    headers = {"content-type": "application/json", "date": formatdate(usegmt=True)}
    return httpx.Response(httpx.codes.OK, headers=headers, content=body)
