"""Times on the command line, as all commands read them."""

from collections.abc import Callable
from datetime import UTC, datetime

import click
import pytest
from click.testing import Result

from exporter.cli.times import parse_period, parse_time

NOW = 2_000_000_000.0
AUGUST = datetime(2026, 8, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2h", NOW - 7200),
        ("1h30m", NOW - 5400),
        ("2026-08-01T00:00:00Z", AUGUST),
        ("2026-08-01t00:00:00z", AUGUST),
        ("2026-08-01T02:00:00+02:00", AUGUST),
        ("20260801T000000Z", AUGUST),
        ("2026-08-01", AUGUST),
        (f"{AUGUST:.0f}", AUGUST),
        (f"{AUGUST:e}", AUGUST),
    ],
)
def test_a_time_may_be_written_in_many_ways(text: str, at: float) -> None:
    """A date is its beginning in UTC."""
    assert parse_time("--since", text, NOW) == pytest.approx(at, abs=1000 * ("e" in text))


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-08-01T00:00:00", "2x", "-2h"])
@pytest.mark.parametrize("command", ["actions", "history"])
@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_time_is_refused(
    invoke: Callable[..., Result], command: str, option: str, text: str
) -> None:
    """By every command in the same way."""
    result = invoke(command, option, text, TELNYX_API_KEY="KEY")
    assert result.exit_code == 2
    assert f"Error: {option}: " in result.stderr
    assert "such as 2026-08-01T00:00:00Z" in result.stderr.replace("\n", " ")


def test_a_period_has_a_length() -> None:
    """One without would leave nothing."""
    assert parse_period("2h", "1h", NOW) == (NOW - 7200, NOW - 3600)
    assert parse_period(None, None, NOW) == (None, None)
    with pytest.raises(click.UsageError, match="--until: is not after --since"):
        parse_period("1h", "1h", NOW)
