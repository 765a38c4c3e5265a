"""The HTTP connection pool of one account: how we introduce ourselves, no redirects.

It must not know the key: that goes into single requests (`client.py`).
"""

import ssl

import httpx

from exporter.errors import ConfigError
from exporter.reading import within
from exporter.version import __version__


def trusted() -> ssl.SSLContext:
    """Read the certificates to trust, from the usual environment variables: takes some 20 ms.

    Raises ConfigError where they cannot be read.
    """
    try:
        return within("the certificates to trust", httpx.create_ssl_context, patience=5.0)
    except OSError as exc:
        why = f"the certificates to trust cannot be read ({exc.strerror or exc})"
        raise ConfigError([f"{why}; check SSL_CERT_FILE and SSL_CERT_DIR"]) from exc
    except ValueError as exc:
        why = f"the certificates to trust: {exc}"
        raise ConfigError([f"{why} (SSL_CERT_FILE, SSL_CERT_DIR)"]) from None


def open_http(
    *,
    timeout: float,
    concurrency: int,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Open the pool; ``timeout`` is in seconds; ``transport`` stands in for the network in tests.

    ``trust`` are the certificates to trust, read for this pool if None. Proxies are taken from the
    usual environment variables.
    """
    return httpx.AsyncClient(
        headers={
            "accept": "application/json",
            "user-agent": f"telnyx-sim-exporter/{__version__}",
        },
        timeout=timeout,
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        follow_redirects=False,
        transport=transport,
        verify=True if trust is None else trust,
    )
