"""How often an account is polled, and how long a poll may take. Pure: values in, values out.

It must not know when a poll starts, or what it requests.
"""

from dataclasses import dataclass

SHORTEST_DEADLINE = 300.0
"""Minimum deadline of a poll in seconds: a long catch-up commits in steps, and continues later."""

FIRST_POLL = 3600.0
"""Additional seconds for the first poll of an account, which is a single commit."""

LONGEST_AUTH_PAUSE = 300.0
"""Maximum seconds between polls with the same rejected key, unless the interval is longer."""

AUTH_INTERVALS = 5
"""Intervals between polls with the same rejected key, within the pause above."""


@dataclass(frozen=True, slots=True)
class PollBudget:
    """The times of an account's polls, in seconds.

    ``page_time`` is allowed for one page, and ``chunk_time`` for the pages between two commits of
    a long catch-up.
    """

    interval: float
    retention: float
    page_time: float = 0.5
    page_size: int = 250
    chunk_time: float = 0.0

    @property
    def deadline(self) -> float:
        """Return how long a poll may take with nothing in progress."""
        return max(SHORTEST_DEADLINE, self.interval, self.chunk_time)

    @property
    def key_checks(self) -> int:
        """Return how many consecutive polls only check whether a rejected key has changed."""
        return max(0, int(min(AUTH_INTERVALS, LONGEST_AUTH_PAUSE / self.interval)) - 1)

    def deadline_with(self, running: int | None) -> float:
        """Return how long a poll may take with ``running`` actions in progress; None: unknown."""
        if running is None:
            return self.deadline + FIRST_POLL
        return self.deadline + running / self.page_size * self.page_time
