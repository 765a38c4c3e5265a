"""Mistakes that only show in the document as a whole or outside it.

They are looked for in the raw values, so that a mistake elsewhere does not hide them.
It must not repeat what the settings themselves check.
"""

import difflib
from collections.abc import Iterator, Mapping

from exporter.config.fields import is_label_word
from exporter.config.keys import read_key_file
from exporter.config.problems import Problem


def check(data: Mapping[str, object]) -> Iterator[Problem]:
    """Yield repeated account names, unusable key files and misspelt keys of stuck_after."""
    accounts = data.get("accounts")
    if isinstance(accounts, list):
        yield from _accounts(accounts)
    stuck_after = data.get("stuck_after")
    if isinstance(stuck_after, Mapping):
        yield from _stuck_after(stuck_after)


def _accounts(accounts: list[object]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, account in enumerate(accounts):
        if not isinstance(account, Mapping):
            continue
        name = account.get("name", "default")
        if isinstance(name, str) and first.setdefault(name, index) != index:
            text = f"is the name of accounts[{first[name]}] too; give each account its own name"
            yield Problem(("accounts", index, "name"), text)
        path = account.get("api_key_file")
        if isinstance(path, str) and path and path.isprintable():
            try:
                read_key_file(path)
            except ValueError as exc:
                yield Problem(("accounts", index, "api_key_file"), str(exc))


def _stuck_after(stuck_after: Mapping[str, object]) -> Iterator[Problem]:
    for key in stuck_after:
        # Action types are an open set: only what is surely none can be refused.
        if key != "default" and difflib.get_close_matches(key.casefold(), ["default"], cutoff=0.8):
            yield Problem(("stuck_after", key), "unknown key; did you mean default?")
        elif not is_label_word(key):
            text = "is no action type; write it as Telnyx does, like set_public_ip"
            yield Problem(("stuck_after", key), text)
