"""Mistakes that only show across settings, or outside the file.

They are looked for in the raw values, so that a mistake elsewhere does not hide them. It must not
repeat what the settings themselves check.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping

from exporter.config.api_keys import read_api_key_file
from exporter.config.fields import is_snake_case
from exporter.config.mistakes import KeyPath, Mistake
from exporter.config.postgresql import read_password_file


def cross_check(data: Mapping[str, object]) -> Iterator[Mistake]:
    """Yield repeated account names, unusable files of secrets, misspelled keys of stuck_after."""
    accounts = data.get("accounts")
    if isinstance(accounts, list):
        yield from _accounts(accounts)
    stuck_after = data.get("stuck_after")
    if isinstance(stuck_after, Mapping):
        yield from _stuck_after(stuck_after)
    state = data.get("state")
    if isinstance(state, Mapping):
        yield from _unusable(state, ("state", "password_file"), read_password_file)


def _accounts(accounts: list[object]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, account in enumerate(accounts):
        if not isinstance(account, Mapping):
            continue
        name = account.get("name", "default")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            text = f"is also the name of accounts[{first[name]}]; give each account a unique name"
            yield Mistake(("accounts", index, "name"), text)
        yield from _unusable(account, ("accounts", index, "api_key_file"), read_api_key_file)


def _unusable(
    section: Mapping[str, object], path: KeyPath, read: Callable[[str], object]
) -> Iterator[Mistake]:
    """Yield what is wrong with the file that the last key of ``path`` names in ``section``."""
    file = section.get(str(path[-1]))
    if isinstance(file, str) and file and file.isprintable():
        try:
            read(file)
        except ValueError as exc:
            yield Mistake(path, str(exc))


def _stuck_after(stuck_after: Mapping[str, object]) -> Iterator[Mistake]:
    for key in stuck_after:
        # Action types are an open set: only what surely is none can be refused.
        if key != "default" and difflib.get_close_matches(key.casefold(), ["default"], cutoff=0.8):
            yield Mistake(("stuck_after", key), "unknown key; did you mean default?")
        elif not is_snake_case(key):
            text = "is not an action type; spell it as Telnyx does, like set_public_ip"
            yield Mistake(("stuck_after", key), text)
