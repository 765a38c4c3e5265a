"""Read the web configuration, in the format of Prometheus' exporter-toolkit, and check all of it.

It must not serve, and must not decide when the file is read again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config.document import parse
from exporter.config.durations import parse_duration, parse_go_duration
from exporter.config.problems import Problem, render
from exporter.errors import ConfigError
from exporter.web.files import Files
from exporter.web.form import Section, choice, never, text
from exporter.web.tls import Tls, read_tls

MAX_COST = 14
"""Of bcrypt: some seconds for one check, all of which a stranger can cause."""

_HASH = re.compile(
    # The salt and the digest end in a character whose lowest bits are 0.
    r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
)
_LEAST_COST = 4
_DAYS = re.compile(r"[0-9]+[ywd].*")
_NANOSECONDS = 1_000_000_000
"""In a second. Go takes a number without a unit for nanoseconds."""
_MOST = 2**63
_START = "write tls_server_config and basic_auth_users, or {} for neither"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket for all requests together: one token each ``interval`` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebSettings:
    """What the file says; ``users`` are bcrypt hashes by name, in bytes as both travel."""

    tls: Tls | None
    headers: Mapping[str, str]
    """To be set on every answer."""
    users: Mapping[bytes, bytes] = field(repr=False)
    rate_limit: RateLimit | None


def load(path: Path, files: Files | None = None) -> WebSettings:
    """Return the settings in the file at ``path``; paths in it are from its own folder.

    What was read is noted in ``files``. Raises ConfigError with every mistake, in the order of
    the file: ``web.yml:3: tls_server_config.key_file: what is wrong; how to mend it``.
    """
    files = Files() if files is None else files
    source = str(path)
    try:
        content = files.read(path)
    except ValueError as exc:
        raise ConfigError([f"{source}: {exc}"]) from None
    try:
        document = parse(content.decode("utf-8-sig"), source, start=_START)
    except UnicodeDecodeError:
        document = None
    if document is None:  # raised here: the decoder's error holds the whole file
        raise ConfigError([f"{source}: is not UTF-8; save it as UTF-8"])
    problems = list(document.problems)
    root = Section(document.data, (), problems, document.written)
    settings = WebSettings(
        tls=read_tls(root.section("tls_server_config"), files, path.parent),
        headers=_http(root.section("http_server_config")),
        users=_users(root.section("basic_auth_users")),
        rate_limit=_rate_limit(root.section("rate_limit")),
    )
    root.end()
    if problems:
        raise ConfigError(render(_first_each(problems), document.lines, source))
    return settings


def _first_each(problems: list[Problem]) -> list[Problem]:
    """Leave out what follows from another mistake at the same place."""
    return list({problem.place: problem for problem in reversed(problems)}.values())[::-1]


def _http(section: Section) -> Mapping[str, str]:
    section.take("http2", never("HTTP/2 is not offered here; remove it, or set it to false"), None)
    headers = section.section("headers")
    found = {
        "Content-Security-Policy": headers.take_text("Content-Security-Policy", _header, None),
        "Strict-Transport-Security": headers.take_text("Strict-Transport-Security", _header, None),
        "X-Content-Type-Options": headers.take("X-Content-Type-Options", _no_sniff, None),
        "X-Frame-Options": headers.take("X-Frame-Options", _frame, None),
        "X-XSS-Protection": headers.take_text("X-XSS-Protection", _header, None),
    }
    headers.end()
    section.end()
    return {name: value for name, value in found.items() if value is not None}


def _header(value: object) -> str:
    line = text(value)
    if not (line.isascii() and line.isprintable()):
        raise ValueError("holds a character that no header has, a line break perhaps; remove it")
    return line


_no_sniff = choice({"nosniff": "nosniff"})
_frame = choice({"deny": "deny", "sameorigin": "sameorigin"})


def _users(section: Section) -> Mapping[bytes, bytes]:
    users = {}
    for name in section.names():
        if not name or ":" in name or not name.isprintable():
            section.wrong(name, "no client can send this name; leave out colons and control signs")
            continue
        if not section.given(name):
            section.wrong(name, "is empty; write a bcrypt hash, or remove the user")
            continue
        users[name.encode()] = section.take(name, _hash, b"")
    return users


def _hash(value: object) -> bytes:
    found = _HASH.fullmatch(text(value))
    if found is None:
        raise ValueError("is no bcrypt hash; make one with: htpasswd -nBC 10 NAME")
    if int(found[1]) > MAX_COST:
        raise ValueError(f"its cost is above {MAX_COST}, a check takes too long; use 10 to 12")
    if int(found[1]) < _LEAST_COST:
        raise ValueError("is no bcrypt hash; make one with: htpasswd -nBC 10 NAME")
    return found[0].encode()


def _rate_limit(section: Section) -> RateLimit | None:
    interval = section.take("interval", _interval, 0.0)
    burst = section.take("burst", _burst, 0)
    if interval and not burst:
        section.wrong(
            "burst", "is 0 or missing, so every request would be refused; write 1 or more"
        )
    section.end()
    return RateLimit(interval, burst) if interval and burst else None


def _interval(value: object) -> float:
    if isinstance(value, str):
        # Go knows no days and weeks; whoever writes them means what Prometheus means.
        return parse_duration(value) if _DAYS.fullmatch(value) else parse_go_duration(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("is not a duration; write it like 500ms, 1.5s, 5m or 1h30m")  # noqa: TRY004 # as any
    if not 0 <= value < _MOST:
        raise ValueError("is no number of nanoseconds; write it like 500ms, 1.5s, 5m or 1h30m")
    return int(value) / _NANOSECONDS


def _burst(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1:
        raise ValueError("must be a whole number, 1 or more; write digits only")
    if not 0 <= value < _MOST:
        raise ValueError("must be a whole number, 1 or more; write digits only")
    return int(value)
