"""Opens the API client of an account as the settings say, for all who ask Telnyx.

It must not ask anything.
"""

from collections.abc import Awaitable, Callable

from exporter.clock import Clock
from exporter.config import Account, Poll
from exporter.telnyx.client import Client, ClientLimits, Observer
from exporter.telnyx.http import Route, SharedTransport, open_http
from exporter.telnyx.rate_limit_gate import RateLimitGate


def open_client(
    account: Account,
    poll: Poll,
    *,
    key: Callable[[], str],
    route: Route,
    observer: Observer,
    clock: Clock,
    gate: RateLimitGate | None = None,
    transport: SharedTransport | None = None,
) -> tuple[Client, Callable[[], Awaitable[None]]]:
    """Return a client within the limits of ``poll``, and what closes its connections.

    ``gate`` may be shared, as in `Client`, and so may ``transport``, which has the connections.
    """
    http = open_http(
        timeout=poll.request_timeout,
        concurrency=poll.concurrency,
        route=route,
        managed_account_id=account.managed_account_id,
        transport=transport,
    )
    client = Client(
        base_url=account.base_url,
        key=key,
        http=http,
        limits=ClientLimits(poll.request_timeout, poll.rate_limit, poll.concurrency),
        observer=observer,
        clock=clock,
        gate=gate,
        route=route,
    )
    return client, http.aclose
