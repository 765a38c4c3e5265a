import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import InvalidResponseError
from exporter.telnyx.lenient_json import (
    LARGEST_COUNT,
    any_text,
    count,
    decode_anything,
    mapping,
    text,
)
from exporter.telnyx.lenient_json import time as read_time


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'{"a": [1, 2.5, "x", null, true]}', {"a": [1, 2.5, "x", None, True]}, id="j"),
        pytest.param(b'"x\\ud83d"', "x\ud83d", id="half-a-pair-escaped"),
        pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="a-whole-pair-escaped"),
        pytest.param(b'"caf\xe9"', "caf\udce9", id="not-utf-8"),
        pytest.param(b"[Infinity, -Infinity]", [math.inf, -math.inf], id="infinity"),
        pytest.param(b"\xef\xbb\xbf[1]", [1], id="byte-order-mark"),
        pytest.param(b"9" * 5000, math.inf, id="a-number-without-end"),
        pytest.param(b"-" + b"9" * 5000, -math.inf, id="a-negative-one"),
    ],
)
def test_what_can_be_read_is_read(body: bytes, value: object) -> None:
    """JSON is read, and so is what breaks its rules without being unclear."""
    assert decode_anything(body) == value


def test_nan_is_read() -> None:
    """NaN, which JSON does not have, is a number like any other."""
    assert math.isnan(decode_anything(b"[NaN]")[0])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!DOCTYPE html><html></html>", id="html"),
        pytest.param(b'{"data": [{"id": "a"', id="cut-short"),
        pytest.param(b"{} {}", id="two-documents"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="nested-too-deep"),
        pytest.param(b"\x00\xff", id="binary"),
    ],
)
def test_what_cannot_be_read_is_our_own_error(body: bytes) -> None:
    """A body that is no JSON is an error that says so, and does not quote the body."""
    with pytest.raises(InvalidResponseError, match=r"^not JSON: "):
        decode_anything(body)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    """Whatever arrives is read or refused with our own error."""
    try:
        decode_anything(body)
    except InvalidResponseError:
        return


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("x", "x"),
        (7, "7"),
        (0.5, "0.5"),
        (None, ""),
        ([1], ""),
        ({"a": 1}, ""),
        ("caf\udce9", "caf\ufffd"),
        ("x\ud83d", "x\ufffd"),
        ("\udfffx\udfff\n", "\ufffdx\ufffd\n"),
        ("a\0b\0", "a\ufffdb\ufffd"),
        ("two\nlines\tand \u202eé\U0001f4a5", "two\nlines\tand \u202eé\U0001f4a5"),
    ],
    ids=[
        *["text", "whole", "part", "none", "list", "object", "byte"],
        *["half-a-pair", "low-halves", "nul", "unusual-but-clean"],
    ],
)
def test_text(value: object, read: str) -> None:
    """Texts and numbers are text, nothing else is."""
    assert text(value) == read


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_stored_and_sent(value: str) -> None:
    """What comes out can be encoded; what could be before is unchanged."""
    read = text(value)
    assert read.encode().decode() == read
    assert len(read) <= len(value)
    assert "\0" not in read
    if not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
        assert read == value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ("blocked", "blocked"),
        (70000, "70000"),
        (["no credit", "é"], '["no credit", "é"]'),
        ({"title": "no credit\ud83d"}, '{"title": "no credit\ufffd"}'),
    ],
    ids=["none", "text", "number", "list", "object"],
)
def test_any_text(value: object, read: str | None) -> None:
    """A reason is kept whatever its form, as it is what people ask for."""
    assert any_text(value) == read


def test_any_text_of_something_too_deep_is_none() -> None:
    """What cannot be written out is left out."""
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert any_text(value) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0),
        (LARGEST_COUNT, LARGEST_COUNT),
        (LARGEST_COUNT + 1, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("1", None),
        (None, None),
    ],
)
def test_count(value: object, read: int | None) -> None:
    """Only whole numbers from 0 up to what a database holds are counts."""
    assert count(value) == read


def test_mapping() -> None:
    """Objects are objects, and anything else is an empty one."""
    assert mapping({"a": 1}) == {"a": 1}
    assert mapping([1]) == mapping(None) == mapping("x") == {}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("2018-02-02T22:25:27.521Z", 1517610327.521),
        ("2018-02-02T22:25:27Z", 1517610327.0),
        ("2018-02-02t22:25:27z", 1517610327.0),
        ("2018-02-02 22:25:27", 1517610327.0),
        (" 2018-02-02T22:25:27Z\n", 1517610327.0),
        ("2018-02-03T03:55:27+05:30", 1517610327.0),
        ("2018-02-02T22:25:27.1234567Z", 1517610327.123457),
        ("20180202T222527Z", 1517610327.0),
        ("2018-02-02", 1517529600.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
        ("9999-12-31T23:59:59-12:00", 253402343999.0),
        ("0001-01-01", -62135596800.0),
        ("2018-02-02T22:25:60Z", None),
        ("2018-02-30T00:00:00Z", None),
        ("10000-01-01T00:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (1517610327, None),
        (None, None),
        ({}, None),
    ],
)
def test_time(value: object, read: float | None) -> None:
    """Times in any form of ISO 8601 are read; without a zone they are UTC."""
    assert read_time(value) == (None if read is None else pytest.approx(read, abs=1e-6))


@settings(deadline=None)
@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_every_time_is_read(at: datetime, offset: int) -> None:
    """Any time in any zone, the first and the last ones included, is read to the microsecond."""
    zone = timezone(timedelta(minutes=offset))
    expected = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    read = read_time(at.replace(tzinfo=zone).isoformat())
    assert read == pytest.approx(expected - offset * 60, abs=1e-5)


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_the_reading_of_times(value: str) -> None:
    """Whatever stands where a time should, nothing is raised."""
    assert isinstance(read_time(value), float | None)
