"""Response bodies: decompressed in chunks, so that the size limit applies before memory is used.

It must not interpret the body or the status of the response.
"""

import re
import zlib
from collections.abc import Iterator

import httpx

from exporter.errors import InvalidResponseError

ACCEPT_ENCODING = "gzip"
"""The only encoding requested: each further one is another way for a response to expand."""

LARGEST_BODY = 16 * 1024 * 1024
"""Maximum size of a response in bytes: a page of 250 actions takes some 120 kB."""

_CHUNK = 64 * 1024
_MAX_MEMBERS = 100
"""Maximum number of gzip members: servers send one, and each further one copies the rest."""

_GZIP = zlib.MAX_WBITS | 16
_NAME = re.compile("[a-z0-9-]{1,12}")
_PLAIN = {"", "identity"}


class DecompressionError(InvalidResponseError):
    """The body has an encoding that was not requested, or cannot be decompressed."""


async def read_body(response: httpx.Response) -> bytes:
    """Return the whole body; raises InvalidResponseError above LARGEST_BODY, compressed or not.

    Raises DecompressionError if it cannot be decompressed.
    """
    gzip = _is_gzip(response.headers.get("content-encoding", ""))
    decompressor = _Gzip() if gzip else None
    body = bytearray()
    size = 0
    # Bypasses the library's reading, which decompresses chunks of any size at once.
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):  # the types of the library allow both
        raise TypeError("not a response of an asynchronous client")
    async for received in stream:
        size += len(received)
        chunks = (received,) if decompressor is None else decompressor.chunks(received)
        for chunk in chunks:
            body += chunk
            if len(body) > LARGEST_BODY:
                break
        if max(size, len(body)) > LARGEST_BODY:
            raise InvalidResponseError(f"the response is longer than {LARGEST_BODY} bytes")
    if decompressor is not None and size and not decompressor.complete:
        raise DecompressionError("the response cannot be decompressed: it is truncated")
    return bytes(body)


def _is_gzip(encoding: str) -> bool:
    named = [each.strip().lower() for each in encoding.split(",")]
    encodings = [each for each in named if each not in _PLAIN]
    if encodings and encodings not in (["gzip"], ["x-gzip"]):
        # Nothing longer is quoted: a server may echo the request there.
        name = repr(encodings[0]) if _NAME.fullmatch(encodings[0]) else "an unknown encoding"
        several = len(encodings) > 1
        raise DecompressionError(
            f"the response is encoded {'more than once' if several else f'as {name}'}, "
            f"but {ACCEPT_ENCODING} was requested"
        )
    return bool(encodings)


class _Gzip:
    """Decompresses a gzip stream of one or more members; nothing else may follow a member."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1

    @property
    def complete(self) -> bool:
        return self._member.eof

    def chunks(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed ``data`` in chunks of at most _CHUNK bytes."""
        chunk = b""
        while data or len(chunk) == _CHUNK:
            if self._member.eof:
                if not data:
                    return
                self._next_member()
            try:
                chunk = self._member.decompress(data, _CHUNK)
            except zlib.error as exc:
                raise DecompressionError(f"the response cannot be decompressed: {exc}") from exc
            yield chunk
            data = self._member.unused_data or self._member.unconsumed_tail

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise DecompressionError(f"the response has more than {_MAX_MEMBERS} gzip members")
        self._member = zlib.decompressobj(_GZIP)
