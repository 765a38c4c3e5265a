"""The body of an answer: unpacked piece by piece, so that its bound holds before memory is taken.

It must not judge what the body says, nor the status that it came with.
"""

import re
import zlib
from collections.abc import Iterator

import httpx

from exporter.errors import InvalidResponseError

ACCEPT_ENCODING = "gzip"
"""What is asked for: each packing more is one more that a small answer can grow by."""

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of an answer that are read at most: a page of 250 actions takes some 120 kB."""

_PIECE = 64 * 1024
_MOST_MEMBERS = 100
"""Gzip members of a body: servers send one, and each further copies what is left."""

_GZIP = zlib.MAX_WBITS | 16
_NAME = re.compile("[a-z0-9-]{1,12}")
_PLAIN = {"", "identity"}


class UnpackError(InvalidResponseError):
    """The body is packed otherwise than was asked for, or not what it says."""


async def read_body(response: httpx.Response) -> bytes:
    """Return the whole body; raises InvalidResponseError past LARGEST_BODY, packed or not.

    Raises UnpackError where it cannot be unpacked.
    """
    gzip = _is_gzip(response.headers.get("content-encoding", ""))
    unpack = _Gzip() if gzip else None
    body = bytearray()
    size = 0
    # Past the library's own reading, which unpacks a piece of any size at a time.
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):  # the library's types allow another
        raise TypeError("not the answer of an asynchronous client")
    async for packed in stream:
        size += len(packed)
        for piece in (packed,) if unpack is None else unpack.pieces(packed):
            body += piece
            if len(body) > LARGEST_BODY:
                break
        if max(size, len(body)) > LARGEST_BODY:
            raise InvalidResponseError(f"the answer is longer than {LARGEST_BODY} bytes")
    if unpack is not None and size and not unpack.complete:
        raise UnpackError("the answer cannot be unpacked: it is cut off")
    return bytes(body)


def _is_gzip(encoding: str) -> bool:
    named = [each.strip().lower() for each in encoding.split(",")]
    packings = [each for each in named if each not in _PLAIN]
    if packings and packings not in (["gzip"], ["x-gzip"]):
        # Nothing longer is quoted: a server may repeat there what it was sent.
        words = repr(packings[0]) if _NAME.fullmatch(packings[0]) else "something else"
        several = len(packings) > 1
        raise UnpackError(
            f"the answer is packed {'more than once' if several else f'as {words}'}, "
            f"and {ACCEPT_ENCODING} was asked for"
        )
    return bool(packings)


class _Gzip:
    """Unpacks a gzip stream of one or more members; what follows the last must be another."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._member.eof

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """Yield what some packed bytes unpack to, at most _PIECE at a time."""
        piece = b""
        while packed or len(piece) == _PIECE:
            if self._member.eof:
                if not packed:
                    return
                self._next_member()
            try:
                piece = self._member.decompress(packed, _PIECE)
            except zlib.error as exc:
                raise UnpackError(f"the answer cannot be unpacked: {exc}") from exc
            yield piece
            packed = self._member.unused_data or self._member.unconsumed_tail

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise UnpackError(f"the answer has more than {_MOST_MEMBERS} gzip members")
        self._member = zlib.decompressobj(_GZIP)
