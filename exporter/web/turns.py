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


class Rank(IntEnum):
    """In which order addresses are served."""

    GOOD = 0
    """The last password from there was right."""
    UNKNOWN = 1
    GUESSING = 2
    """The last password from there was wrong."""


@dataclass(slots=True)
class _Entry(Generic[Item]):
    origin: str
    name: bytes
    number: int
    item: Item = field(repr=False)


class Turns(Generic[Item]):
    """What waits for its turn, by address."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._waiting: list[_Entry[Item]] = []
        self._records: OrderedDict[str, Rank] = OrderedDict()
        self._served: OrderedDict[str, int] = OrderedDict()
        self._number = 0

    def rank(self, client: str) -> Rank:
        """Return how an address is served."""
        return self._records.get(client_network(client), Rank.UNKNOWN)

    def note(self, client: str, *, right: bool) -> None:
        """Note what came of the password that was last sent from an address."""
        self._records[client_network(client)] = Rank.GOOD if right else Rank.GUESSING
        self._records.move_to_end(client_network(client))
        if len(self._records) > MAX_RECORDS:
            # Guessers are many; who was right is remembered longest.
            guessing = (each for each, rank in self._records.items() if rank is Rank.GUESSING)
            del self._records[next(guessing, next(iter(self._records)))]

    def enter(
        self, client: str, item: Item, places: int = MAX_WAITING, *, name: bytes = b""
    ) -> Item | None:
        """Let ``item`` wait; return the one that has to give way: it, another, or none.

        ``places`` is how many may wait now, `MAX_WAITING` at most; ``name`` is the user's.
        """
        place = client_network(client)
        count = Counter(each.origin for each in self._waiting)
        self._number += 1
        self._waiting.append(_Entry(place, name, self._number, item))
        if count[place] >= MAX_WAITING_EACH:
            # Users behind one proxy share an address with whoever guesses the password of another.
            here = [each for each in self._waiting if each.origin == place]
            names = Counter(each.name for each in here)
            greedy = max(here, key=lambda each: (names[each.name], each.number))
            self._waiting.remove(greedy)
            return greedy.item
        if len(self._waiting) <= min(places, MAX_WAITING):
            return None
        count[place] += 1
        last = max(
            self._waiting,
            key=lambda each: (self.rank(each.origin), count[each.origin], each.number),
        )
        self._waiting.remove(last)
        return last.item

    def next(self, worst: Rank = Rank.GUESSING) -> Item | None:
        """Take out the one whose turn it is, of ranks up to ``worst``; None if there is none.

        Within a rank it is the address that was served the longest ago.
        """
        allowed = [each for each in self._waiting if self.rank(each.origin) <= worst]
        if not allowed:
            return None
        first = min(
            allowed,
            key=lambda each: (
                self.rank(each.origin),
                self._served.get(each.origin, 0),
                each.number,
            ),
        )
        self._waiting.remove(first)
        self._number += 1
        self._served[first.origin] = self._number
        self._served.move_to_end(first.origin)
        if len(self._served) > MAX_RECORDS:
            self._served.popitem(last=False)
        return first.item

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)
