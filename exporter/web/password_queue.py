"""The order of password checks: fair between addresses, with those of good reputation first.

A check takes a tenth of a second of CPU time, and anybody can request any number of them. It must
not check passwords, or know HTTP. Pure: no clock, no waiting.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from exporter.web.client_network import client_network

MAX_WAITING = 32
"""Maximum number of waiting checks."""

MAX_WAITING_EACH = 4
"""The same per address."""

MAX_RECORDS = 4096
"""Maximum number of addresses whose reputation is stored."""

_ItemT = TypeVar("_ItemT")


class Reputation(IntEnum):
    """The reputation of an address; lower values are served first."""

    GOOD = 0
    """The last password from the address was correct."""
    UNKNOWN = 1
    GUESSING = 2
    """The last password from the address was wrong."""


@dataclass(slots=True)
class _WaitingCheck(Generic[_ItemT]):
    network: str
    name: bytes
    number: int
    item: _ItemT = field(repr=False)


class PasswordQueue(Generic[_ItemT]):
    """The waiting checks, by address."""

    def __init__(self) -> None:
        """Start with an empty queue."""
        self._waiting: list[_WaitingCheck[_ItemT]] = []
        self._records: OrderedDict[str, Reputation] = OrderedDict()
        self._served: OrderedDict[str, int] = OrderedDict()
        self._number = 0

    def reputation(self, client: str) -> Reputation:
        """Return the reputation of an address."""
        return self._records.get(client_network(client), Reputation.UNKNOWN)

    def record(self, client: str, *, right: bool) -> None:
        """Record the result of the last password check of an address."""
        self._records[client_network(client)] = Reputation.GOOD if right else Reputation.GUESSING
        self._records.move_to_end(client_network(client))
        if len(self._records) > MAX_RECORDS:
            # Guessing addresses are many; those with correct passwords are kept longest.
            guessing = (
                each
                for each, reputation in self._records.items()
                if reputation is Reputation.GUESSING
            )
            del self._records[next(guessing, next(iter(self._records)))]

    def add(
        self, client: str, item: _ItemT, places: int = MAX_WAITING, *, name: bytes = b""
    ) -> _ItemT | None:
        """Add ``item``; returns the item that is displaced: it, another, or None.

        ``places`` is how many may wait now, at most `MAX_WAITING`; ``name`` is the user name.
        """
        network = client_network(client)
        count = Counter(each.network for each in self._waiting)
        self._number += 1
        self._waiting.append(_WaitingCheck(network, name, self._number, item))
        if count[network] >= MAX_WAITING_EACH:
            # Users behind a proxy share an address with someone who guesses another's password.
            here = [each for each in self._waiting if each.network == network]
            names = Counter(each.name for each in here)
            greedy = max(here, key=lambda each: (names[each.name], each.number))
            self._waiting.remove(greedy)
            return greedy.item
        if len(self._waiting) <= min(places, MAX_WAITING):
            return None
        count[network] += 1
        last = max(
            self._waiting,
            key=lambda each: (self.reputation(each.network), count[each.network], each.number),
        )
        self._waiting.remove(last)
        return last.item

    def pop(self, worst: Reputation = Reputation.GUESSING) -> _ItemT | None:
        """Remove and return the next item; None if there is none.

        Addresses with a worse reputation than ``worst`` are skipped. Among those of the same
        reputation, the one served the longest ago is next.
        """
        allowed = [each for each in self._waiting if self.reputation(each.network) <= worst]
        if not allowed:
            return None
        first = min(
            allowed,
            key=lambda each: (
                self.reputation(each.network),
                self._served.get(each.network, 0),
                each.number,
            ),
        )
        self._waiting.remove(first)
        self._number += 1
        self._served[first.network] = self._number
        self._served.move_to_end(first.network)
        if len(self._served) > MAX_RECORDS:
            self._served.popitem(last=False)
        return first.item

    def __len__(self) -> int:
        """Return the number of waiting items."""
        return len(self._waiting)
