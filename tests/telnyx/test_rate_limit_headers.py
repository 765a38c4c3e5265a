from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.telnyx.rate_limit_headers import RateLimitStatus, read_clock_offset, read_rate_limit

NOW = 1_700_000_000.0
SILENCE = RateLimitStatus(limit=None, remaining=None, reset=None, retry_after=None)
NAMES = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after")

NUMBERS = st.one_of(
    st.integers().map(str), st.floats().map(str), st.from_regex(r"[-+]?[0-9_.]{1,400}e?[0-9]*")
)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Wed", "X", ""]),
    st.integers(),
    st.sampled_from(["Nov", "Smarch", "nov"]),
    st.integers(),
    st.integers(0, 99),
    st.integers(),
    st.integers(),
    st.one_of(st.sampled_from(["GMT", "", "EST"]), st.integers().map("{:+d}".format)),
)


def test_an_answer_without_the_headers_says_nothing() -> None:
    """What was not said is not made up."""
    assert read_rate_limit({"content-type": "application/json"}, NOW) == SILENCE
    assert SILENCE.wait is None


def test_limit_and_remaining_are_read() -> None:
    """Both numbers of requests are taken as they are."""
    read = read_rate_limit({"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0"}, NOW)
    assert (read.limit, read.remaining) == (100.0, 0.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("17", 17.0, id="seconds"),
        pytest.param("0.5", 0.5, id="part-of-a-second"),
        pytest.param("0", 0.0, id="now"),
        pytest.param(str(int(NOW) + 42), 42.0, id="epoch"),
        pytest.param(str(int(NOW) - 42), 0.0, id="epoch-in-the-past"),
        pytest.param(formatdate(NOW + 90, usegmt=True), 90.0, id="date"),
        pytest.param(formatdate(NOW - 90, usegmt=True), 0.0, id="date-in-the-past"),
        pytest.param(" Tue, 14 Nov 2023 22:13:30 -0000 ", 10.0, id="date-without-a-zone"),
        pytest.param("Tue, 14 Nov 2023 23:13:30 +0100", 10.0, id="date-of-another-zone"),
    ],
)
@pytest.mark.parametrize("name", ["x-ratelimit-reset", "retry-after"])
def test_waits_in_every_form_are_seconds_from_now(name: str, text: str, seconds: float) -> None:
    """Seconds, points in time and dates all become seconds from now, never negative ones."""
    assert read_rate_limit({name: text}, NOW).wait == seconds


def test_retry_after_goes_before_the_reset() -> None:
    """The header made for a refused request is the one that says how long it has to wait."""
    read = read_rate_limit({"retry-after": "2", "x-ratelimit-reset": "60"}, NOW)
    assert (read.wait, read.reset) == (2.0, 60.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "nan",
        "inf",
        "-inf",
        "-1",
        "1e999",
        "10, 10",
        "10;w=1",
        "Tue, 99 Nov",
        "0 Nov 0 0:2147483648 GMT",
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_understood_is_not_said(name: str, text: str) -> None:
    """A header that makes no sense counts as none."""
    assert read_rate_limit({name: text}, NOW) == SILENCE


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.one_of(st.text(max_size=60), NUMBERS, DATES))
def test_no_header_breaks_the_reader(name: str, text: str) -> None:
    """Whatever a header holds: numbers that come out are finite and not negative."""
    read = read_rate_limit({name: text}, NOW)
    for value in (read.limit, read.remaining, read.reset, read.retry_after):
        assert value is None or 0 <= value < float("inf")


@settings(deadline=None)
@given(st.integers(-int(NOW), 250_000_000_000), st.integers(-12 * 60, 14 * 60))
def test_every_date_is_understood(ahead: int, offset: int) -> None:
    """Any date since 1970, in any zone, is read to the second."""
    zone = timezone(timedelta(minutes=offset))
    date = format_datetime(datetime.fromtimestamp(NOW + ahead, zone))
    assert read_rate_limit({"retry-after": date}, NOW).retry_after == max(0, ahead)


@pytest.mark.parametrize("ahead", [-7200, -3, 3, 7200])
def test_the_date_tells_by_how_much_the_clock_there_is_ahead(ahead: int) -> None:
    """The API's clock is its own, and may be ahead or behind."""
    assert read_clock_offset({"date": formatdate(NOW + ahead, usegmt=True)}, NOW) == ahead


@pytest.mark.parametrize(
    ("date", "clock_offset"),
    [
        *((formatdate(NOW - 1), 0.0), (formatdate(NOW + 2), 0.0)),
        *((None, None), ("", None), ("yesterday", None)),
        *((formatdate(0), None), (formatdate(NOW - 86_400), None), (formatdate(4e9), None)),
    ],
)
def test_clocks_that_agree_but_for_rounding_are_one(
    date: str | None, clock_offset: float | None
) -> None:
    """Whole seconds, and a moment on the way, are no difference; what is absurd tells nothing."""
    assert read_clock_offset({} if date is None else {"date": date}, NOW) == clock_offset


@given(st.one_of(DATES, st.text()))
def test_no_date_breaks_the_reader(date: str) -> None:
    """Whatever the header holds, a difference that comes out is finite."""
    assert abs(read_clock_offset({"date": date}, NOW) or 0.0) < float("inf")
