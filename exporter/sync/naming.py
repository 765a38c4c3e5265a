"""Looks up the SIM cards behind new failures and open problems, once a poll has committed them.

It decides which ones, when and how many; `directory` decides how. It must not fail a poll.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from exporter.clock import Clock
from exporter.domain import SimCard
from exporter.errors import PollError, RateLimitedError, RefusedError
from exporter.sync.context import PollContext
from exporter.sync.directory import LookUpResult, look_up
from exporter.telnyx.client import Client

PAUSE = 300.0
"""Seconds without lookups after one that failed: each may take as long as a timeout.

If an error concerns one SIM card only, that one is left out for so long.
"""

FORBIDDEN_PAUSE = 3600.0
"""Seconds without lookups after the API refused the key for them."""


LONGEST_LOOKUP = 20.0
"""Maximum seconds that a poll spends on lookups: events wait for them, and so does its deadline."""


@dataclass(frozen=True, slots=True)
class NamingOptions:
    """How often SIM cards are looked up.

    An entry older than ``refresh`` seconds is looked up again. ``requests_per_poll`` 0: never.
    A poll spends at most ``seconds`` on it.
    """

    refresh: float
    requests_per_poll: int
    seconds: float = LONGEST_LOOKUP


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong with one SIM card, which is left out ``until`` a monotonic time."""

    until: float
    text: str


class Naming:
    """Looks up the SIM cards of one account, poll after poll."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        options: NamingOptions,
        on_change: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """Keep the parts; ``on_change`` is told when lookups begin to fail, and why, or to work."""
        self._client = client
        self._clock = clock
        self._options = options
        self._on_change = on_change
        self._unlisted: frozenset[str] = frozenset()
        self._failures: dict[str, _Failure] = {}
        self._paused_until = 0.0
        self._error: str | None = None

    async def look_up(self, context: PollContext) -> bool:
        """Look up what has no name yet, and commit it; tells whether there was anything to ask."""
        now = self._clock.now()
        if not self._options.requests_per_poll or self._clock.monotonic() < self._paused_until:
            return False
        ids = self._due(await context.ledger.unnamed(now - self._options.refresh))
        if not ids:
            return False
        unit = context.recorder.unit
        result = await look_up(
            self._client,
            ids,
            total=context.ledger.state.sim_card_total,
            budget=self._options.requests_per_poll,
            concurrency=context.concurrency,
            clock=self._clock,
            seconds=self._options.seconds,
            unlisted=self._unlisted,
            any_known=context.ledger.state.sim_cards_known > 0,
        )
        self._unlisted = result.unlisted
        known = context.ledger.state.sim_cards
        unit.sim_cards.update((card.id, _merged(card, known.get(card.id))) for card in result.cards)
        if result.total != context.ledger.state.sim_card_total:
            unit.sim_card_total = result.total
        await context.recorder.commit()
        self._note(result)
        return True

    def _due(self, ids: Sequence[str]) -> list[str]:
        """Return those of ``ids`` that are not left out, and forget the failures of all others.

        Those that failed last come last, so that they hold up no other.
        """
        wanted, now = frozenset(ids), self._clock.monotonic()
        self._failures = {each: it for each, it in self._failures.items() if each in wanted}
        left_out = {each for each, it in self._failures.items() if it.until > now}
        return sorted(
            (each for each in ids if each not in left_out), key=self._failures.__contains__
        )

    def _note(self, result: LookUpResult) -> None:
        now, error = self._clock.monotonic(), result.error
        for card in result.cards:
            self._failures.pop(card.id, None)
        for sim_card_id, each in result.failed.items():
            failure = _Failure(now + PAUSE, f"SIM card {sim_card_id}: {each}")
            self._failures[sim_card_id] = failure
        text = next((each.text for each in self._failures.values()), None)
        if error is not None:
            self._paused_until = now + _pause(error)
            text = str(error)
        if text != self._error:
            self._error = text
            self._on_change(text)


def _merged(card: SimCard, known: SimCard | None) -> SimCard:
    """Return ``card``; a deleted one keeps what was known of it, but for its status."""
    if known is None or not card.deleted:
        return card
    return msgspec.structs.replace(
        known, status=card.status, deleted=True, looked_up_at=card.looked_up_at
    )


def _pause(error: PollError) -> float:
    if isinstance(error, RefusedError):
        return FORBIDDEN_PAUSE
    if isinstance(error, RateLimitedError):
        return max(PAUSE, error.retry_after)
    return PAUSE
