"""Types of single settings: how each text or number in the file is validated.

It must not compare settings with each other, or read a file.
"""

import math
import re
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, SecretStr, ValidationInfo, WithJsonSchema

from exporter.config.api_key_format import api_key_fault
from exporter.config.durations import PATTERN, parse_duration
from exporter.config.mistakes import invalid, redact_quoted, suggestion
from exporter.config.urls import as_printable_text
from exporter.domain import Status

STATUSES = tuple(each.value for each in Status)
"""The statuses to which an account can be limited."""

Choice = TypeVar("Choice", bound=StrEnum)


class LogLevel(StrEnum):
    """The least severe level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @classmethod
    def _missing_(cls, value: object) -> "LogLevel | None":
        return cls.WARNING if value == "warn" else None


LOG_LEVELS = ("debug", "info", "warn", "warning", "error")
"""How levels may be spelled: as in Prometheus, and as in Python."""


class LogFormat(StrEnum):
    """How an event is written; auto is console on a terminal, else logfmt."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"
    LOGFMT = "logfmt"


class ExportedTypes(StrEnum):
    """The action types that have series: all documented ones, or those that were seen."""

    ALL = "all"
    SEEN = "seen"


_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_LONGEST_NAME = 64
_MOST_BUCKETS = 50
_LONGEST_BUCKET = 1e9
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = ("alertname", "account", "sim_card_id", "concern", "status")
"""What identifies an alert, besides the labels of the configuration."""


def is_snake_case(word: str) -> bool:
    """Tell whether ``word`` is spelled like an action type: ``set_public_ip``."""
    return bool(_LABEL.fullmatch(word))


def _snake_case(value: object) -> str:
    word = as_printable_text(value)
    if not is_snake_case(word):
        raise invalid(
            "must be lower-case letters, digits and _, beginning with a letter; rename it"
        )
    return word


def _account_id(value: object) -> str | None:
    if value is None:
        return None
    word = as_printable_text(value)
    if not _ACCOUNT_ID.fullmatch(word):
        raise invalid("is not an ID of Telnyx; copy it from the list of managed accounts")
    return word


def _choice(options: type[Choice], words: Collection[str]) -> Callable[[object], Choice]:
    """Return the validator of a value that is one of ``words``, each of which is an option."""

    def validate(value: object) -> Choice:
        word = as_printable_text(value)
        if word not in words:
            raise invalid(f"unknown value; {suggestion(word, words)}")
        return options(word)

    return validate


def _whole(
    lowest: int, highest: int | None = None, *, instead: str = ""
) -> Callable[[object], int]:
    """Return the validator of a whole number within bounds; text of digits is one too.

    ``instead`` says what else can be done about a number out of range.
    """
    limits = f"from {lowest} to {highest}" if highest else f"{lowest} or more"

    def validate(value: object) -> int:
        # A value from the environment is a text.
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(f"must be a whole number, {limits}; write digits only")
        if value < lowest or (highest is not None and value > highest):
            raise invalid(f"is out of range; write a whole number {limits}{instead}")
        return value

    return validate


def _flag(value: object) -> bool:
    # A value from the environment is a text.
    if value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise invalid("must be true or false; write one of them")
    return value


def _rate(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,18})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid("must be a number; write requests per second, like 10 or 0.5")
    if not 0 < value < math.inf:
        raise invalid("must be greater than 0; write requests per second, like 10 or 0.5")
    return float(value)


def _buckets(value: object) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise invalid("must be a list of seconds; write it like [1, 10, 60, 600, 3600]")
    if len(value) > _MOST_BUCKETS:
        raise invalid(f"has more than {_MOST_BUCKETS} bounds; remove some")
    before = 0.0
    for index, bound in enumerate(value):
        if isinstance(bound, bool) or not isinstance(bound, (int, float)):
            raise invalid("must be a number; write seconds, like 60 or 0.5", at=index)
        if not 0 < bound <= _LONGEST_BUCKET:
            raise invalid("is out of range; write seconds, more than 0 and at most 1e9", at=index)
        if bound <= before:
            raise invalid("must be larger than the one before it; sort the list", at=index)
        before = bound
    return tuple(map(float, value))


def _duration(value: object, info: ValidationInfo) -> float:
    if value is None:
        raise invalid("is empty; set a value, or remove the key")
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise invalid("is not a duration; write it like 500ms, 15s, 5m, 1h30m or 30d")
    # In code a duration is seconds; in a file a bare number leaves the unit open.
    in_code = info.context is None and not isinstance(value, str)
    try:
        seconds = float(value) if in_code else parse_duration(str(value))
    except (ValueError, OverflowError) as exc:
        raise invalid(str(exc)) from None
    if not 0 < seconds < math.inf:
        raise invalid("must be greater than 0; write it like 500ms, 15s, 5m, 1h30m or 30d")
    return seconds


def _api_key(value: object) -> SecretStr:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is not None and not isinstance(value, str):
        raise invalid("must be text; put it in quotes")
    fault = api_key_fault(value or "")
    if fault:
        raise invalid(fault)
    return SecretStr(value or "")


def _name(value: object) -> str:
    name = as_printable_text(value)
    if len(name) > _LONGEST_NAME:
        raise invalid(f"is longer than {_LONGEST_NAME} characters; shorten it")
    if name.strip() != name:
        raise invalid("begins or ends with a space; remove it")
    return name


def _alert_label_name(value: object) -> str:
    name = value if isinstance(value, str) else ""
    if not _LABEL_NAME.fullmatch(name):
        text = "is not a label name; use letters, digits and _, not beginning with a digit"
        raise invalid(text, name=True)
    if name.startswith("__"):
        raise invalid("begins with __, which Prometheus reserves; rename it", name=True)
    if name in _OWN_LABELS:
        raise invalid("is a label that every alert has; use another name", name=True)
    return name


def _alert_label_value(value: object) -> str:
    text = as_printable_text(value)
    if len(text) > _LONGEST_NAME * 4:
        raise invalid(f"is longer than {_LONGEST_NAME * 4} characters; shorten it")
    if text.strip() != text:
        raise invalid("begins or ends with a space; remove it")
    return text


def _pattern(value: object) -> re.Pattern[str]:
    if isinstance(value, re.Pattern):
        return value
    try:
        return re.compile(as_printable_text(value))
    except (re.error, RecursionError, OverflowError) as exc:
        words = redact_quoted(str(exc))
        raise invalid(f"is not a valid regular expression ({words}); fix it") from None


def _status(value: object) -> str:
    word = as_printable_text(value)
    if word not in STATUSES:
        raise invalid(f"unknown status; {suggestion(word, STATUSES)}")
    return str(word)


_VARIABLE = {"type": "string", "pattern": r"\$\{"}

Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": rf"^(?=[0-9]){PATTERN}$|\$\{{"}),
]
PageSize = Annotated[
    int,
    BeforeValidator(_whole(1, 250)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 250}, _VARIABLE]}),
]
LookupRequests = Annotated[
    int,
    BeforeValidator(_whole(1, 1000, instead=", or sim_cards.lookup: false for no lookups")),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1000}, _VARIABLE]}),
]
Concurrency = Annotated[
    int,
    BeforeValidator(_whole(1)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _VARIABLE]}),
]
RequestRate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _VARIABLE]}),
]
Buckets = Annotated[
    tuple[float, ...],
    BeforeValidator(_buckets),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "number", "exclusiveMinimum": 0, "maximum": _LONGEST_BUCKET},
            "minItems": 1,
            "maxItems": _MOST_BUCKETS,
        }
    ),
]
ExportedTypesName = Annotated[
    ExportedTypes, BeforeValidator(_choice(ExportedTypes, list(ExportedTypes)))
]
Boolean = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, _VARIABLE]}),
]
ApiKeyValue = Annotated[SecretStr, BeforeValidator(_api_key)]
AlertCount = Annotated[
    int,
    BeforeValidator(_whole(1, 10_000)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10_000}, _VARIABLE]}),
]
AlertLabelName = Annotated[str, BeforeValidator(_alert_label_name)]
AlertLabelValue = Annotated[str, BeforeValidator(_alert_label_value)]
AccountName = Annotated[str, BeforeValidator(_name)]
AccountId = Annotated[str | None, BeforeValidator(_account_id)]
LinkName = Annotated[str, BeforeValidator(_name)]
SnakeCase = Annotated[str, BeforeValidator(_snake_case)]
StatusName = Annotated[
    str,
    BeforeValidator(_status),
    WithJsonSchema({"type": "string", "enum": list(STATUSES)}),
]
Regex = Annotated[
    re.Pattern[str],
    BeforeValidator(_pattern),
    WithJsonSchema({"type": "string", "format": "regex"}),
]
LogLevelName = Annotated[
    LogLevel,
    BeforeValidator(_choice(LogLevel, LOG_LEVELS)),
    WithJsonSchema({"type": "string", "enum": list(LOG_LEVELS)}),
]
LogFormatName = Annotated[LogFormat, BeforeValidator(_choice(LogFormat, list(LogFormat)))]
