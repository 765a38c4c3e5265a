"""Pages of the list of actions, for any filter and order, over live actions and history.

The cost of a page depends on its size alone: live actions come from ordered indexes that are
kept up to date, history is computed, and where the two interleave is found by bisection. It
must not change any action.
"""

from bisect import bisect_left, insort
from collections.abc import Callable

from exporter.simulator.actions import ActionFilter, SimulatedAction
from exporter.simulator.history import History, shuffled
from exporter.simulator.live_actions import LiveActions
from exporter.simulator.random_source import RandomSource
from exporter.simulator.settings import ListOrder

_MAX_INDEXES = 64

_SortKey = tuple[float, int]


class _Index:
    """The numbers of the live actions that a filter matches, in ascending order of a key."""

    def __init__(
        self, action_filter: ActionFilter, key: Callable[[SimulatedAction], _SortKey]
    ) -> None:
        self._filter = action_filter
        self._key = key
        self._revision = -1
        self.keys: list[_SortKey] = []

    def update(self, live: LiveActions) -> None:
        """Apply the changes of the ``live`` actions since the last update."""
        if self._revision == live.revision:
            return
        changes = live.changes_since(self._revision) if self._revision >= 0 else None
        if changes is None:
            self.keys = sorted(self._key(each) for each in live if self._filter.matches(each))
        else:
            for before, after in changes:
                if before is not None and self._filter.matches(before):
                    del self.keys[bisect_left(self.keys, self._key(before))]
                if after is not None and self._filter.matches(after):
                    insort(self.keys, self._key(after))
        self._revision = live.revision


class ActionPager:
    """Reads pages of the actions of one account."""

    def __init__(self, live: LiveActions, history: History, seed: int) -> None:
        """List what ``live`` and ``history`` hold; ``seed`` shuffles the order ``none``."""
        self._live = live
        self._history = history
        self._random = RandomSource(seed, "order")
        self._indexes: dict[tuple[ActionFilter, str], _Index] = {}

    def total(self, action_filter: ActionFilter) -> int:
        """Return how many actions match."""
        return len(self._index(action_filter, ListOrder.NEWEST).keys) + self._history.count(
            action_filter
        )

    def total_at(self, action_filter: ActionFilter, at: float) -> int:
        """Return how many actions matched ``at`` seconds since the epoch, not long ago."""
        total = len(self._index(action_filter, ListOrder.NEWEST).keys)
        for before, after in self._live.changes_after(at):
            total += before is not None and action_filter.matches(before)
            total -= after is not None and action_filter.matches(after)
        return total + self._history.count_at(action_filter, at)

    def page(
        self, action_filter: ActionFilter, order: ListOrder, offset: int, limit: int
    ) -> list[SimulatedAction]:
        """Return at most ``limit`` actions of the list, starting at ``offset`` (from 0)."""
        keys = self._index(action_filter, order).keys
        history_count = self._history.count(action_filter)
        descending = order in {ListOrder.NEWEST, ListOrder.UPDATED}

        def live_action(rank: int) -> SimulatedAction:
            action = self._live.get(keys[-1 - rank if descending else rank][1])
            if action is None:
                raise LookupError("an index holds an action that was removed")
            return action

        def position(rank: int) -> int:
            return rank + self._history_before(
                live_action(rank), action_filter, order, history_count
            )

        rank = bisect_left(range(len(keys)), offset, key=position)
        after = rank + limit
        if rank < after <= len(keys) and position(after - 1) == offset + limit - 1:
            return [live_action(each) for each in range(rank, after)]
        actions = []
        next_live = position(rank) if rank < len(keys) else -1
        for position_in_list in range(offset, min(offset + limit, len(keys) + history_count)):
            if position_in_list == next_live:
                actions.append(live_action(rank))
                rank += 1
                next_live = position(rank) if rank < len(keys) else -1
            else:
                actions.append(
                    self._history_action(
                        action_filter, order, position_in_list - rank, history_count
                    )
                )
        return actions

    def oldest(self, count: int) -> tuple[list[SimulatedAction], int]:
        """Return the live ones among the oldest ``count`` actions, and how many are history."""
        unfiltered = ActionFilter()
        keys = self._index(unfiltered, ListOrder.OLDEST).keys
        history_count = self._history.size
        found = []
        for rank, (_, number) in enumerate(keys):
            action = self._live.get(number)
            if (
                action is None
                or rank + self._history_before(action, unfiltered, ListOrder.OLDEST, history_count)
                >= count
            ):
                break
            found.append(action)
        return found, min(count - len(found), history_count)

    def _index(self, action_filter: ActionFilter, order: ListOrder) -> _Index:
        # Newest and oldest first are one index, read from either end.
        index_order = ListOrder.NEWEST if order is ListOrder.OLDEST else order
        index = self._indexes.pop((action_filter, index_order), None)
        if index is None:
            index = _Index(action_filter, self._keys()[index_order])
            if len(self._indexes) >= _MAX_INDEXES:
                del self._indexes[next(iter(self._indexes))]
        self._indexes[action_filter, index_order] = index
        index.update(self._live)
        return index

    def _keys(self) -> dict[ListOrder, Callable[[SimulatedAction], _SortKey]]:
        return {
            ListOrder.NEWEST: lambda action: (action.created_ms, action.number),
            ListOrder.UPDATED: lambda action: (action.updated_ms, action.number),
            ListOrder.NONE: lambda action: (self._random.uniform(action.number), action.number),
        }

    def _history_before(
        self,
        action: SimulatedAction,
        action_filter: ActionFilter,
        order: ListOrder,
        history_count: int,
    ) -> int:
        """Return how many actions of the history precede the live ``action``."""
        if order is ListOrder.NONE:
            return int(self._random.uniform(action.number) * (history_count + 1))
        matches = self._history.matches(action_filter)
        if order is ListOrder.UPDATED:
            return matches.below(self._history.updated_after(action.updated_ms))
        newer = matches.below(self._history.created_after(action.created_ms))
        return newer if order is ListOrder.NEWEST else history_count - newer

    def _history_action(
        self, action_filter: ActionFilter, order: ListOrder, rank: int, history_count: int
    ) -> SimulatedAction:
        """Return the action at position ``rank`` among those of the history in the list."""
        if order is ListOrder.OLDEST:
            rank = history_count - 1 - rank
        elif order is ListOrder.NONE:
            rank = shuffled(rank, history_count)
        return self._history.action(self._history.matches(action_filter).nth(rank))
