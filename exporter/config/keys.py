"""The API key of an account, from the settings or from its file.

It must not keep a key: the file is read again each time, so that a key can be replaced.
"""

import codecs

from exporter.config.key_form import LONGEST, key_fault
from exporter.config.settings import Account
from exporter.errors import ConfigError
from exporter.reading import read_file


def read_api_key(account: Account) -> str:
    """Return the API key of ``account``, read from its file if it has one.

    Raises ConfigError if the file cannot be read or holds no key.
    """
    if account.api_key is not None:
        return account.api_key.get_secret_value()
    try:
        key = read_key_file(account.api_key_file or "")
    except ValueError as exc:
        problem = f"account {account.name}: api_key_file: {exc}"
    else:
        return key
    raise ConfigError([problem])


def read_key_file(path: str) -> str:
    """Return the key that the file holds, without what editors put around it.

    That is a byte order mark, and blanks and line breaks before and after the key.

    Raises ValueError with a sentence that quotes neither the key nor the path.
    """
    content = read_file(path, LONGEST)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # What no text is becomes a character that no key has, which the check names.
    text = content.decode("utf-16" if wide else "utf-8-sig", "replace")
    key = text.strip(" \t\r\n")
    fault = key_fault(key)
    if fault:
        raise ValueError(f"the file {fault}")
    return key
