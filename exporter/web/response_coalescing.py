"""Renders an expensive response once for all concurrent requests.

However many requests for the metrics or the page are concurrent, only one response is rendered at a
time, and no request gets data from before it arrived. It must not know what is rendered.
"""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response

from exporter.metrics.negotiation import accepts_gzip, compress

SMALLEST = 1024
"""Minimum size in bytes for compression: smaller bodies fit into one packet anyway."""

_Taken = TypeVar("_Taken")
_Form = TypeVar("_Form", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Body:
    """A response body; ``gzipped`` says whether it is compressed."""

    content: bytes
    gzipped: bool


def takes_gzip(headers: Headers) -> bool:
    """Tell whether the client of a request accepts gzip."""
    return accepts_gzip(",".join(headers.getlist("accept-encoding")))


def packed(content: bytes, *, gzipped: bool) -> Body:
    """Return a body, as gzip if ``gzipped`` and large enough."""
    if gzipped and len(content) >= SMALLEST:
        return Body(compress(content), gzipped=True)
    return Body(content, gzipped=False)


def body_response(
    body: Body, media: str, status: int = 200, *, vary: str = "Accept-Encoding"
) -> Response:
    """Return the response with a body of a media type."""
    headers = {"Content-Type": media, "Vary": vary}
    if body.gzipped:
        headers["Content-Encoding"] = "gzip"
    return Response(body.content, status, headers)


class CoalescedResponses(Generic[_Taken, _Form]):
    """The responses that are rendered from one source."""

    def __init__(self, take: Callable[[], _Taken], write: Callable[[_Taken, _Form], Body]) -> None:
        """Render what ``take`` returns with ``write``, which runs on another thread."""
        self._take = take
        self._write_out = write
        self._writing = asyncio.Lock()
        self._next: dict[_Form, asyncio.Task[Body]] = {}

    async def body(self, form: _Form) -> Body:
        """Return the response in a form."""
        coming = self._next.get(form)
        if coming is None:
            coming = self._next[form] = asyncio.create_task(self._write(form))
        # Shielded, because other requests may wait for the same response.
        return await asyncio.shield(coming)

    async def _write(self, form: _Form) -> Body:
        async with self._writing:
            # Later requests need newer data.
            del self._next[form]
            # Taken here, because metrics belong to this thread; the snapshot is immutable, and
            # rendering it must not block polls and probes.
            return await run_in_threadpool(self._write_out, self._take(), form)
