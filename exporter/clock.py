"""Where time comes from: the one clock of the process, injected into whatever waits or dates.

Nothing else may ask the operating system for the time; tests pass a clock of their own.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """The times of the world and the waiting for them."""

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
