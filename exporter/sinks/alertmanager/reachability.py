"""Whether an Alertmanager answers: asked for its status, told nothing.

It must not send alerts (`sender.py`).
"""

import asyncio
import ssl

import httpx

from exporter.errors import DeliveryError
from exporter.sinks.alertmanager.http_config import HttpConfig
from exporter.sinks.alertmanager.sender import explain_failure, explain_status
from exporter.version import __version__

STATUS = "/api/v2/status"

TIMEOUT = 5.0
"""Seconds that the answer may take."""

_BODY = 4096
"""Characters of an answer that are shown at most."""


async def ask_status(target: str, config: HttpConfig) -> None:
    """Ask the Alertmanager at a URL for its status; raises DeliveryError if that fails."""
    headers = {"accept": "application/json", "user-agent": f"telnyx-sim-exporter/{__version__}"}
    if config.authorization:
        headers["authorization"] = config.authorization
    proxy = config.proxies.get(target)
    extensions = {"sni_hostname": config.server_name} if config.server_name else {}
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx.AsyncClient(
                follow_redirects=config.follow_redirects,
                trust_env=False,
                proxy=None if proxy is None else httpx.Proxy(proxy.url),
                verify=config.trust,
            ) as client,
        ):
            response = await client.get(f"{target}{STATUS}", headers=headers, extensions=extensions)
    except TimeoutError:
        raise DeliveryError(f"no answer within {TIMEOUT:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as exc:
        raise DeliveryError(explain_failure(exc, target, config)) from exc
    if not response.is_success:
        raise DeliveryError(explain_status(response.status_code, response.text[:_BODY], config))
