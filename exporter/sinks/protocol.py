"""What a sink is, and what it is fed from. No behaviour."""

from collections.abc import Sequence
from typing import Protocol

from exporter.domain import Event


class Sink(Protocol):
    """Somebody who is told of events.

    ``name`` is what its position in the outbox is kept under: it never changes.
    """

    @property
    def name(self) -> str:
        """The name of the sink."""
        ...

    async def deliver(self, events: Sequence[Event]) -> None:
        """Deliver events of one account, in order; on return all of them have arrived.

        Raises DeliveryError, which says how many have arrived all the same, where they cannot be
        delivered now: the others are delivered later. Never called twice at a time. It must not
        block the event loop, but may take as long as it likes.
        """
        ...

    async def close(self) -> None:
        """End for good: a delivery under way fails soon, and no other follows."""
        ...


class Outbox(Protocol):
    """The events of one account that were committed, and how far each sink is."""

    @property
    def name(self) -> str:
        """The name of the account."""
        ...

    @property
    def held(self) -> bool:
        """Whether this process may still tell of them; if not, somebody else does."""
        ...

    async def undelivered(self, sink: str) -> Sequence[tuple[int, Event]]:
        """Return the oldest events that ``sink`` was not delivered yet, each with its number.

        Raises StateError.
        """
        ...

    async def delivered(self, sink: str, seq: int) -> None:
        """Note that ``sink`` was delivered all events up to the number ``seq``; StateError."""
        ...
