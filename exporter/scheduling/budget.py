"""How fast an account is polled, and how long that may take. Pure: values in, values out.

It must not know when a poll starts, nor what it asks.
"""

from dataclasses import dataclass

SHORTEST_DEADLINE = 300.0
"""Seconds that a poll may take at least: a long catch-up commits as it goes, and goes on."""

FIRST_POLL = 3600.0
"""Seconds more for the first poll of an account, which has to succeed as a whole."""

LONGEST_AUTH_PAUSE = 300.0
"""Seconds between polls with one and the same refused key at most, if the interval allows."""

AUTH_INTERVALS = 5
"""How many intervals lie between polls with a refused key, within the pause above."""


@dataclass(frozen=True, slots=True)
class PollBudget:
    """How an account is polled, in seconds.

    A request for a page may take ``page_time``; what is committed at once in a long catch-up
    takes ``chunk_time`` at most while the API answers.
    """

    interval: float
    retention: float
    page_time: float = 0.5
    page_size: int = 250
    chunk_time: float = 0.0

    @property
    def deadline(self) -> float:
        """Return how long a poll may take that has nothing to list."""
        return max(SHORTEST_DEADLINE, self.interval, self.chunk_time)

    @property
    def key_checks(self) -> int:
        """Return how many polls in a row only look whether a refused key has changed."""
        return max(0, int(min(AUTH_INTERVALS, LONGEST_AUTH_PAUSE / self.interval)) - 1)

    def deadline_with(self, running: int | None) -> float:
        """Return how long a poll may take with so many in progress; None: nobody knows yet."""
        if running is None:
            return self.deadline + FIRST_POLL
        return self.deadline + running / self.page_size * self.page_time
