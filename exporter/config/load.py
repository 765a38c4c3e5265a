"""The exporter's settings, from its file or from the environment.

It must not act on the settings, or read the environment other than through its argument.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from exporter.config.api_key_format import api_key_fault
from exporter.config.config_file import read_document, validate
from exporter.config.cross_checks import cross_check
from exporter.config.settings import Settings
from exporter.config.variables import substitute
from exporter.errors import ConfigError

_VARIABLE = "TELNYX_API_KEY"
_HINT = "start from config.example.yaml"


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings in the file at ``path``; paths in it are from the working directory.

    Raises ConfigError with every mistake, in the order of the file:
    ``config.yaml:12: accounts[1].base_url: what is wrong; how to fix it``.
    """
    document = read_document(path, hint=_HINT)
    replaced, mistakes = substitute(document.data, environ)
    return validate(
        Settings,
        document,
        cast("Mapping[str, object]", replaced),  # a mapping goes in, so one comes out
        context={"file": True},
        mistakes=mistakes,
        cross_check=cross_check,
    )


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Return the defaults for one account, whose key is in ``TELNYX_API_KEY``.

    Raises ConfigError if it is not set or cannot be an API key.
    """
    key = environ.get(_VARIABLE)
    if key is None:
        text = "is not set; set it to the API key, or name a file with --config.file"
        raise ConfigError([f"{_VARIABLE}: {text}"])
    fault = api_key_fault(key)
    if fault:
        raise ConfigError([f"{_VARIABLE}: {fault}"])
    return Settings.model_validate({"accounts": [{"api_key": key}]})
