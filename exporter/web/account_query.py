"""What is asked of the status page: parameters in, a query out. Pure.

It must not know how accounts are shown.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from exporter.ledger.queries import given_parameters, one_of
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
        """Tell whether a filter is set."""
        return bool(self.name or self.state)

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
    given = given_parameters(parameters, ("name", "state", "account", "refresh"))
    values: tuple[tuple[str, Collection[str]], ...] = (
        ("account", tuple(names)),
        ("state", tuple(AccountState)),
        ("refresh", ("on",)),
    )
    for name, allowed in values:
        one_of(given, name, allowed)
    return AccountQuery(
        name=given.get("name", ""),
        state=given.get("state", ""),
        account=given.get("account", ""),
        refresh="refresh" in given,
    )
