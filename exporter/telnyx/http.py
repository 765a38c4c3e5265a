"""The route to the API, and the HTTP connections that accounts have to it.

It must not know the API key, which is added to each request (`client.py`).
"""

import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Self, cast
from urllib.parse import urlsplit

import httpx

from exporter.errors import ConfigError
from exporter.reading import with_timeout
from exporter.telnyx.proxy import Proxy, find_proxy
from exporter.telnyx.trust import explain_refusal, read_trust
from exporter.version import __version__

TRUST_TIMEOUT = 5.0
"""Seconds allowed for reading the trusted certificates."""

KEEP_ALIVE = 5.0
"""Seconds for which a connection stays open without a request."""


@dataclass(frozen=True, slots=True)
class Route:
    """How an API is reached: the trusted certificates, and the proxy, if any.

    Without ``trust`` no certificate is trusted, which is enough for plain http.
    """

    trust: ssl.SSLContext | None = None
    proxy: Proxy | None = None

    @property
    def through(self) -> str:
        """Return a phrase that names the proxy by its variable; empty if there is none."""
        return f" through the proxy in {self.proxy.variable}" if self.proxy else ""

    def explain(self, error: httpx.HTTPError | ssl.SSLError, stage: str = "") -> str:
        """Return in one line why a connection failed, without secrets of the proxy.

        ``stage`` is the last event of the connection that the HTTP library reported.
        """
        refused = refused_certificate(error)
        if refused is not None:
            strict = bool(self.trust and self.trust.verify_flags & ssl.VERIFY_X509_STRICT)
            words = explain_refusal(refused, strict=strict)
            # Telnyx's certificate is received inside the tunnel (`proxy.start_tls`).
            if self.proxy and stage.startswith("connection.start_tls"):
                words = words.replace("the server's certificate", "the proxy's certificate")
                words = words.replace("check base_url", f"check {self.proxy.variable}")
            return f"connection{self.through} failed: {words}"
        text = str(error) if re.search(r"\w", str(error)) else "the connection was closed"
        words = f"{type(error).__name__}: {text}"
        if self.proxy and isinstance(error, httpx.ProxyError):
            status = str(error).partition(" ")[0]
            words = f"it responds with HTTP {status}"
            if status == str(httpx.codes.PROXY_AUTHENTICATION_REQUIRED.value):
                words += f"; check the user name and password in {self.proxy.variable}"
        elif self.proxy and isinstance(error, httpx.ProtocolError):
            words = type(error).__name__  # the text may repeat what was sent to the proxy
        return f"connection{self.through} failed: {words}"


class SharedTransport(httpx.AsyncBaseTransport):
    """The connections of all accounts that use one route; closed with the last of their clients.

    A connection of its own, which is closed after seconds without a request, would be opened by an
    account at each poll. How many requests an account has at a time is up to its client.

    A request has a connection for itself: the one that was used last, or a new one. In one pool of
    the library, each request would look through the connections of all, so that hundreds at a time
    hold up one another, and would close some that another request is just about to use.
    """

    def __init__(self, route: Route) -> None:
        """Open nothing yet."""
        self._route = route
        self._clients = 0
        # Of one connection each, and since when it is idle; the longest first.
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()

    def joined(self) -> Self:
        """Count one more client, which closes it when it ends."""
        self._clients += 1
        return self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its connection is free for others once the response is closed."""
        await self._close_idle(before=monotonic() - KEEP_ALIVE)
        connection = self._idle.pop()[1] if self._idle else _open_transport(self._route, 1)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _LentStream(stream, connection, self._take_back)
        return response

    async def aclose(self) -> None:
        """Close the connections if this was the last client."""
        self._clients -= 1
        if not self._clients:
            await self._close_idle(before=inf)

    async def _take_back(self, connection: httpx.AsyncHTTPTransport) -> None:
        if self._clients:
            self._idle.append((monotonic(), connection))
        else:
            await connection.aclose()

    async def _close_idle(self, *, before: float) -> None:
        """Close the connections that were used last before a time."""
        while self._idle and self._idle[0][0] < before:
            await self._idle.popleft()[1].aclose()


class _LentStream(httpx.AsyncByteStream):
    """The body of a response; returns its connection when it is closed."""

    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        connection: httpx.AsyncHTTPTransport,
        take_back: Callable[[httpx.AsyncHTTPTransport], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._take_back = take_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        except BaseException:  # also a cancellation: nobody knows what is left to be read
            await self._connection.aclose()
            raise
        await self._take_back(self._connection)


@dataclass(frozen=True, slots=True)
class Network:
    """The routes to the APIs, by base URL; they share the trusted certificates."""

    routes: Mapping[str, Route]
    _shared: dict[str, SharedTransport] = field(default_factory=dict)

    def connect(self, base_url: str) -> SharedTransport:
        """Return the connections to an API for one more account."""
        if base_url not in self._shared:
            self._shared[base_url] = SharedTransport(self.routes[base_url])
        return self._shared[base_url].joined()

    @classmethod
    def read(cls, base_urls: Iterable[str], environ: Mapping[str, str], *, strict: bool) -> Self:
        """Find the routes from the environment; variables without effect are not checked.

        ``strict`` requires full conformance of certificates to RFC 5280. Raises ConfigError with a
        line for each invalid variable.
        """
        urls = dict.fromkeys(base_urls)
        mistakes: dict[str, None] = {}
        proxies: dict[str, Proxy | None] = {}
        trust = None
        for url in urls:
            try:
                proxies[url] = find_proxy(url, environ)
            except ConfigError as exc:
                mistakes |= dict.fromkeys(exc.mistakes)
        if any(urlsplit(url).scheme == "https" for url in urls):
            try:
                trust = with_timeout(
                    "the trusted certificates",
                    lambda: read_trust(environ, strict=strict),
                    timeout=TRUST_TIMEOUT,
                )
            except ConfigError as exc:
                mistakes |= dict.fromkeys(exc.mistakes)
            except ValueError as exc:
                mistakes[f"SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE: {exc}"] = None
        if mistakes:
            raise ConfigError(tuple(mistakes))
        return cls({url: Route(trust, proxy) for url, proxy in proxies.items()})


def open_http(
    *,
    timeout: float,
    concurrency: int,
    route: Route | None = None,
    managed_account_id: str | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Open a client; ``timeout`` is in seconds, ``transport`` has the connections, if any are open.

    With ``managed_account_id``, the key of a manager asks for that account. The environment is
    ignored.
    """
    managed = {} if managed_account_id is None else {"x-managed-account-id": managed_account_id}
    return httpx.AsyncClient(
        headers={
            "accept": "application/json",
            "user-agent": f"telnyx-sim-exporter/{__version__}",
            **managed,
        },
        timeout=timeout,
        follow_redirects=False,
        transport=transport or _open_transport(route or Route(), concurrency),
        trust_env=False,
    )


def _open_transport(route: Route, connections: int) -> httpx.AsyncHTTPTransport:
    # Without trusted certificates, but with verification: https would fail.
    trust = route.trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncHTTPTransport(
        verify=trust,
        trust_env=False,
        limits=httpx.Limits(
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEP_ALIVE,
        ),
        proxy=None if route.proxy is None else _proxy(route.proxy, trust),
    )


def issuer_of(response: httpx.Response) -> str:
    """Return which authority signed the certificate of the server; empty without TLS."""
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert()
    if not certificate:
        return ""
    names = {key: value for part in certificate["issuer"] for key, value in part}
    return str(names.get("organizationName") or names.get("commonName") or "")


def _proxy(proxy: Proxy, trust: ssl.SSLContext) -> httpx.Proxy:
    url = httpx.URL(proxy.url)
    return httpx.Proxy(url, ssl_context=trust if url.scheme == "https" else None)


def refused_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the rejection of a certificate that caused an error; None if none did."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
