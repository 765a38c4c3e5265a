"""Keeps the actions of the account since the start, and what changed lately.

The log of changes lets an ordered index follow without sorting anew, and tells what was listed
a while ago. It must not know order, or why an action changes, and reads no clock.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from exporter.simulator.action import Action

Change = tuple[Action | None, Action | None]
"""An action before and after; None before it was there, or after it is gone."""

KEPT_SECONDS = 3600.0
"""How long each change is remembered, at least."""

_FOLLOWED = 5000
"""Changes that an index follows one by one; with more it is quicker to sort anew."""


class Book:
    """The live actions by number."""

    def __init__(self) -> None:
        """Start empty."""
        self._actions: dict[int, Action] = {}
        self._changes: deque[tuple[float, Change]] = deque()
        self.revision = 0

    def __len__(self) -> int:
        """Return how many actions there are."""
        return len(self._actions)

    def __iter__(self) -> Iterator[Action]:
        """Yield every action, in the order in which they came in."""
        return iter(self._actions.values())

    def get(self, number: int) -> Action | None:
        """Return the action with this ``number``, or None."""
        return self._actions.get(number)

    def put(self, action: Action, at: float) -> None:
        """Add ``action``, or replace the one with its number, ``at`` seconds since the epoch.

        No change may be earlier than the one before it.
        """
        self._note(at, (self._actions.get(action.number), action))
        self._actions[action.number] = action

    def drop(self, number: int, at: float) -> Action:
        """Take out and return the action with this ``number``; KeyError if there is none."""
        action = self._actions.pop(number)
        self._note(at, (action, None))
        return action

    def changes_since(self, revision: int) -> Sequence[Change] | None:
        """Return the changes after ``revision``, the earliest first; None if they are many."""
        missed = self.revision - revision
        if missed > _FOLLOWED:
            return None
        return [change for _, change in islice(reversed(self._changes), missed)][::-1]

    def changes_after(self, at: float) -> Iterator[Change]:
        """Yield what changed after ``at``, at most KEPT_SECONDS ago, the latest first."""
        for changed_at, change in reversed(self._changes):
            if changed_at <= at:
                return
            yield change

    def _note(self, at: float, change: Change) -> None:
        self._changes.append((at, change))
        self.revision += 1
        while len(self._changes) > _FOLLOWED and self._changes[0][0] < at - KEPT_SECONDS:
            self._changes.popleft()
