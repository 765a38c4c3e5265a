import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.durations import parse_duration

LONGEST_MS = (2**63 - 1) // 1_000_000


@given(st.integers(min_value=0, max_value=LONGEST_MS))
def test_milliseconds_are_exact(milliseconds: int) -> None:
    """Every whole number of milliseconds is read to the millisecond."""
    assert parse_duration(f"{milliseconds}ms") == milliseconds / 1000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("500ms", 0.5),
        ("15s", 15.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("30d", 2_592_000.0),
        ("2w", 1_209_600.0),
        ("1y", 31_536_000.0),
        ("1y2w3d4h5m6s7ms", 33_019_506.007),
        ("90m", 5400.0),
    ],
    ids=str,
)
def test_text_means_seconds(text: str, seconds: float) -> None:
    """Each unit, and units in order, mean what they mean in Prometheus."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "1.5h", "30m1h", "1m1m", "-5s", "5 s", " 5s", "5S", "5sec", "\u0665s", "5s\n"],
    ids=repr,
)
def test_other_forms_are_refused(text: str) -> None:
    """What Prometheus does not read as a duration is no duration here."""
    with pytest.raises(ValueError, match=r"^is not a duration; write it like"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["60", "1.5", "007"], ids=repr)
def test_a_bare_number_lacks_a_unit(text: str) -> None:
    """Seconds and milliseconds cannot be told apart without a unit."""
    with pytest.raises(ValueError, match=r"^has no unit; write it like"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["293y", "9" * 5000 + "y"], ids=["years", "digits"])
def test_endless_durations_are_refused(text: str) -> None:
    """A duration that Prometheus could not hold is refused, however long its text is."""
    with pytest.raises(ValueError, match=r"^is too long; the longest is 292y$"):
        parse_duration(text)
