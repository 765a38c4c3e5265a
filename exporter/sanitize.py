"""Text and times made safe to write: one line without control characters, no secrets. Pure."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

REDACTED = "[secret]"

_FIRST_TIME, _LAST_TIME = -62_135_596_800.0, 253_402_300_799.0


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without any of ``secrets``."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    return text


def utc_time(at: float) -> datetime:
    """Return a time in UTC from seconds since the epoch, the nearest that a datetime can be.

    The API's years 1 and 9999 may be beyond its range in UTC; what is no number becomes year 1.
    """
    return datetime.fromtimestamp(min(max(_FIRST_TIME, at), _LAST_TIME), UTC)


def excerpt(text: str, most: int) -> str:
    """Return at most ``most`` characters of ``text``, the last one an ellipsis if it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def one_line(text: str, *, kept: str = "", encoding: str = "utf-8") -> str:
    """Escape line breaks and other control characters as JSON does, but for those ``kept``.

    What ``encoding`` does not have is escaped too, so that a line of JSON stays one.
    """
    if text.isprintable() and _fits(text, encoding):
        return text
    return "".join(
        letter
        if (letter.isprintable() or letter in kept) and _fits(letter, encoding)
        else json.dumps(letter)[1:-1]
        for letter in text
    )


def _fits(text: str, encoding: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
