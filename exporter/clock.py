"""The clock of the process, injected into everything that waits or needs the time.

Nothing else may get the time from the operating system; tests pass their own clock.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Provides the time, and waits."""

    def now(self) -> float:
        """Return the wall clock's time in seconds since the epoch; it may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed point; it never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        ...


class SystemClock:
    """The clock of the operating system."""

    def now(self) -> float:
        """Return the wall clock's time in seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed point; it never jumps."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` on the running event loop."""
        await asyncio.sleep(seconds)
