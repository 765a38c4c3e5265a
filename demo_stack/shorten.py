"""Shortens the durations of rules and routes, so that hours become minutes. Pure.

Every duration is divided by one number and nothing else is changed, so the shipped files are
what runs. It must not know any particular rule or route.
"""

import re
from typing import Any

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_PART = re.compile(r"(\d+)(ms|[ywdhms])")
_DURATION = re.compile(r"(?:\d+(?:ms|[ywdhms]))+")

_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)""")
_RANGE = re.compile(r"\[[^\[\]]*\]")
_OFFSET = re.compile(r"\boffset\s+-?\s*\w+")
_COMPARISON = re.compile(r"([<>]=?\s*)(\d+(?:\.\d+)?)(?![\w.])")

_SECONDS = "_seconds:threshold"
"""How the records of ages end."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")

_RULE_KEYS = frozenset({"for", "keep_firing_for", "interval"})
_ROUTE_KEYS = frozenset({"group_wait", "group_interval"})


def shorten_rules(rules: Any, divisor: float) -> Any:
    """Return a parsed file of rules with each ``for``, range, offset and age divided.

    Ages are numbers in expressions with ``time()``, and the thresholds in seconds.
    """
    return _walk(rules, divisor, _RULE_KEYS)


def shorten_alertmanager(config: Any, divisor: float) -> Any:
    """Return a parsed Alertmanager configuration with the waits of its routes divided.

    ``repeat_interval`` stays as it is: more repeats would show nothing new.
    """
    return _walk(config, divisor, _ROUTE_KEYS)


def shorten_expression(expr: str, divisor: float) -> str:
    """Return an expression with its ranges and offsets divided.

    In an expression with ``time()``, the numbers in comparisons are ages in seconds: they are
    divided, too.
    """
    ages = "time()" in expr
    pieces = _QUOTED.split(expr)
    pieces[::2] = [_plain(piece, divisor, ages=ages) for piece in pieces[::2]]
    return "".join(pieces)


def shorten_duration(text: str, divisor: float) -> str:
    """Return a duration in Prometheus' format, such as 1h30m, divided; at least 1 ms."""
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if seconds == 0 or divisor == 1:
        return text
    milliseconds = max(1, round(seconds * 1000 / divisor))
    whole, rest = divmod(milliseconds, 1000)
    return f"{milliseconds}ms" if rest else f"{whole}s"


def _walk(value: Any, divisor: float, keys: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_walk(each, divisor, keys) for each in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("record")).endswith(_SECONDS):
        return value | {
            "expr": _NUMBER.sub(lambda each: f"{float(each[0]) / divisor:g}", value["expr"])
        }
    return {key: _changed(key, inner, divisor, keys) for key, inner in value.items()}


def _changed(key: str, value: Any, divisor: float, keys: frozenset[str]) -> Any:
    if key in keys:
        return shorten_duration(str(value), divisor)
    if key == "expr":
        return shorten_expression(value, divisor)
    return _walk(value, divisor, keys)


def _plain(piece: str, divisor: float, *, ages: bool) -> str:
    """Shorten a piece of an expression that is not quoted."""

    def durations(match: re.Match[str]) -> str:
        return _DURATION.sub(lambda each: shorten_duration(each[0], divisor), match[0])

    def number(match: re.Match[str]) -> str:
        return f"{match[1]}{float(match[2]) / divisor:g}"

    piece = _OFFSET.sub(durations, _RANGE.sub(durations, piece))
    return _COMPARISON.sub(number, piece) if ages else piece
