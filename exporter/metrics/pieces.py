"""A long text of pieces that are compressed one by one, once each, and joined when it is asked for.

It must not know what the text says. The result is one ordinary gzip stream, not several in a row:
Chromium, among others, reads only the first of several.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import NamedTuple

# Measured on the exposition of 100 accounts, 12 MB: level 1 takes 36 ms for 950 kB, level 4 59 ms
# for 930 kB, level 9 107 ms for 880 kB. As one piece, level 1 takes 18 ms for 490 kB.
_LEVEL = 1

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, fastest level, any operating system (RFC 1952)."""

_LAST_BLOCK = b"\x03\x00"
"""An empty last block: pieces end with a block that is not the last, on a whole byte."""


class Piece(NamedTuple):
    """A piece of text, compressed without reference to any other.

    ``size`` is that of the text in bytes, ``crc`` what it adds to a checksum, see `gzip_of`.
    """

    deflated: bytes
    size: int
    crc: int


EMPTY = Piece(b"", 0, 0)


def piece_of(text: bytes) -> Piece:
    """Compress a piece of text."""
    if not text:
        return EMPTY
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = packing.compress(text) + packing.flush(zlib.Z_SYNC_FLUSH)
    return Piece(deflated, len(text), zlib.crc32(text) ^ zlib.crc32(bytes(len(text))))


def gzip_of(pieces: Iterable[Piece]) -> bytes:
    """Return the text of all pieces as gzip."""
    parts = [_HEADER]
    crc = size = 0
    for piece in pieces:
        parts.append(piece.deflated)
        # The checksum is linear, so of A followed by B it is that of A followed by as many zeros
        # as B has bytes, xor that of B, xor that of those zeros alone.
        crc = zlib.crc32(bytes(piece.size), crc) ^ piece.crc
        size += piece.size
    parts += (_LAST_BLOCK, struct.pack("<II", crc, size & 0xFFFFFFFF))
    return b"".join(parts)


def text_of(pieces: Iterable[Piece]) -> bytes:
    """Return the text of all pieces as it is."""
    deflated = b"".join((*(piece.deflated for piece in pieces), _LAST_BLOCK))
    return zlib.decompress(deflated, -zlib.MAX_WBITS)
