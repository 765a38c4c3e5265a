"""Lenient decoding of foreign JSON: a body or a field in, plain values out.

Text is sanitized here, once: the result can be stored, logged and sent. It must not know what the
fields mean (`schema.py`).
"""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from exporter.errors import InvalidResponseError

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""The exceptions of msgspec for a body that it cannot decode."""

REPLACEMENT = "\ufffd"
"""The replacement for characters that cannot be kept."""

LARGEST_COUNT = 2**40
"""Larger values are not plausible counts, and do not fit into a database column."""

_LONGEST_INTEGER = 18


def decode_anything(body: bytes) -> Any:
    """Decode any JSON, including invalid Unicode, NaN and very long numbers.

    One reason truncated in the middle of an emoji must not hide the whole page. Raises
    InvalidResponseError if the body is not JSON at all, or nested too deeply.
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
    """Return ``value`` if it is an object, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return text, or a number as text; empty for anything else.

    NUL and lone surrogates are replaced, one by one: NUL terminates text in many programs, and
    lone surrogates cannot be encoded in UTF-8.
    """
    if isinstance(value, str):
        if value.isprintable():  # the usual case, and the cheap check
            return value
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", REPLACEMENT)
    return str(value) if isinstance(value, int | float) else ""


def any_text(value: object) -> str | None:
    """Return ``value`` as readable text, a list or an object as JSON; None for null."""
    if not isinstance(value, list | dict):
        return None if value is None else text(value)
    try:
        return text(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return None


def count(value: object) -> int | None:
    """Return an integer from 0 to LARGEST_COUNT; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= LARGEST_COUNT else None


def seconds(value: datetime | None) -> float | None:
    """Return seconds since the epoch."""
    if value is None:
        return None
    # A time without a time zone is UTC: all documented examples end in Z.
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()


def time(value: object) -> float | None:
    """Return a time in any ISO 8601 format as seconds since the epoch; None if it is invalid."""
    if not isinstance(value, str):
        return None
    word = value.strip()
    try:
        # First the way whole pages are decoded: it rounds, while `fromisoformat` truncates.
        return seconds(msgspec.convert(word, datetime))
    except msgspec.ValidationError:
        pass
    try:
        return seconds(datetime.fromisoformat(word))
    except ValueError:
        return None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else float(digits)
