"""Times on the command line: how long ago, or when."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time

import click

from exporter.config.durations import parse_duration
from exporter.sanitize import one_line

_EPOCH = re.compile(r"[0-9]{9,11}(\.[0-9]+)?|[0-9](\.[0-9]+)?[eE]\+?0?(8|9|10)")
_REMEDY = (
    "write how long ago, such as 30d or 12h, or a time with its zone, such as 2026-08-01T00:00:00Z"
)

TIMES = "how long ago, such as 30d, a time (RFC 3339), or a date (UTC)"
"""How a time is written, for the help of an option."""


def parse_period(
    since: str | None, until: str | None, now: float
) -> tuple[float | None, float | None]:
    """Return the times of ``--since`` and ``--until``, of which the latter is outside.

    Raises click.UsageError.
    """
    first, end = parse_time("--since", since, now), parse_time("--until", until, now)
    if first is not None and end is not None and first >= end:
        raise click.UsageError("--until: is not after --since")
    return first, end


def parse_time(option: str, text: str | None, now: float) -> float | None:
    """Return the time that an option names, in seconds since the epoch; None without one.

    It is a duration before ``now``, a date and time (RFC 3339), the beginning of a date in UTC, or
    seconds since the epoch, as a metric has them too. Raises click.UsageError.
    """
    if text is None:
        return None
    if _EPOCH.fullmatch(text):
        return float(text)
    with suppress(ValueError):
        return now - parse_duration(text)
    with suppress(ValueError):
        return datetime.combine(date.fromisoformat(text), time(), UTC).timestamp()
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        raise click.UsageError(one_line(f"{option}: {text!r} is not a time; {_REMEDY}")) from None
    if found.tzinfo is None:
        raise click.UsageError(f"{option}: has no time zone; {_REMEDY}")
    return found.timestamp()
