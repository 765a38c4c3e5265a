"""Rate limiting and basic authentication by the web configuration, the same for every path.

It must not change the responses of the app except for headers.
"""

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web import telnyx_api
from exporter.web.config_reloader import WebConfigReloader
from exporter.web.password_check import CheckResult, Credentials, PasswordChecker
from exporter.web.security_headers import SecurityHeadersMiddleware
from exporter.web.web_config import RateLimit, WebSettings

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="telnyx-sim-exporter", charset="UTF-8"'}
_LATER = {"Retry-After": "1"}
_REFUSALS = {
    CheckResult.WRONG: (HTTPStatus.UNAUTHORIZED, _CHALLENGE),
    CheckResult.BUSY: (HTTPStatus.SERVICE_UNAVAILABLE, _LATER),
}


class AuthMiddleware:
    """Wraps an app: rate limit, then user name and password, then the app."""

    def __init__(
        self,
        app: ASGIApp,
        web_config: WebConfigReloader,
        *,
        passwords: PasswordChecker | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Protect ``app`` as ``web_config`` specifies at the time of each request.

        ``monotonic`` is in seconds.
        """
        self._app = app
        self._web_config = web_config
        self._passwords = passwords or PasswordChecker()
        self._monotonic = monotonic
        self._bucket = TokenBucket(None, 0.0, 0.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or reject one request."""
        settings = self._web_config.current()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(settings.headers)
            await send(message)

        app = await self._refusal(settings, scope) or self._app
        await app(scope, receive, send_with_headers)

    async def _refusal(self, settings: WebSettings, scope: Scope) -> ASGIApp | None:
        """Return the app that rejects a request; None if it is allowed."""
        if settings.rate_limit != self._bucket.limit:
            self._bucket = TokenBucket.full(settings.rate_limit, self._monotonic())
        if not self._bucket.take(self._monotonic()):
            return _answer(scope, HTTPStatus.TOO_MANY_REQUESTS, _LATER)
        if not settings.users:
            return None
        sent = _credentials(Headers(scope=scope).getlist("authorization"))
        if sent is None:
            return _answer(scope, *_REFUSALS[CheckResult.WRONG])
        client = (scope.get("client") or ("",))[0]
        result = await self._passwords.check(settings.users, sent, client)
        return None if result is CheckResult.RIGHT else _answer(scope, *_REFUSALS[result])


@dataclass(slots=True)
class TokenBucket:
    """The tokens of a rate limit; without a limit there is always one."""

    limit: RateLimit | None
    tokens: float
    at: float

    @classmethod
    def full(cls, limit: RateLimit | None, now: float) -> "TokenBucket":
        """Return the bucket of ``limit``, full at ``now``."""
        return cls(limit, limit.burst if limit else 0.0, now)

    def take(self, now: float) -> bool:
        """Take one token; returns False if there is none."""
        if self.limit is None:
            return True
        gained = (now - self.at) / self.limit.interval
        self.tokens, self.at = min(self.limit.burst, self.tokens + gained), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def _answer(scope: Scope, status: HTTPStatus, headers: dict[str, str]) -> ASGIApp:
    # Whatever the prefix is.
    body = telnyx_api.refusal_body(status) if "/v2/" in f"{scope['path']}/" else None
    response = (
        PlainTextResponse(f"{status.phrase}\n", status, headers)
        if body is None
        else JSONResponse(body, status, headers)
    )
    return SecurityHeadersMiddleware(response, style="'none'")


def _credentials(headers: list[str]) -> Credentials | None:
    """Return the user name and password in ``Authorization: Basic ...`` (RFC 7617), if valid."""
    if len(headers) != 1:
        return None
    scheme, _, encoded = headers[0].partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return Credentials(name, password) if colon else None
