"""Write an answer that costs time once for all who ask for it at the same time.

However many ask at once for the metrics or the page, one is gathered and written at a time, and
nobody gets figures from before it asked. It must not know what is written.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from exporter.metrics.negotiation import compress

SMALLEST = 1024
"""Bytes; what is smaller fits into one packet anyway, and is not compressed."""

_Taken = TypeVar("_Taken")
_Form = TypeVar("_Form", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent; ``gzipped`` says whether it is gzip."""

    content: bytes
    gzipped: bool


class CoalescedResponses(Generic[_Taken, _Form]):
    """The answers that are written from one source."""

    def __init__(self, take: Callable[[], _Taken], write: Callable[[_Taken, _Form], bytes]) -> None:
        """Write what ``take`` returns, on the event loop's thread; ``write`` runs on another."""
        self._take = take
        self._write_out = write
        self._writing = asyncio.Lock()
        self._next: dict[tuple[_Form, bool], asyncio.Task[Body]] = {}

    async def body(self, chosen: _Form, *, gzipped: bool) -> Body:
        """Return the answer in the form ``chosen``, as gzip if ``gzipped`` and worth it."""
        key = (chosen, gzipped)
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = asyncio.create_task(self._write(chosen, gzipped=gzipped))
        # One who goes away must not take it from the others.
        return await asyncio.shield(coming)

    async def _write(self, chosen: _Form, *, gzipped: bool) -> Body:
        async with self._writing:
            # Who asks from here on is to see what happens from here on.
            del self._next[chosen, gzipped]
            # Taken here, as tallies belong to this thread; then they are values, and drawing and
            # writing them out may not keep polls and probes waiting.
            return await run_in_threadpool(self._body, self._take(), chosen, gzipped=gzipped)

    def _body(self, taken: _Taken, chosen: _Form, *, gzipped: bool) -> Body:
        content = self._write_out(taken, chosen)
        if gzipped and len(content) >= SMALLEST:
            return Body(compress(content), gzipped=True)
        return Body(content, gzipped=False)
