"""The connection under one request, as far as a fault has to reach it.

What a reset, a wait or silence is depends on what carries the request: a real server, or a
client in the same process. It must not decide that there is a fault.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.types import Receive, Scope

LINE = "simulator.line"
"""Where a carrier that has its own line puts it in the ``state`` of the scope."""

ABORT = "simulator.abort"
"""Where a server puts the function that cuts the connection, in the ``state`` of the scope."""


class Line(Protocol):
    """What can be done to a connection."""

    async def reset(self) -> None:
        """Cut the connection."""

    async def silence(self) -> None:
        """Wait until the client gives up."""

    async def delay(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class ServerLine:
    """The line of a request that an ASGI server carries."""

    def __init__(self, receive: Receive, abort: Callable[[], None] | None) -> None:
        """Learn of the client's end by ``receive``; cut the connection by ``abort``."""
        self._receive = receive
        self._abort = abort

    async def reset(self) -> None:
        """Cut the connection; raises ConnectionResetError if the server offers no way."""
        if self._abort is None:
            raise ConnectionResetError("the simulator broke the connection")
        self._abort()
        await self.silence()

    async def silence(self) -> None:
        """Wait until the client is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def delay(self, seconds: float) -> None:
        """Let ``seconds`` of real time pass."""
        await asyncio.sleep(seconds)


def line_of(scope: Scope, receive: Receive) -> Line:
    """Return the line under a request."""
    state = scope.get("state", {})
    line: Line = state.get(LINE) or ServerLine(receive, state.get(ABORT))
    return line
