"""The API key of one account, read again for each request because its file may change.

It must not send or reveal the key.
"""

from contextlib import suppress

from exporter.config import Account, read_api_key
from exporter.errors import ConfigError
from exporter.sanitize import redacted


class ApiKey:
    """The API key of an account, and whether it changed between requests."""

    def __init__(self, account: Account) -> None:
        """Store the account, and read the key: logs redact it even before it is sent."""
        self._account = account
        self._last = ""
        self._used: frozenset[str] = frozenset()
        with suppress(ConfigError):  # the first request says so
            self._used = frozenset({read_api_key(account)})
        self._first, self._steady = True, True

    def __call__(self) -> str:
        """Return the key; raises ConfigError if it cannot be read."""
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
        """Tell whether the key that ``other`` sent last is the same."""
        try:
            return read_api_key(self._account) == other.last
        except ConfigError:
            return False

    def begin(self) -> None:
        """Start recording whether the key changes between requests."""
        self._first, self._steady = True, True

    def renewed(self) -> bool:
        """Tell whether the key now differs from that of any request since `begin`.

        False if the key cannot be read, because its file may just be being replaced.
        """
        try:
            key = read_api_key(self._account)
        except ConfigError:
            return False
        return not self._steady or key != self._last

    def __repr__(self) -> str:
        """Return the account name, not the key."""
        return f"ApiKey({self._account.name!r})"

    def redact(self, text: str) -> str:
        """Return ``text`` without the key, and without those that it replaced."""
        return redacted(text, self._used)

    @property
    def last(self) -> str:
        """Return the key that was last read for a request; empty at first."""
        return self._last

    @property
    def used(self) -> frozenset[str]:
        """Return the key and those that it replaced: queued log lines may contain them."""
        return self._used
