"""Runs the requests of all connections, and reports their progress to the connections.

It must not know what is requested, or check permissions.
"""

import asyncio
from email.utils import formatdate
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.connection import Connection
from exporter.web.connection_limiter import ConnectionLimiter

CONNECTION = "connection"
"""The key of a request's connection in the ``state`` of the scope."""


class RequestTracker:
    """Forwards requests to an app, or answers them with 503 above the limit."""

    def __init__(self, app: ASGIApp, limiter: ConnectionLimiter) -> None:
        """Forward requests to ``app`` within the limit of ``limiter``."""
        self._app = app
        self._limiter = limiter
        self._stopped = False
        self.tasks: set[asyncio.Task[None]] = set()
        """The running requests."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 # this is a coroutine
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        request = _Request(scope["state"][CONNECTION], scope, receive, send)
        full = self._limiter.is_full(len(self.tasks))
        try:
            await (_unavailable if full else self._app)(scope, request.receive, request.send)
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        finally:
            request.end()

    def cancel(self) -> None:
        """Cancel the running requests."""
        self._stopped = True
        for task in self.tasks:
            task.cancel()


class _Request:
    """One request; forwards its messages."""

    def __init__(self, connection: Connection, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._connection = connection
        self._receive = receive
        self._send = send
        self._arrived = headers.get("content-length", "0") == "0" and (
            "transfer-encoding" not in headers
        )
        self._ended = False
        connection.request_begun(whole=self._arrived)

    async def receive(self) -> Message:
        message = await self._receive()
        if not self._arrived and not message.get("more_body", False):
            self._arrived = True
            self._connection.request_arrived()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Date", formatdate(usegmt=True))
            if self._connection.last:
                headers["Connection"] = "close"
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if last and not self._arrived:
            # The rest of the request is still to arrive, within its timeout; the response is only
            # completed after that.
            await self._send({**message, "more_body": True})
            self._connection.busy = False
            while (await self.receive()).get("more_body", False):
                pass
            message = {"type": "http.response.body"}
        await self._send(message)
        if last:
            self.end()

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._connection.request_answered()


_unavailable = PlainTextResponse(
    f"{HTTPStatus.SERVICE_UNAVAILABLE.phrase}\n",
    HTTPStatus.SERVICE_UNAVAILABLE,
    {"Connection": "close"},
)
