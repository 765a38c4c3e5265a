"""The base class of the sections of configuration files in Prometheus' formats, and their types.

They decode YAML as leniently as Prometheus, which is written in Go. It must not know which
settings exist.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from exporter.config.mistakes import invalid, keys_of, suggestion

_ValueT = TypeVar("_ValueT")

NOT_TEXT = "must be text; put it in quotes"


class ConfigSection(BaseModel):
    """A mapping in which null, and empty text except for a section, means that a key is unset."""

    SECTIONS: ClassVar[frozenset[str]] = frozenset()
    """The keys whose values are mappings."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_unset(cls, data: object) -> object:
        if data is None:
            return {}
        if not isinstance(data, Mapping):
            return data
        keys = keys_of(cls)
        return {
            key: value
            for key, value in data.items()
            if is_set(value) or key not in keys or (value == "" and key in cls.SECTIONS)
        }


def is_set(value: object) -> bool:
    """Tell whether a key with ``value`` is set."""
    return value is not None and value != ""


def as_text(value: object) -> str:
    """Return ``value`` if it is text."""
    if not isinstance(value, str):
        raise invalid(NOT_TEXT)
    return value


def as_boolean(value: object) -> bool:
    """Return ``value`` if it is true or false; text is neither."""
    if not isinstance(value, bool):
        raise invalid("must be true or false, without quotes")
    return value


def choice(options: Mapping[str, _ValueT]) -> Callable[[object], _ValueT]:
    """Return the validator of a word that stands for one of ``options``."""

    def validate(value: object) -> _ValueT:
        word = as_text(value)
        if word not in options:
            raise invalid(f"unknown value; {suggestion(word, options)}")
        return options[word]

    return validate


Text = Annotated[str, BeforeValidator(as_text)]
YamlBoolean = Annotated[bool, BeforeValidator(as_boolean)]
