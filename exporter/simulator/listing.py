"""The list of actions: any filter, any order, any page, over live actions and history as one.

A page costs what is on it: live actions come from ordered indexes that follow the changes,
history from arithmetic, and where the two meet is found by bisection. Changes nothing.
"""

from bisect import bisect_left, insort
from collections.abc import Callable

from exporter.simulator.action import Action, Filter
from exporter.simulator.book import Book
from exporter.simulator.chance import Chance
from exporter.simulator.history import History, shuffled
from exporter.simulator.settings import Order

_INDEXES = 64

_Key = tuple[float, int]


class _Index:
    """The numbers of the live actions that a filter shows, in ascending order of a key."""

    def __init__(self, wanted: Filter, key: Callable[[Action], _Key]) -> None:
        self._wanted = wanted
        self._key = key
        self._revision = -1
        self.keys: list[_Key] = []

    def follow(self, book: Book) -> None:
        """Take in what changed in the ``book`` since the last time."""
        if self._revision == book.revision:
            return
        changes = book.changes_since(self._revision) if self._revision >= 0 else None
        if changes is None:
            self.keys = sorted(self._key(each) for each in book if self._wanted.shows(each))
        else:
            for before, after in changes:
                if before is not None and self._wanted.shows(before):
                    del self.keys[bisect_left(self.keys, self._key(before))]
                if after is not None and self._wanted.shows(after):
                    insort(self.keys, self._key(after))
        self._revision = book.revision


class Listing:
    """Reads pages of the actions of one account."""

    def __init__(self, book: Book, history: History, seed: int) -> None:
        """List what ``book`` and ``history`` hold; ``seed`` shuffles the order ``none``."""
        self._book = book
        self._history = history
        self._chance = Chance(seed, "order")
        self._indexes: dict[tuple[Filter, str], _Index] = {}

    def total(self, wanted: Filter) -> int:
        """Return how many actions the filter ``wanted`` shows."""
        return len(self._index(wanted, Order.NEWEST).keys) + self._history.count(wanted)

    def total_at(self, wanted: Filter, at: float) -> int:
        """Return how many it showed ``at`` seconds since the epoch, not long ago."""
        live = len(self._index(wanted, Order.NEWEST).keys)
        for before, after in self._book.changes_after(at):
            live += before is not None and wanted.shows(before)
            live -= after is not None and wanted.shows(after)
        return live + self._history.count_at(wanted, at)

    def page(self, wanted: Filter, order: Order, offset: int, limit: int) -> list[Action]:
        """Return at most ``limit`` actions from place ``offset`` (from 0) of the list on."""
        keys = self._index(wanted, order).keys
        past = self._history.count(wanted)
        descending = order in {Order.NEWEST, Order.UPDATED}

        def live(rank: int) -> Action:
            action = self._book.get(keys[-1 - rank if descending else rank][1])
            if action is None:
                raise LookupError("an index shows an action that is gone")
            return action

        def place(rank: int) -> int:
            return rank + self._past_before(live(rank), wanted, order, past)

        rank = bisect_left(range(len(keys)), offset, key=place)
        actions = []
        following = place(rank) if rank < len(keys) else -1
        for at in range(offset, min(offset + limit, len(keys) + past)):
            if at == following:
                actions.append(live(rank))
                rank += 1
                following = place(rank) if rank < len(keys) else -1
            else:
                actions.append(self._past(wanted, order, at - rank, past))
        return actions

    def oldest(self, count: int) -> tuple[list[Action], int]:
        """Return the live ones among the oldest ``count`` actions, and how many are history."""
        everything = Filter()
        keys = self._index(everything, Order.OLDEST).keys
        past = self._history.size
        found = []
        for rank, (_, number) in enumerate(keys):
            action = self._book.get(number)
            if (
                action is None
                or rank + self._past_before(action, everything, Order.OLDEST, past) >= count
            ):
                break
            found.append(action)
        return found, min(count - len(found), past)

    def _index(self, wanted: Filter, order: Order) -> _Index:
        # Newest and oldest first are one index, read from either end.
        kind = Order.NEWEST if order is Order.OLDEST else order
        index = self._indexes.pop((wanted, kind), None)
        if index is None:
            index = _Index(wanted, self._keys()[kind])
            if len(self._indexes) >= _INDEXES:
                del self._indexes[next(iter(self._indexes))]
        self._indexes[wanted, kind] = index
        index.follow(self._book)
        return index

    def _keys(self) -> dict[Order, Callable[[Action], _Key]]:
        return {
            Order.NEWEST: lambda action: (action.created_ms, action.number),
            Order.UPDATED: lambda action: (action.updated_ms, action.number),
            Order.NONE: lambda action: (self._chance.roll(action.number), action.number),
        }

    def _past_before(self, action: Action, wanted: Filter, order: Order, past: int) -> int:
        """Return how many actions of the history come before the live ``action``."""
        if order is Order.NONE:
            return int(self._chance.roll(action.number) * (past + 1))
        matches = self._history.matches(wanted)
        if order is Order.UPDATED:
            return matches.below(self._history.updated_after(action.updated_ms))
        newer = matches.below(self._history.created_after(action.created_ms))
        return newer if order is Order.NEWEST else past - newer

    def _past(self, wanted: Filter, order: Order, rank: int, past: int) -> Action:
        """Return the action of the history at place ``rank`` of its part of the list."""
        if order is Order.OLDEST:
            rank = past - 1 - rank
        elif order is Order.NONE:
            rank = shuffled(rank, past)
        return self._history.action(self._history.matches(wanted).nth(rank))
