"""Keeps the actions of the account since the start, and what changed lately.

The log of changes lets an ordered index follow without sorting anew. It must not know time,
order, or why an action changes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from exporter.simulator.action import Action

Change = tuple[Action | None, Action | None]
"""An action before and after; None before it was there, or after it is gone."""

_REMEMBERED = 5000


class Book:
    """The live actions by number."""

    def __init__(self) -> None:
        """Start empty."""
        self._actions: dict[int, Action] = {}
        self._changes: deque[Change] = deque(maxlen=_REMEMBERED)
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

    def put(self, action: Action) -> None:
        """Add ``action``, or replace the one with its number."""
        self._note(self._actions.get(action.number), action)
        self._actions[action.number] = action

    def drop(self, number: int) -> Action:
        """Take out and return the action with this ``number``; KeyError if there is none."""
        action = self._actions.pop(number)
        self._note(action, None)
        return action

    def changes_since(self, revision: int) -> Iterable[Change] | None:
        """Return the changes after ``revision`` as (before, after); None if no longer known."""
        missed = self.revision - revision
        if missed > len(self._changes):
            return None
        return islice(self._changes, len(self._changes) - missed, None)

    def _note(self, before: Action | None, after: Action | None) -> None:
        self._changes.append((before, after))
        self.revision += 1
