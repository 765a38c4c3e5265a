"""The web configuration file, in the format of Prometheus' exporter-toolkit.

It must not serve, or decide when the file is reloaded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from exporter.config.config_file import read_document, validate
from exporter.config.config_section import ConfigSection, as_boolean, as_text, choice, is_set
from exporter.config.durations import parse_duration, parse_go_duration
from exporter.config.mistakes import invalid
from exporter.config.pem_fields import FileContext
from exporter.config.tracked_files import TrackedFiles
from exporter.errors import ConfigError
from exporter.web.tls import Tls, read_tls
from exporter.web.tls_config import TlsServerConfig

MAX_COST = 14
"""Maximum bcrypt cost: a check then takes some seconds, and anybody can cause one."""

_HASH = re.compile(
    # The salt and the digest end in a character whose lowest bits are 0.
    r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
)
_MIN_COST = 4
_NOT_A_HASH = "is not a bcrypt hash; create one with: htpasswd -nBC 10 NAME"
_DAYS = re.compile(r"[0-9]+[ywd].*")
_NANOSECONDS = 1_000_000_000
"""Per second. Go interprets a number without a unit as nanoseconds."""
_INT64 = 2**63
_NOT_A_BURST = "must be an integer of 1 or more; use digits only"
_DURATION_HINT = "write it like 500ms, 1.5s, 5m or 1h30m"
_HINT = "add tls_server_config or basic_auth_users, or use {} for neither"
_SPELLED = (("http_server_config", "headers"), ("tls_server_config", "client_allowed_sans"))
"""Where Go accepts a number as text, exactly as written in the file."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket for all requests together: one token every ``interval`` seconds."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The settings in the file; ``users`` has bcrypt hashes by user name, both as bytes."""

    tls: Tls | None
    headers: Mapping[str, str]
    """To be set on every response."""
    users: Mapping[bytes, bytes] = field(repr=False)
    rate_limit: RateLimit | None


def load(path: Path, files: TrackedFiles | None = None) -> WebSettings:
    """Return the settings in the file at ``path``; paths in it are relative to its directory.

    All files that are read are recorded in ``files``. Raises ConfigError with all mistakes, in the
    order of the file: ``web.yml:3: tls_server_config.key_file: what is wrong; how to fix it``.
    """
    files = TrackedFiles() if files is None else files
    document = read_document(path, hint=_HINT, read=files.read)
    config = validate(
        _WebConfig,
        document,
        document.spelled(*_SPELLED),
        context=FileContext(path.parent, files),
    )
    try:
        tls = read_tls(config.tls_server_config)
    except ConfigError as exc:
        raise ConfigError([f"{path}: {line}" for line in exc.mistakes]) from None
    limit = config.rate_limit
    return WebSettings(
        tls=tls,
        headers=config.http_server_config.headers.model_dump(by_alias=True, exclude_none=True),
        users={name.encode(): hashed for name, hashed in config.basic_auth_users.items()},
        rate_limit=RateLimit(limit.interval, limit.burst) if limit.interval else None,
    )


def _header(value: object) -> str:
    line = as_text(value)
    if not (line.isascii() and line.isprintable()):
        raise invalid(
            "contains a character that is invalid in a header, such as a line break; remove it"
        )
    return line


def _user_name(name: str) -> str:
    if not name or ":" in name or not name.isprintable():
        reason = "is not a valid user name"
        raise invalid(f"{reason}; remove colons and control characters", name=True)
    return name


def _password_hash(value: object) -> bytes:
    if not is_set(value):
        raise invalid("is empty; set it to a bcrypt hash, or remove the user")
    found = _HASH.fullmatch(as_text(value))
    if found is None or int(found[1]) < _MIN_COST:
        raise invalid(_NOT_A_HASH)
    if int(found[1]) > MAX_COST:
        raise invalid(f"has a cost above {MAX_COST}, which takes too long to check; use 10 to 12")
    return found[0].encode()


def _off(value: object) -> bool:
    if as_boolean(value):
        raise invalid("HTTP/2 is not supported; remove the key or set it to false")
    return False


def _interval(value: object) -> float:
    if isinstance(value, str):
        # Go has no units for days and weeks; they are interpreted as in Prometheus.
        parse = parse_duration if _DAYS.fullmatch(value) else parse_go_duration
        try:
            return parse(value)
        except ValueError as exc:
            raise invalid(str(exc)) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(f"is not a duration; {_DURATION_HINT}")
    if not 0 <= value < _INT64:
        raise invalid(f"is not a number of nanoseconds; {_DURATION_HINT}")
    return int(value) / _NANOSECONDS


def _burst(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(_NOT_A_BURST)
    if value % 1 or not 0 <= value < _INT64:
        raise invalid(_NOT_A_BURST)
    return int(value)


_Header = Annotated[str, BeforeValidator(_header)]
_UserName = Annotated[str, BeforeValidator(_user_name)]
_PasswordHash = Annotated[bytes, BeforeValidator(_password_hash)]


class _Headers(ConfigSection):
    content_security_policy: _Header | None = Field(default=None, alias="Content-Security-Policy")
    strict_transport_security: _Header | None = Field(
        default=None, alias="Strict-Transport-Security"
    )
    x_content_type_options: (
        Annotated[str, BeforeValidator(choice({"nosniff": "nosniff"}))] | None
    ) = Field(default=None, alias="X-Content-Type-Options")
    x_frame_options: (
        Annotated[str, BeforeValidator(choice({"deny": "deny", "sameorigin": "sameorigin"}))] | None
    ) = Field(default=None, alias="X-Frame-Options")
    x_xss_protection: _Header | None = Field(default=None, alias="X-XSS-Protection")


class _HttpServerConfig(ConfigSection):
    SECTIONS = frozenset({"headers"})

    http2: Annotated[bool, BeforeValidator(_off)] = False
    headers: _Headers = Field(default_factory=_Headers)


class _RateLimitSection(ConfigSection):
    interval: Annotated[float, BeforeValidator(_interval)] = 0.0
    burst: Annotated[int, BeforeValidator(_burst)] = Field(default=0, validate_default=True)

    @field_validator("burst")
    @classmethod
    def _admits_requests(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("interval") and not value:
            raise invalid(
                "is 0 or missing, so every request would be rejected; set it to 1 or more"
            )
        return value


class _WebConfig(ConfigSection):
    """The whole file."""

    SECTIONS = frozenset(
        {"tls_server_config", "http_server_config", "basic_auth_users", "rate_limit"}
    )

    tls_server_config: TlsServerConfig | None = None
    http_server_config: _HttpServerConfig = Field(default_factory=_HttpServerConfig)
    basic_auth_users: dict[_UserName, _PasswordHash] = Field(default_factory=dict, repr=False)
    rate_limit: _RateLimitSection = Field(default_factory=_RateLimitSection)

    @field_validator("tls_server_config", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return None if value == {} else value
