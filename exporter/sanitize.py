"""Text made safe to write: one line without control characters, and without secrets. Pure."""

import json
from collections.abc import Iterable

REDACTED = "[secret]"


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without any of ``secrets``."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    return text


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
