"""A clock that stands still until it is moved, for rehearsals in which time is part of the play."""


class ManualClock:
    """Time as a value: call it for the seconds since the epoch."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        """Stand at ``now``, in seconds since the epoch."""
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``."""
        self.now += seconds
