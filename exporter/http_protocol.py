"""uvicorn's HTTP protocol for the connections of an app, without uvicorn's server.

That server handles signals, has one TLS configuration for ever, and does not tell of a connection
when it begins. It must not listen, or know what is requested.
"""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

KEEP_ALIVE_SECONDS = 75
"""Longer than the usual scrape interval, so that scrapers need not reconnect each time."""


class HttpProtocols:
    """Creates the protocol of each connection to one app."""

    def __init__(self, app: ASGIApp, *, max_header_bytes: int | None = None) -> None:
        """Serve ``app``; a request header has ``max_header_bytes`` at most, None: h11's default."""
        self._config = uvicorn.Config(
            app,
            ws="none",
            interface="asgi3",
            log_config=None,
            # At lower levels uvicorn logs each malformed request: anybody could fill the log.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            workers=1,  # otherwise WEB_CONCURRENCY would be read
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            h11_max_incomplete_event_size=max_header_bytes,
        )
        self._state = ServerState()

    def __call__(self, state: dict[str, Any]) -> H11Protocol:
        """Return the protocol of a connection; its requests have ``state`` in their scope."""
        return H11Protocol(self._config, self._state, state)

    @property
    def tasks(self) -> AbstractSet[asyncio.Task[None]]:
        """Return the requests that run."""
        return self._state.tasks
