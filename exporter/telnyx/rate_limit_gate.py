"""Blocks requests while the rate limit is known to be exhausted.

It must not read headers (`rate_limit_headers.py`), or spread requests within the limit.
"""

import asyncio

from exporter.clock import Clock
from exporter.errors import RateLimitedError

LONGEST_WAIT = 30.0
"""Maximum seconds that a request waits for the rate limit; for a longer wait the poll fails."""

LONGEST_PAUSE = 3600.0
"""Maximum seconds by which the next poll is delayed, whatever a header says."""

LONGEST_EXHAUSTED = LONGEST_WAIT
"""Maximum seconds for which a successful response blocks requests: its reset is only a forecast.

Not longer than a request waits: otherwise an API that always reports this would fail every poll.
"""


class RateLimitGate:
    """Blocks the requests of one account; open at first."""

    def __init__(self, clock: Clock) -> None:
        """Store the clock; waits use its monotonic time."""
        self._clock = clock
        self._refused_until = 0.0
        self._exhausted_until = 0.0
        self._waits: set[asyncio.Future[None]] = set()

    def exhaust_for(self, seconds: float) -> None:
        """Send nothing for ``seconds``, at most LONGEST_EXHAUSTED: the limit is exhausted."""
        until = self._clock.monotonic() + min(seconds, LONGEST_EXHAUSTED)
        self._exhausted_until = max(self._exhausted_until, until)

    def reopen(self) -> bool:
        """Forget that the limit is exhausted, but not a 429; returns whether that opens the gate.

        Waiting requests are then sent. Must be called on their event loop.
        """
        now = self._clock.monotonic()
        opens = self._exhausted_until > now >= self._refused_until
        self._exhausted_until = 0.0
        for each in self._waits:
            each.cancel()  # it then determines its wait again
        return opens

    def close_for(self, seconds: float) -> None:
        """Send nothing for ``seconds`` after a 429, at most LONGEST_PAUSE.

        Never shortens a wait.
        """
        until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        self._refused_until = max(self._refused_until, until)

    async def wait(self, *, patience: float = LONGEST_WAIT) -> None:
        """Wait until it is open; raises RateLimitedError if that is longer than ``patience``.

        With the default, only a 429 can require so long a wait.
        """
        while (wait := self._closed_for()) > 0:
            # Rounded: LONGEST_EXHAUSTED, added to a time and subtracted again, may have grown.
            if round(wait, 3) > patience:
                raise RateLimitedError(
                    f"rate limit exceeded: the API requires a wait of {wait:.0f} s",
                    retry_after=wait,
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
