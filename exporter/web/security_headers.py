"""Response headers that restrict a browser to displaying the response.

It must not check permissions.
"""

import base64
import hashlib

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def style_source(css: str) -> str:
    """Return the source expression that allows exactly this ``<style>`` element (CSP level 3)."""
    digest = hashlib.sha256(css.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


class SecurityHeadersMiddleware:
    """Adds the headers to every response of an app, including errors, 404 and 405."""

    def __init__(self, app: ASGIApp, *, style: str) -> None:
        """Wrap ``app``; ``style`` is the only source of styles that pages may use."""
        self._app = app
        self._headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src {style}; img-src data:; "
                "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)
