"""Formats times and numbers for the status page.

Pure. All times are seconds since the epoch; any number gives a text.
"""

from exporter.sanitize import utc_time

_LONGEST = 1e15
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``2 h 5 min``; ``0 s`` for a negative one."""
    left = int(min(max(0.0, seconds), _LONGEST))  # nan: 0
    parts = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        if parts and (len(parts) == 2 or not count):  # noqa: PLR2004 # two units
            break
    return " ".join(parts) or "0 s"


def utc(at: float) -> str:
    """Return a readable time: ``2026-08-01 12:00:00 UTC``."""
    return f"{utc_time(at).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"


def iso(at: float) -> str:
    """Return a time for the HTML attribute ``datetime``: ``2026-08-01T12:00:00Z``."""
    return f"{utc_time(at).replace(tzinfo=None).isoformat('T', 'seconds')}Z"


def number(value: float) -> str:
    """Return an integer with thousands separators: ``1,234``."""
    return f"{value:,.0f}"
