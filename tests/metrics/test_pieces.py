import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.pieces import Piece, compressed, gzip_of, stored, text_of

texts = st.binary(max_size=50) | st.binary(max_size=20).map(lambda each: each * 5000)
made = st.lists(st.tuples(texts, st.sampled_from([compressed, stored])))


@given(made)
def test_joined_pieces_are_one_gzip_stream_of_the_whole_text(
    parts: list[tuple[bytes, Callable[[bytes], Piece]]],
) -> None:
    """Nothing is left behind the first stream, and its checksum and size are those of the text."""
    pieces = [make(text) for text, make in parts]
    whole = b"".join(text for text, _ in parts)
    reading = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert reading.decompress(gzip_of(pieces)) == whole
    assert reading.eof
    assert reading.unused_data == b""
    assert text_of(pieces) == whole


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_piece_is_noticed(lost: int) -> None:
    """The checksum covers all pieces."""
    whole = [compressed(each) for each in (b"one" * 9, b"two" * 9, b"three" * 9)]
    (deflated, *_) = whole[lost]
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(gzip_of(whole).replace(deflated, b""))


def test_the_same_text_gives_the_same_bytes() -> None:
    """Neither the time nor what was compressed before is part of it."""
    first = gzip_of([compressed(b"a" * 1000)])
    compressed(b"b" * 1000)
    assert gzip_of([compressed(b"a" * 1000)]) == first


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65_535, 65_536, 200_000])
def test_a_stored_piece_of_any_length_is_its_text(size: int) -> None:
    """It is longer by no more than five bytes for each 64 kB, and none if it is empty."""
    text = bytes(number % 251 for number in range(size))
    piece = stored(text)
    assert gzip.decompress(gzip_of([piece, compressed(b"end")])) == text + b"end"
    assert len(piece.deflated) == size + 5 * -(-size // 65_535)
