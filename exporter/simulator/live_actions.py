"""Holds the actions that are not computed history, and a log of their latest changes.

From the log an ordered index can be updated without sorting again, and earlier totals can be
computed. It must not know an order, or why an action changes, and reads no clock.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from exporter.simulator.actions import SimulatedAction

ActionChange = tuple[SimulatedAction | None, SimulatedAction | None]
"""An action before and after; None before it was added, or after it was removed."""

CHANGE_RETENTION_SECONDS = 3600.0
"""How long each change is kept, at least."""

_MAX_REPLAYED = 5000
"""Changes that an index replays one by one; with more, sorting again is faster."""


class LiveActions:
    """The live actions by number: created since the start, or stuck at the start."""

    def __init__(self) -> None:
        """Start empty."""
        self._actions: dict[int, SimulatedAction] = {}
        self._changes: deque[tuple[float, ActionChange]] = deque()
        self.revision = 0

    def __len__(self) -> int:
        """Return how many actions there are."""
        return len(self._actions)

    def __iter__(self) -> Iterator[SimulatedAction]:
        """Yield every action, in the order in which they were added."""
        return iter(self._actions.values())

    def get(self, number: int) -> SimulatedAction | None:
        """Return the action with this ``number``, or None."""
        return self._actions.get(number)

    def put(self, action: SimulatedAction, at: float) -> None:
        """Add ``action``, or replace the one with its number, ``at`` seconds since the epoch.

        No change may be earlier than the one before it.
        """
        self._log_change(at, (self._actions.get(action.number), action))
        self._actions[action.number] = action

    def remove(self, number: int, at: float) -> SimulatedAction:
        """Remove and return the action with this ``number``; KeyError if there is none."""
        action = self._actions.pop(number)
        self._log_change(at, (action, None))
        return action

    def changes_since(self, revision: int) -> Sequence[ActionChange] | None:
        """Return the changes after ``revision``, earliest first; None if they are too many."""
        missed = self.revision - revision
        if missed > _MAX_REPLAYED:
            return None
        return [change for _, change in islice(reversed(self._changes), missed)][::-1]

    def changes_after(self, at: float) -> Iterator[ActionChange]:
        """Yield the changes after ``at``, latest first, within CHANGE_RETENTION_SECONDS."""
        for changed_at, change in reversed(self._changes):
            if changed_at <= at:
                return
            yield change

    def _log_change(self, at: float, change: ActionChange) -> None:
        self._changes.append((at, change))
        self.revision += 1
        oldest_kept = at - CHANGE_RETENTION_SECONDS
        while len(self._changes) > _MAX_REPLAYED and self._changes[0][0] < oldest_kept:
            self._changes.popleft()
