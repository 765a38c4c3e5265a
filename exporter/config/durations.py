"""Durations to seconds, as Prometheus writes them (``1h30m``) and as Go does (``1.5s``).

It must not know which setting a duration belongs to.
"""

import re
from fractions import Fraction

_UNITS = (
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
)

_LONGEST = (2**63 - 1) // 1_000_000
"""In milliseconds: the most that Prometheus, which counts nanoseconds in 64 bits, can hold."""

PATTERN = "".join(f"(?:([0-9]+){unit})?" for unit, _ in _UNITS)
"""Each unit at most once, from the longest to the shortest; it matches the empty text too."""

_FORM = re.compile(PATTERN)

_GO_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "\N{GREEK SMALL LETTER MU}s": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_GO_LONGEST = 2**63
"""In nanoseconds."""
_GO_PART = re.compile(
    rf"([0-9]{{1,30}}(?:\.[0-9]{{0,30}})?|\.[0-9]{{1,30}})({'|'.join(_GO_UNITS)})"
)
_GO_FORM = re.compile(rf"(?:{_GO_PART.pattern})+")


def parse_duration(text: str) -> float:
    """Return the seconds in ``text``: ``500ms``, ``15s``, ``1h30m``, ``30d``, ``0``.

    A year has 365 days. Raises ValueError with what is wrong; it does not quote ``text``.
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


def parse_go_duration(text: str) -> float:
    """Return the seconds in ``text`` as Go reads it: ``1.5s``, ``500us``, ``1h1.5m``, ``0``.

    Raises ValueError with what is wrong, negative ones included; it does not quote ``text``.
    """
    unsigned = text.removeprefix("+").removeprefix("-")
    if unsigned != "0" and not _GO_FORM.fullmatch(unsigned):
        raise ValueError("is not a duration; write it like 500ms, 1.5s, 5m or 1h30m")
    total = sum(
        Fraction(count.strip(".") if count.endswith(".") else count) * _GO_UNITS[unit]
        for count, unit in _GO_PART.findall(unsigned)
    )
    if total >= _GO_LONGEST:
        raise ValueError("is too long; the longest is 292y")
    if text.startswith("-") and total:
        raise ValueError("is negative; write it like 500ms, 1.5s, 5m or 1h30m, or 0 for no limit")
    return float(total / _GO_UNITS["s"])
