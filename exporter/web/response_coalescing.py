"""Renders an expensive response for many requests at once.

However many requests for the metrics or the page are concurrent, only one response is rendered at a
time, and no request gets data from before it arrived. It must not know what is rendered.
"""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

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
    """The responses that are rendered from one source; for one event loop."""

    def __init__(self, take: Callable[[], _Taken], write: Callable[[_Taken, _Form], Body]) -> None:
        """Render what ``take`` returns with ``write``, which runs on another thread."""
        self._take = take
        self._write = write
        # A thread of its own: those of the loop may all be busy.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="response")
        self._writing = False
        self._waiting: dict[_Form, list[asyncio.Future[Body]]] = {}

    async def body(self, form: _Form) -> Body:
        """Return the response in a form.

        On a busy event loop, each step waits for other tasks. So there are only two: begin, and
        wake those who wait.
        """
        waiter: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(form, []).append(waiter)
        if not self._writing:
            self._begin_next()
        return await waiter

    def _begin_next(self) -> None:
        """Render what is waited for next; those who ask from now on need newer data."""
        while self._waiting and not self._writing:
            form = next(iter(self._waiting))
            waiters = [each for each in self._waiting.pop(form) if not each.done()]
            if not waiters:
                continue
            try:
                # Taken here, because metrics belong to this thread; the snapshot is immutable, and
                # rendering it must not block polls and probes.
                taken = self._take()
                self._thread.submit(self._render, taken, form, waiters, asyncio.get_running_loop())
            except Exception as exc:  # noqa: BLE001 - those who wait raise it; also without threads
                _settle(waiters, exc)
                continue
            self._writing = True

    def _render(
        self,
        taken: _Taken,
        form: _Form,
        waiters: list[asyncio.Future[Body]],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        result: Body | Exception
        try:
            result = self._write(taken, form)
        except Exception as exc:  # noqa: BLE001 - those who wait raise it
            result = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(self._finish, waiters, result)

    def _finish(self, waiters: list[asyncio.Future[Body]], result: Body | Exception) -> None:
        self._writing = False
        _settle(waiters, result)
        self._begin_next()


def _settle(waiters: list[asyncio.Future[Body]], result: Body | Exception) -> None:
    for each in waiters:
        if each.done():  # its request was cancelled
            continue
        if isinstance(result, Exception):
            each.set_exception(result)
        else:
            each.set_result(result)
