"""Mistakes that only show across settings, or outside the file.

They are looked for in the raw values, so that a mistake elsewhere does not hide them. It must not
repeat what the settings themselves check.
"""

import difflib
from collections.abc import Iterator, Mapping

from exporter.config.api_keys import read_api_key_file
from exporter.config.fields import is_snake_case
from exporter.config.mistakes import Mistake


def cross_check(data: Mapping[str, object]) -> Iterator[Mistake]:
    """Yield repeated account names, unusable key files and misspelled keys of stuck_after."""
    accounts = data.get("accounts")
    if isinstance(accounts, list):
        yield from _accounts(accounts)
    stuck_after = data.get("stuck_after")
    if isinstance(stuck_after, Mapping):
        yield from _stuck_after(stuck_after)


def _accounts(accounts: list[object]) -> Iterator[Mistake]:
    first: dict[str, int] = {}
    for index, account in enumerate(accounts):
        if not isinstance(account, Mapping):
            continue
        name = account.get("name", "default")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            text = f"is also the name of accounts[{first[name]}]; give each account a unique name"
            yield Mistake(("accounts", index, "name"), text)
        path = account.get("api_key_file")
        if isinstance(path, str) and path and path.isprintable():
            try:
                read_api_key_file(path)
            except ValueError as exc:
                yield Mistake(("accounts", index, "api_key_file"), str(exc))


def _stuck_after(stuck_after: Mapping[str, object]) -> Iterator[Mistake]:
    for key in stuck_after:
        # Action types are an open set: only what surely is none can be refused.
        if key != "default" and difflib.get_close_matches(key.casefold(), ["default"], cutoff=0.8):
            yield Mistake(("stuck_after", key), "unknown key; did you mean default?")
        elif not is_snake_case(key):
            text = "is not an action type; spell it as Telnyx does, like set_public_ip"
            yield Mistake(("stuck_after", key), text)
