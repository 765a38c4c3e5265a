"""The API key of an account, from the settings or from its file.

It must not keep a key: the file is read again each time, so that the key can be rotated.
"""

import codecs

from exporter.config.api_key_format import LONGEST, api_key_fault
from exporter.config.settings import Account
from exporter.errors import ConfigError
from exporter.reading import read_file


def read_api_key(account: Account) -> str:
    """Return the API key of ``account``, read from its file if it has one.

    Raises ConfigError if the file cannot be read or holds no API key.
    """
    if account.api_key is not None:
        return account.api_key.get_secret_value()
    try:
        key = read_api_key_file(account.api_key_file or "")
    except ValueError as exc:
        text = f"account {account.name}: api_key_file: {exc}"
    else:
        return key
    raise ConfigError([text])


def read_api_key_file(path: str) -> str:
    """Return the API key in the file, without a byte order mark and the white space around it.

    Raises ValueError with what is wrong; the text quotes neither the key nor the path.
    """
    content = read_file(path, LONGEST)
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    # Bytes that are not text become a character that no API key has, which the check reports.
    text = content.decode("utf-16" if wide else "utf-8-sig", "replace")
    key = text.strip(" \t\r\n")
    fault = api_key_fault(key)
    if fault:
        raise ValueError(f"the file {fault}")
    return key
