"""Durations as Prometheus writes them (``1h30m``), to and from seconds.

It must not know which setting a duration belongs to.
"""

import math
import re

_UNITS = (
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)

_EXACT = ("y", "w")

_LONGEST = (2**63 - 1) // 1_000_000
"""In milliseconds: what Prometheus, which counts nanoseconds in 64 bits, can hold."""

PATTERN = "".join(f"(?:([0-9]+){unit})?" for unit, _ in _UNITS)
"""Each unit at most once, from the longest to the shortest; it matches no text at all too."""

_FORM = re.compile(PATTERN)


def parse_duration(text: str) -> float:
    """Return the seconds that ``text`` says: ``500ms``, ``15s``, ``1h30m``, ``30d``, ``0``.

    A year has 365 days. Raises ValueError with a sentence that does not quote ``text``.
    """
    if text == "0":
        return 0.0
    found = _FORM.fullmatch(text)
    if not text or found is None:
        if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
            raise ValueError("has no unit; write it like 500ms, 15s, 5m, 1h30m or 30d")
        raise ValueError("is not a duration; write it like 500ms, 15s, 5m, 1h30m or 30d")
    if max(len(count or "") for count in found.groups()) > len(str(_LONGEST)):
        raise ValueError("is too long; the longest is 292y")
    counts = (int(count or 0) for count in found.groups())
    total = sum(count * size for count, (_, size) in zip(counts, _UNITS, strict=True))
    if total > _LONGEST:
        raise ValueError("is too long; the longest is 292y")
    return total / 1000


def format_duration(seconds: float) -> str:
    """Return ``seconds``, to the millisecond, as the shortest text that Prometheus would write.

    Raises ValueError for what is negative or not finite.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("a duration is finite and not negative")
    rest = round(seconds * 1000)
    parts = []
    for unit, size in _UNITS:
        # As in Prometheus: 30d stays 30d rather than turn into 4w2d.
        if unit in _EXACT and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0"
