"""What is asked of the status page: parameters in, a query out. Pure.

It must not know how accounts are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from exporter.errors import QueryError
from exporter.ledger.queries import checked
from exporter.web.account_summary import AccountState, AccountSummary


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """Which accounts are listed: ``name`` is a part of their names, in any case.

    ``account`` is the one whose details are shown alone. With ``refresh`` the page reloads itself.
    """

    name: str = ""
    state: str = ""
    account: str = ""
    refresh: bool = False

    @property
    def narrows(self) -> bool:
        """Tell whether fewer accounts than all are shown."""
        return bool(self.name or self.state or self.account)

    def address(self, *, refresh: bool) -> str:
        """Return the query of the address that asks for this; empty for none."""
        given = {"name": self.name, "state": self.state, "account": self.account}
        given["refresh"] = "on" if refresh else ""
        found = urlencode({name: value for name, value in given.items() if value})
        return f"?{found}" if found else ""

    def takes(self, account: AccountSummary) -> bool:
        """Tell whether an account is shown."""
        if self.account:
            return account.name == self.account
        named = self.name.casefold() in account.name.casefold()
        return named and self.state in {"", account.state}


def account_query(parameters: Mapping[str, str], names: Iterable[str]) -> AccountQuery:
    """Return what parameters ask for of the accounts ``names``; raises QueryError."""
    given = checked(
        parameters,
        {"name": None, "state": tuple(AccountState), "account": tuple(names), "refresh": ("on",)},
    )
    for name in ("name", "state"):
        if "account" in given and name in given:
            raise QueryError(
                f"{name}: does not go with account, which shows one alone; leave one out"
            )
    return AccountQuery(
        name=given.get("name", ""),
        state=given.get("state", ""),
        account=given.get("account", ""),
        refresh="refresh" in given,
    )
