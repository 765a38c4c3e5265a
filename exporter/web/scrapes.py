"""Write the exposition once for all who ask for it at the same time.

However many scrape at once, one exposition is gathered and written at a time, and nobody gets
figures from before it asked. It must not know what the metrics mean.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from exporter.publish.exposition import Format, compress

_Taken = TypeVar("_Taken")


class Scrapes(Generic[_Taken]):
    """The expositions of one source."""

    def __init__(
        self, take: Callable[[], _Taken], write: Callable[[_Taken, Format], bytes]
    ) -> None:
        """Expose what ``take`` returns, on the event loop's thread; ``write`` runs on another."""
        self._take = take
        self._write_out = write
        self._turn = asyncio.Lock()
        self._next: dict[tuple[Format, bool], asyncio.Task[bytes]] = {}

    async def exposition(self, chosen: Format, *, zipped: bool) -> bytes:
        """Return the exposition in the format ``chosen``, as gzip if ``zipped``."""
        key = (chosen, zipped)
        coming = self._next.get(key)
        if coming is None:
            coming = self._next[key] = asyncio.create_task(self._write(chosen, zipped=zipped))
        # One who goes away must not take it from the others.
        return await asyncio.shield(coming)

    async def _write(self, chosen: Format, *, zipped: bool) -> bytes:
        async with self._turn:
            # Who asks from here on is to see what happens from here on.
            del self._next[chosen, zipped]
            # Taken here, as tallies belong to this thread; then they are values, and drawing and
            # writing them out may not keep polls and probes waiting.
            return await run_in_threadpool(self._body, self._take(), chosen, zipped=zipped)

    def _body(self, taken: _Taken, chosen: Format, *, zipped: bool) -> bytes:
        body = self._write_out(taken, chosen)
        return compress(body) if zipped else body
