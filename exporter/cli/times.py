"""Times on the command line: how long ago, or when."""

import re
from datetime import datetime

import click

from exporter.config.durations import parse_duration

_EPOCH = re.compile(r"[0-9]{9,11}(\.[0-9]+)?|[0-9](\.[0-9]+)?[eE]\+?0?(8|9|10)")
_REMEDY = (
    "write how long ago, such as 30d or 12h, or a time with its zone, such as 2026-08-01T00:00:00Z"
)


def parse_time(option: str, text: str | None, now: float) -> float | None:
    """Return the time that an option names, in seconds since the epoch; None without one.

    It is a duration before ``now``, a date and time (RFC 3339), or seconds since the epoch, as a
    metric has them too. Raises click.UsageError.
    """
    if text is None:
        return None
    if _EPOCH.fullmatch(text):
        return float(text)
    try:
        if text[:1].isdigit() and "-" not in text:
            return now - parse_duration(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option}: is not a time; {_REMEDY}") from None
    if found.tzinfo is None:
        raise click.UsageError(f"{option}: has no time zone; {_REMEDY}")
    return found.timestamp()
