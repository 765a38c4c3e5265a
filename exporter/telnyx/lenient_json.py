"""Lenient reading of JSON from outside: a body or a field in, plain values out.

Text is cleaned here, once: what comes out can be stored, logged and sent. It must not know what
the fields mean: that is `schema.py`.
"""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from exporter.errors import InvalidResponseError

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that it cannot decode."""

REPLACEMENT = "\ufffd"
"""The character that stands for one that cannot be kept."""

LARGEST_COUNT = 2**40
"""Counts above this are not counts, and no database column would take them."""

_LONGEST_INTEGER = 18


def decode_anything(body: bytes) -> Any:
    """Decode JSON of any shape, bad Unicode, NaN and endless numbers included.

    Such a body is worth reading: one reason cut in the middle of an emoji must not hide the page
    it stands on. Raises InvalidResponseError where it is not JSON at all, or nested too deep.
    """
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        pass
    try:
        return json.loads(body.decode("utf-8-sig", "surrogateescape"), parse_int=_whole)
    except (ValueError, RecursionError) as exc:
        raise InvalidResponseError(f"not JSON: {exc}") from exc


def mapping(value: object) -> dict[str, Any]:
    """Return ``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return a text, or a number as one; empty for anything else.

    NUL and lone surrogates are replaced, one by one: the first ends a text in many programs, the
    others are no characters of UTF-8.
    """
    if isinstance(value, str):
        if value.isprintable():  # the usual case, and the cheap check
            return value
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", REPLACEMENT)
    return str(value) if isinstance(value, int | float) else ""


def any_text(value: object) -> str | None:
    """Return ``value`` as a text for people, a list or an object as JSON; None for none."""
    if not isinstance(value, list | dict):
        return None if value is None else text(value)
    try:
        return text(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return None


def count(value: object) -> int | None:
    """Return a whole number from 0 to LARGEST_COUNT; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST_COUNT else None


def seconds(value: datetime | None) -> float | None:
    """Return seconds since the epoch."""
    if value is None:
        return None
    # A time without a zone is UTC: all documented examples end in Z.
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()


def time(value: object) -> float | None:
    """Read a time in any form of ISO 8601; None where it is not one."""
    if not isinstance(value, str):
        return None
    word = value.strip()
    try:
        # First as whole pages are decoded, which rounds where `fromisoformat` cuts off.
        return seconds(msgspec.convert(word, datetime))
    except msgspec.ValidationError:
        pass
    try:
        return seconds(datetime.fromisoformat(word))
    except ValueError:
        return None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)
