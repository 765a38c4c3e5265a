"""Whose password is checked next: fair between addresses, and those with a good record first.

A check costs a tenth of a second of a core, and strangers can ask for as many as they like. It must
not check passwords, or know HTTP. Pure: no clock, no waiting.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from exporter.web.client_network import client_network

MAX_WAITING = 32
"""Checks that wait for their turn, at most."""

MAX_WAITING_EACH = 4
"""Of them from one address."""

MAX_RECORDS = 4096
"""Addresses of which a record is kept."""

Item = TypeVar("Item")


class Reputation(IntEnum):
    """In which order addresses are served."""

    GOOD = 0
    """The last password from there was right."""
    UNKNOWN = 1
    GUESSING = 2
    """The last password from there was wrong."""


@dataclass(slots=True)
class _Entry(Generic[Item]):
    network: str
    name: bytes
    number: int
    item: Item = field(repr=False)


class PasswordQueue(Generic[Item]):
    """What waits for its turn, by address."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: list[_Entry[Item]] = []
        self._records: OrderedDict[str, Reputation] = OrderedDict()
        self._served: OrderedDict[str, int] = OrderedDict()
        self._number = 0

    def reputation(self, client: str) -> Reputation:
        """Return how an address is served."""
        return self._records.get(client_network(client), Reputation.UNKNOWN)

    def record(self, client: str, *, right: bool) -> None:
        """Note what came of the password that was last sent from an address."""
        self._records[client_network(client)] = Reputation.GOOD if right else Reputation.GUESSING
        self._records.move_to_end(client_network(client))
        if len(self._records) > MAX_RECORDS:
            # Guessers are many; who was right is remembered longest.
            guessing = (
                each
                for each, reputation in self._records.items()
                if reputation is Reputation.GUESSING
            )
            del self._records[next(guessing, next(iter(self._records)))]

    def add(
        self, client: str, item: Item, places: int = MAX_WAITING, *, name: bytes = b""
    ) -> Item | None:
        """Let ``item`` wait; return the one that has to give way: it, another, or none.

        ``places`` is how many may wait now, `MAX_WAITING` at most; ``name`` is the user's.
        """
        network = client_network(client)
        count = Counter(each.network for each in self._waiting)
        self._number += 1
        self._waiting.append(_Entry(network, name, self._number, item))
        if count[network] >= MAX_WAITING_EACH:
            # Users behind one proxy share an address with whoever guesses the password of another.
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

    def pop(self, worst: Reputation = Reputation.GUESSING) -> Item | None:
        """Take out the one whose turn it is; None if there is none.

        Addresses whose reputation is worse than ``worst`` are left waiting. Of those of one
        reputation it is the one that was served the longest ago.
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
        """Return how many wait."""
        return len(self._waiting)
