"""The client's connection under one request, as far as a fault has to act on it.

How a reset, a delay or silence is carried out depends on the transport: a real server, or a
client in the same process. It must not decide that there is a fault.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from starlette.types import Receive, Scope

CONNECTION_KEY = "simulator.connection"
"""Where a transport with a connection of its own puts it, in the ``state`` of the scope."""

ABORT_KEY = "simulator.abort"
"""Where a server puts the function that aborts the connection, in the ``state`` of the scope."""


class ClientConnection(Protocol):
    """What a fault can do to a connection."""

    async def reset(self) -> None:
        """Abort the connection."""

    async def silence(self) -> None:
        """Send nothing until the client gives up."""

    async def delay(self, seconds: float) -> None:
        """Let ``seconds`` pass."""


class ServerConnection:
    """The connection of a request that an ASGI server handles."""

    def __init__(self, receive: Receive, abort: Callable[[], None]) -> None:
        """Take what tells that the client disconnected, and what aborts the connection."""
        self._receive = receive
        self._abort = abort

    async def reset(self) -> None:
        """Abort the connection."""
        self._abort()
        await self.silence()

    async def silence(self) -> None:
        """Wait until the client disconnects."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def delay(self, seconds: float) -> None:
        """Let ``seconds`` of real time pass."""
        await asyncio.sleep(seconds)


def connection_of(scope: Scope, receive: Receive) -> ClientConnection:
    """Return the connection under a request."""
    state = scope["state"]
    if CONNECTION_KEY in state:
        connection: ClientConnection = state[CONNECTION_KEY]
        return connection
    return ServerConnection(receive, state[ABORT_KEY])
