from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.ledger.listings import rfc3339
from exporter.web import formatting


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (5400, "1 h 30 min"),
        (86399, "23 h 59 min"),
        (86400 * 400 + 7200, "400 d 2 h"),
    ],
)
def test_span_is_its_two_largest_units(seconds: float, words: str) -> None:
    """A duration is told in at most two units that stand next to each other."""
    assert formatting.duration(seconds) == words


def test_times_are_utc() -> None:
    """A time is written in UTC for people and for machines, whatever the machine's zone."""
    assert formatting.utc(1_785_585_605.7) == "2026-08-01 12:00:05 UTC"
    assert formatting.iso(1_785_585_605.7) == "2026-08-01T12:00:05Z"


@given(st.floats())
@example(datetime.fromisoformat("0001-01-01T00:00:00+14:00").timestamp())
@example(datetime.fromisoformat("9999-12-31T23:59:59-14:00").timestamp())
def test_any_number_is_a_time_and_a_duration(value: float) -> None:
    """Times of the API are foreign: one beyond the range of a datetime shows as its end."""
    times = (formatting.iso(value), rfc3339(value), formatting.utc(value).removesuffix(" UTC"))
    assert all(datetime.fromisoformat(str(each)).year for each in times)
    assert formatting.duration(value)[0].isdigit()


def test_thousands_are_set_apart() -> None:
    """A long number can be read at a glance."""
    assert formatting.number(1234567) == "1,234,567"
