"""Packed bodies: what was asked for is unpacked, all else is refused, and none takes memory."""

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.errors import AuthError, InvalidResponseError, UnavailableError
from exporter.telnyx.body import LARGEST_BODY
from exporter.telnyx.query import Query

Desk = Callable[..., Any]
Answer = Callable[..., httpx.Response]
Body = Callable[..., httpx.AsyncByteStream]

PAGE = json.dumps({"data": [{"id": f"action-{number}"} for number in range(250)]}).encode()
HALVES = gzip.compress(PAGE[:1000]) + gzip.compress(PAGE[1000:])

MEMORY = 64
"""MiB that reading any answer may take: a few times the largest body."""

READER = """
import asyncio, resource, sys
import httpx
from exporter.errors import InvalidResponseError
from exporter.telnyx.body import read_body

class Sent(httpx.AsyncByteStream):
    async def __aiter__(self):
        with open(sys.argv[1], "rb") as file:
            while part := file.read(65536):
                yield part

async def main():
    headers = {"content-encoding": sys.argv[2]}
    await read_body(httpx.Response(200, headers=headers, stream=Sent()))

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    asyncio.run(main())
except InvalidResponseError as exc:
    print(exc)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


async def test_gzip_alone_is_asked_for(desk: Desk, answer: Answer) -> None:
    """What is not asked for need not be understood, nor bounded."""
    at = desk([answer()])
    await at.client.list(Query())
    assert at.requests[0].headers.get_list("accept-encoding") == ["gzip"]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("x-gzip", gzip.compress(PAGE)),
        (" GZip", gzip.compress(PAGE)),
        ("identity, gzip", gzip.compress(PAGE)),
        ("gzip", HALVES),
        ("identity", PAGE),
        ("", PAGE),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_what_was_asked_for_is_unpacked(
    desk: Desk, answer: Answer, body: Body, encoding: str, content: bytes, size: int
) -> None:
    """In one member or more, and in packets of any size."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    at = desk([answer(200, body(*parts), content_encoding=encoding)])
    assert len((await at.client.list(Query())).actions) == 250


@pytest.mark.parametrize("length", [0, 1, 65535, 65536, 65537, 131_072, LARGEST_BODY - 26])
async def test_no_byte_is_missing(desk: Desk, answer: Answer, length: int) -> None:
    """Wherever a piece of what is unpacked ends."""
    content = json.dumps({"data": [], "filler": "x" * length}).encode()
    at = desk([answer(200, gzip.compress(content), content_encoding="gzip")])
    await at.client.list(Query())


@pytest.mark.parametrize(
    "encoding",
    [
        "deflate",
        "br",
        "zstd",
        "compress",
        "gzip, gzip",
        "gzip,br",
        "gzip" + ", gzip" * 19,
        "x" * 99,
    ],
)
async def test_other_packings_are_refused(desk: Desk, answer: Answer, encoding: str) -> None:
    """A packing that was not asked for, or one within another, is not looked into."""
    at = desk([answer(200, gzip.compress(PAGE), content_encoding=encoding)])
    with pytest.raises(InvalidResponseError, match="but gzip was requested") as caught:
        await at.client.list(Query())
    assert len(str(caught.value)) < 120
    assert at.notes.done == [("list", "error", 0.0)]
    assert at.notes.retries == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(PAGE, id="not-packed"),
        pytest.param(zlib.compress(PAGE), id="deflate"),
        pytest.param(gzip.compress(PAGE)[:-1], id="cut-off"),
        pytest.param(gzip.compress(PAGE)[:5], id="cut-off-in-the-head"),
        pytest.param(gzip.compress(PAGE)[:-8] + bytes(8), id="wrong-checksum"),
        pytest.param(gzip.compress(PAGE) + b"garbage", id="garbage"),
        pytest.param(gzip.compress(PAGE) + gzip.compress(PAGE)[:9], id="second-cut-off"),
        pytest.param(gzip.compress(b"") * 1000, id="many-members"),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_invalid(
    desk: Desk, answer: Answer, content: bytes
) -> None:
    """It cannot be understood; the next answer may be."""
    at = desk([answer(200, content, content_encoding="gzip"), answer()])
    with pytest.raises(InvalidResponseError, match=r"cannot be decompressed|gzip members"):
        await at.client.list(Query())
    await at.client.list(Query())


@pytest.mark.parametrize(("status", "error"), [(401, AuthError), (503, UnavailableError)])
async def test_the_status_of_a_refusal_decides(
    desk: Desk, answer: Answer, status: int, error: type[Exception]
) -> None:
    """A proxy's page may be packed as it likes: what is wrong is said without its words."""
    at = desk(lambda _: answer(status, b"?", content_encoding="br"))
    with pytest.raises(error, match=f"HTTP {status}"):
        await at.client.list(Query())


@pytest.mark.parametrize("length", [LARGEST_BODY + 1, 2 * LARGEST_BODY])
async def test_the_cap_counts_unpacked_bytes(desk: Desk, answer: Answer, length: int) -> None:
    """A small body that unpacks to a large one is refused too."""
    at = desk([answer(200, gzip.compress(b" " * length), content_encoding="gzip")])
    with pytest.raises(InvalidResponseError, match="longer than"):
        await at.client.list(Query())


@cache
def packed_blanks() -> bytes:
    """Pack four times the blanks that memory may grow by."""
    member = zlib.compressobj(9, wbits=31)
    return b"".join(map(member.compress, repeat(b" " * 2**20, 4 * MEMORY))) + member.flush()


def bomb(layers: int) -> bytes:
    """Make those blanks small, packed so often."""
    content = packed_blanks()
    for _ in range(layers - 1):
        content = gzip.compress(content)
    return content


@pytest.mark.parametrize(
    ("encoding", "layers"),
    [("gzip", 1), ("gzip, gzip", 2), ("deflate", 1), ("br", 1), ("gzip" + ", gzip" * 19, 20)],
)
def test_no_answer_takes_more_memory_than_the_cap(
    tmp_path: Path, encoding: str, layers: int
) -> None:
    """What is large in a small answer is refused before it is there."""
    sent = tmp_path / "answer"
    sent.write_bytes(bomb(layers))
    out = subprocess.run(  # noqa: S603 # our own interpreter, our own script
        [sys.executable, "-c", READER, str(sent), encoding],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    refused, grown = out.splitlines()
    assert "the response is" in refused
    assert int(grown) <= MEMORY


@pytest.mark.parametrize("status", [200, 401, 403])
@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("br", b"?"),
        ("deflate", zlib.compress(PAGE)),
        ("gzip", gzip.compress(PAGE)[:-9]),
    ],
)
async def test_a_page_that_cannot_be_unpacked_is_not_telnyx_s(
    desk: Desk, answer: Answer, status: int, encoding: str, content: bytes
) -> None:
    """Its content type says that it is a page, whatever it holds."""
    headers = {"content_encoding": encoding, "content_type": "text/html"}
    at = desk([answer(status, content, **headers)])
    with pytest.raises(UnavailableError, match=f"HTTP {status}, not from Telnyx"):
        await at.client.list(Query())


async def test_a_login_at_a_proxy_does_not_blame_the_key(desk: Desk, answer: Answer) -> None:
    """Telnyx asks for a bearer token, and for nothing else."""
    at = desk([answer(401, b"", www_authenticate="NTLM")])
    with pytest.raises(
        UnavailableError, match=r"HTTP 401, not from Telnyx .* authentication with NTLM"
    ):
        await at.client.list(Query())
