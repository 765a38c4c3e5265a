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


_NO_KEY = "not-read"


def load(path: Path, environ: Mapping[str, str], *, with_keys: bool = True) -> Settings:
    """Return the settings in the file at ``path``; paths in it are from the working directory.

    Without keys each account has a word in place of its key, and neither the variable nor the file
    of the key needs to be there: for programs that ask Telnyx nothing.

    Raises ConfigError with every mistake, in the order of the file:
    ``config.yaml:12: accounts[1].base_url: what is wrong; how to fix it``.
    """
    document = read_document(path, hint=_HINT)
    data = document.data if with_keys else _without_keys(document.data)
    replaced, mistakes = substitute(data, environ)
    return validate(
        Settings,
        document,
        cast("Mapping[str, object]", replaced),  # a mapping goes in, so one comes out
        context={"file": True},
        mistakes=mistakes,
        cross_check=cross_check,
    )


def from_environment(environ: Mapping[str, str], *, with_keys: bool = True) -> Settings:
    """Return the defaults for one account, whose key is in ``TELNYX_API_KEY``.

    Raises ConfigError if it is not set or cannot be an API key. Without keys as `load`.
    """
    key = environ.get(_VARIABLE) if with_keys else _NO_KEY
    if key is None:
        text = "is not set; set it to the API key, or name a file with --config.file"
        raise ConfigError([f"{_VARIABLE}: {text}"])
    fault = api_key_fault(key)
    if fault:
        raise ConfigError([f"{_VARIABLE}: {fault}"])
    return Settings.model_validate({"accounts": [{"api_key": key}]})


def _without_keys(data: Mapping[str, object]) -> Mapping[str, object]:
    accounts = data.get("accounts")
    if not isinstance(accounts, list):
        return data
    return {
        **data,
        "accounts": [
            {key: value for key, value in each.items() if key != "api_key_file"}
            | {"api_key": _NO_KEY}
            if isinstance(each, Mapping)
            else each
            for each in accounts
        ],
    }
