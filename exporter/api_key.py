"""The API key of one account, read anew at each request as its file may change.

It must not send the key, nor show it.
"""

from contextlib import suppress

from exporter.config import Account, read_api_key
from exporter.errors import ConfigError
from exporter.sanitize import redacted


class ApiKey:
    """The API key of an account, read anew at each request as its file may change."""

    def __init__(self, account: Account) -> None:
        """Keep where it comes from, and read it: it is struck out of logs before it is sent."""
        self._account = account
        self._last = ""
        self._used: frozenset[str] = frozenset()
        with suppress(ConfigError):  # the first request says so
            self._used = frozenset({read_api_key(account)})
        self._first, self._steady = True, True

    def __call__(self) -> str:
        """Return the key; raises ConfigError where it cannot be read."""
        try:
            key = read_api_key(self._account)
        except ConfigError:
            self._steady = False
            raise
        self._steady = self._steady and (self._first or key == self._last)
        self._first = False
        self._last = key
        self._used |= {key}
        return key

    def is_sent_by(self, other: "ApiKey") -> bool:
        """Tell whether another has sent the same key last."""
        try:
            return read_api_key(self._account) == other.last
        except ConfigError:
            return False

    def begin(self) -> None:
        """Take note, from now on, whether the key stays the same from request to request."""
        self._first, self._steady = True, True

    def renewed(self) -> bool:
        """Tell whether there is a key now, and not all requests since `begin` had that one.

        A file that cannot be read is being replaced, perhaps: it says nothing new as yet.
        """
        try:
            key = read_api_key(self._account)
        except ConfigError:
            return False
        return not self._steady or key != self._last

    def __repr__(self) -> str:
        """Say whose it is, not what it is."""
        return f"Key({self._account.name!r})"

    def redact(self, text: str) -> str:
        """Return ``text`` without the key, and without those that it replaced."""
        return redacted(text, self._used)

    @property
    def last(self) -> str:
        """Return the key that was sent last; empty at first."""
        return self._last

    @property
    def used(self) -> frozenset[str]:
        """Return the key and those that it replaced: lines that wait may hold them."""
        return self._used
