"""Parses the headers for the rate limit and the date. Pure; it must not wait.

Sources: Telnyx' documentation (`x-ratelimit-*`; `reset` is in seconds on one page and an epoch time
on another) and RFC 9110 (`Retry-After`: seconds or a date).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite

EPOCH_FROM = 1e9
"""A larger reset is a point in time, a smaller one a number of seconds."""


ROUNDING = 2.0
"""Seconds by which synchronized clocks may appear to differ."""


ABSURD = 86_400.0
"""From this difference in seconds on, the header is wrong rather than a clock."""


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The rate limit as reported by the API.

    ``limit`` and ``remaining`` are requests; ``reset`` and ``retry_after`` are seconds from now,
    never negative. None if missing or invalid.
    """

    limit: float | None
    remaining: float | None
    reset: float | None
    retry_after: float | None

    @property
    def wait(self) -> float | None:
        """Seconds that a rejected request has to wait, or None if unknown."""
        return self.retry_after if self.retry_after is not None else self.reset


def read_rate_limit(headers: Mapping[str, str], now: float) -> RateLimitStatus:
    """Return the rate limit in ``headers`` of a response received at ``now`` (epoch seconds)."""
    return RateLimitStatus(
        limit=_number(headers.get("x-ratelimit-limit")),
        remaining=_number(headers.get("x-ratelimit-remaining")),
        reset=_delay(headers.get("x-ratelimit-reset"), now),
        retry_after=_delay(headers.get("retry-after"), now),
    )


def read_clock_offset(headers: Mapping[str, str], now: float) -> float | None:
    """Return by how many seconds the API's clock is ahead of ours; None if unknown.

    A difference up to ROUNDING counts as 0, because `Date` has whole seconds; from ABSURD on the
    header is ignored.
    """
    there = _date(headers.get("date", ""))
    if there is None or abs(there - now) >= ABSURD:
        return None
    return there - now if abs(there - now) > ROUNDING else 0.0


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) and value >= 0 else None


def _delay(text: str | None, now: float) -> float | None:
    """Return seconds, an epoch time or an HTTP date as seconds from ``now``."""
    if text is None:
        return None
    value = _number(text)
    if value is not None:
        return max(0.0, value - now) if value > EPOCH_FROM else value
    at = _date(text)
    return None if at is None else max(0.0, at - now)


def _date(text: str) -> float | None:
    """Return an HTTP date as seconds since the epoch."""
    try:
        at = parsedate_to_datetime(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
