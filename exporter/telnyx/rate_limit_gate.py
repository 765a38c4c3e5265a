"""The gate of the rate limit: while the limit is known to be used up, no request is sent.

It must not read headers (`rate_limit_headers.py`), nor spread requests that are within the limit.
"""

import asyncio

from exporter.clock import Clock
from exporter.errors import RateLimitedError

LONGEST_WAIT = 30.0
"""Seconds that a request waits at most for a rate limit; past it the poll ends."""

LONGEST_PAUSE = 3600.0
"""Seconds that the next poll is put off at most, whatever a header asks for."""

LONGEST_EXHAUSTED = LONGEST_WAIT
"""Seconds for which a good answer holds requests back at most: its reset is a forecast only.

It is no longer than a request waits: an API that says so in every answer would end every poll.
"""


class RateLimitGate:
    """Holds the requests of one account back; open at first."""

    def __init__(self, clock: Clock) -> None:
        """Keep the clock; waits go by its monotonic time."""
        self._clock = clock
        self._refused_until = 0.0
        self._exhausted_until = 0.0
        self._waits: set[asyncio.Future[None]] = set()

    def exhaust_for(self, seconds: float) -> None:
        """Send nothing for ``seconds``, LONGEST_EXHAUSTED at most: the limit is used up."""
        until = self._clock.monotonic() + min(seconds, LONGEST_EXHAUSTED)
        self._exhausted_until = max(self._exhausted_until, until)

    def reopen(self) -> bool:
        """Forget that the limit is used up, but no refusal; returns whether that opens the gate.

        Requests that wait are sent then. To be called on their event loop.
        """
        now = self._clock.monotonic()
        opens = self._exhausted_until > now >= self._refused_until
        self._exhausted_until = 0.0
        for each in self._waits:
            each.cancel()  # it finds out anew how long it has to wait
        return opens

    def close_for(self, seconds: float) -> None:
        """Send nothing for ``seconds`` after a refusal, LONGEST_PAUSE at most.

        Never shortens a wait.
        """
        until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        self._refused_until = max(self._refused_until, until)

    async def wait(self) -> None:
        """Wait until it is open; raises RateLimitedError where a refusal makes that too long."""
        while (wait := self._closed_for()) > 0:
            refused = self._refused_until - self._clock.monotonic()
            if refused > LONGEST_WAIT:
                raise RateLimitedError(
                    f"rate limit: told to wait {refused:.0f} s", retry_after=refused
                )
            sleep = asyncio.ensure_future(self._clock.sleep(wait))
            self._waits.add(sleep)
            try:
                await asyncio.wait({sleep})
            finally:
                sleep.cancel()
                self._waits.discard(sleep)

    def _closed_for(self) -> float:
        return max(self._refused_until, self._exhausted_until) - self._clock.monotonic()
