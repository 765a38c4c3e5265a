import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics.pieces import gzip_of, piece_of, text_of

texts = st.lists(st.binary(max_size=50) | st.binary(max_size=20).map(lambda each: each * 5000))


@given(texts)
def test_joined_pieces_are_one_gzip_stream_of_the_whole_text(parts: list[bytes]) -> None:
    """Nothing is left behind the first stream, and its checksum and size are those of the text."""
    pieces = [piece_of(each) for each in parts]
    reading = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert reading.decompress(gzip_of(pieces)) == b"".join(parts)
    assert reading.eof
    assert reading.unused_data == b""
    assert text_of(pieces) == b"".join(parts)


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_piece_is_noticed(lost: int) -> None:
    """The checksum covers all pieces."""
    whole = [piece_of(each) for each in (b"one" * 9, b"two" * 9, b"three" * 9)]
    (deflated, *_) = whole[lost]
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(gzip_of(whole).replace(deflated, b""))


def test_the_same_text_gives_the_same_bytes() -> None:
    """Neither the time nor what was compressed before is part of it."""
    first = gzip_of([piece_of(b"a" * 1000)])
    piece_of(b"b" * 1000)
    assert gzip_of([piece_of(b"a" * 1000)]) == first
