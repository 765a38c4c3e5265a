"""The window of the rate limit: while it is known to be spent, no request is let out.

It must not read headers (`limits.py`), nor spread requests that are within the limit.
"""

from exporter.clock import Clock
from exporter.errors import RateLimitedError

LONGEST_WAIT = 30.0
"""Seconds that a request waits at most for a rate limit; past it the poll ends."""

LONGEST_PAUSE = 3600.0
"""Seconds that the next poll is put off at most, whatever a header asks for."""


class Window:
    """Holds the requests of one account back; open at first."""

    def __init__(self, clock: Clock) -> None:
        """Wait by ``clock``, whose `monotonic` does not jump."""
        self._clock = clock
        self._closed_until = 0.0

    def close_for(self, seconds: float) -> None:
        """Let no request out for ``seconds``, LONGEST_PAUSE at most; never shortens a wait."""
        until = self._clock.monotonic() + min(seconds, LONGEST_PAUSE)
        self._closed_until = max(self._closed_until, until)

    async def wait(self) -> None:
        """Wait until it is open; raises RateLimitedError where that takes too long."""
        while (wait := self._closed_until - self._clock.monotonic()) > 0:
            if wait > LONGEST_WAIT:
                raise RateLimitedError(f"rate limit: told to wait {wait:.0f} s", retry_after=wait)
            await self._clock.sleep(wait)
