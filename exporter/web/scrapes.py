"""Write the exposition once for all who ask for it at the same time.

However many scrape at once, one exposition is gathered and written at a time, and nobody gets
figures from before it asked. It must not know what the metrics mean.
"""

import asyncio

from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool

from exporter.publish.exposition import Format, compress, render


class Scrapes:
    """The expositions of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Expose ``registry``, which is collected on the event loop's thread."""
        self._registry = registry
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
            # Gathered here, as tallies belong to this thread; then they are values, and writing
            # them out, which takes six times as long, may not keep polls and probes waiting.
            families = list(self._registry.collect())
            body = await run_in_threadpool(render, families, chosen)
            return await run_in_threadpool(compress, body) if zipped else body
