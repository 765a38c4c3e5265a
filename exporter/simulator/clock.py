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


class WorldClock:
    """The time of a world as the clock of an exporter that polls it: waiting takes no time."""

    def __init__(self, world: ManualClock) -> None:
        """Follow the clock of ``world``."""
        self._world = world

    def now(self) -> float:
        """Return the world's time, in seconds since the epoch."""
        return self._world()

    def monotonic(self) -> float:
        """Return the world's time, which does not jump."""
        return self._world()

    async def sleep(self, seconds: float) -> None:
        """Let the world's time pass."""
        self._world.advance(seconds)
