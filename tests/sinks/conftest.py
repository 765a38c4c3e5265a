"""Make events, and an outbox in memory that a test lets fail."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from exporter.domain import Event, EventType
from exporter.errors import StateError


def a_failure(reason: str = "SIM card is blocked", **changes: Any) -> Event:
    """Return an event of a failure."""
    values: dict[str, Any] = {
        "event_type": EventType.FAILED,
        "account": "default",
        "action_id": "a-1",
        "sim_card_id": "s-1",
        "action_type": "enable",
        "status": "failed",
        "reason": reason,
        "reason_class": "sim_blocked",
        "created_at": 1_785_585_605.0,
        "updated_at": 1_785_585_665.25,
        "duration_seconds": 60.250_049,
        "iccid": "8931086000000000012",
        "sim_card_group": "Meters, north",
        "tags": ("meter", "north"),
        "attempts": 2,
    }
    return Event(**{**values, **changes})


@pytest.fixture
def failure() -> Callable[..., Event]:
    """Give a maker of events of a failure."""
    return a_failure


class MemoryOutbox:
    """The outbox of an account; it gives ``limit`` events at once."""

    def __init__(self, name: str = "main", limit: int = 100) -> None:
        """Begin empty."""
        self.name = name
        self.limit = limit
        self.held = True
        self.events: list[Event] = []
        self.positions: dict[str, int] = {}
        self.take_errors: list[Exception | None] = []
        self.note_errors: list[Exception | None] = []

    def add(self, count: int) -> None:
        """Commit so many events, numbered on from those before."""
        first = len(self.events)
        self.events += [
            a_failure(account=self.name, action_id=str(number))
            for number in range(first, first + count)
        ]

    async def undelivered(self, sink: str) -> Sequence[tuple[int, Event]]:
        """Return the oldest events behind the position."""
        error = self.take_errors.pop(0) if self.take_errors else None
        if error is not None:
            raise error
        position = self.positions.get(sink, 0)
        return [*enumerate(self.events, 1)][position : position + self.limit]

    async def delivered(self, sink: str, seq: int) -> None:
        """Move the position."""
        error = self.note_errors.pop(0) if self.note_errors else None
        if error is not None:
            raise error
        self.positions[sink] = max(seq, self.positions.get(sink, 0))


@pytest.fixture
def outbox() -> Callable[..., MemoryOutbox]:
    """Give a maker of outboxes."""
    return MemoryOutbox


@pytest.fixture
def broken_state() -> StateError:
    """Give what the database says when it cannot be used."""
    return StateError("disk full")
