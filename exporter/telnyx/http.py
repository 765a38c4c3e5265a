"""The route to the API, and the HTTP connection pool of one account.

It must not know the API key, which is added to each request (`client.py`).
"""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self
from urllib.parse import urlsplit

import httpx

from exporter.errors import ConfigError
from exporter.reading import with_timeout
from exporter.telnyx.proxy import Proxy, find_proxy
from exporter.telnyx.trust import explain_refusal, read_trust
from exporter.version import __version__

TRUST_TIMEOUT = 5.0
"""Seconds allowed for reading the trusted certificates."""


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


@dataclass(frozen=True, slots=True)
class Network:
    """The routes to the APIs, by base URL; they share the trusted certificates."""

    routes: Mapping[str, Route]

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
    """Open the pool; ``timeout`` is in seconds; ``transport`` replaces the network in tests.

    With ``managed_account_id``, the key of a manager asks for that account. The environment is
    ignored.
    """
    managed = {} if managed_account_id is None else {"x-managed-account-id": managed_account_id}
    route = route or Route()
    trust = route.trust or _no_trust()
    return httpx.AsyncClient(
        headers={
            "accept": "application/json",
            "user-agent": f"telnyx-sim-exporter/{__version__}",
            **managed,
        },
        timeout=timeout,
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        follow_redirects=False,
        transport=transport,
        trust_env=False,
        proxy=None if route.proxy is None else _proxy(route.proxy, trust),
        verify=trust,
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


@cache
def _no_trust() -> ssl.SSLContext:
    """Return a context without trusted certificates, but with verification: https would fail.

    One for all accounts: it takes 16 kB.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy(proxy: Proxy, trust: ssl.SSLContext) -> httpx.Proxy:
    url = httpx.URL(proxy.url)
    return httpx.Proxy(url, ssl_context=trust if url.scheme == "https" else None)


def refused_certificate(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the rejection of a certificate that caused an error; None if none did."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error
