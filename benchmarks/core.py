"""The exporter's core for one account, as benchmarks put it together: no web server, no timers.

It must not know what answers the requests.
"""

from concurrent.futures import ThreadPoolExecutor

import httpx

from exporter.clock import Clock
from exporter.ledger.ledger import Ledger
from exporter.ledger.reasons import Reasons
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.self_metrics import SelfMetrics
from exporter.sinks.delivery import Delivery
from exporter.sync.cycle import Cycle
from exporter.sync.filters import AccountFilters
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http

UNLIMITED = 1e9
"""Requests a second: no benchmark waits for the rate limiter."""

NAME = "benchmark"
"""The account's name, unless another is given."""

KEY = "KEY-simulated"
"""The key that the simulator takes unless told otherwise."""

PAGE = 250
CONCURRENCY = 4
"""As the exporter's settings are by default."""


def open_core(
    transport: httpx.AsyncBaseTransport | None,
    clock: Clock,
    store: SqliteStore,
    worker: ThreadPoolExecutor,
    *,
    name: str = NAME,
    audit_interval: float = 1e9,
    delivery: Delivery | None = None,
    base_url: str = "http://telnyx.test/v2",
) -> tuple[Cycle, Ledger]:
    """Put the exporter's core on a ``transport``, None for the network.

    It is audited at the first poll only, unless said.
    """
    reasons = Reasons.with_configured(())
    ledger = Ledger(
        name=name,
        store=store,
        worker=worker,
        reasons=reasons,
        options=SnapshotOptions((), (), {}, 900.0, reasons.classes),
        sinks=() if delivery is None else delivery.sinks,
        on_events=(lambda _: None) if delivery is None else delivery.wake,
    )
    client = Client(
        base_url=base_url,
        key=lambda: KEY,
        http=open_http(timeout=10, concurrency=CONCURRENCY, transport=transport),
        limits=ClientLimits(timeout=10, rate=UNLIMITED, concurrency=CONCURRENCY),
        observer=SelfMetrics(name),
        clock=clock,
    )
    cycle = Cycle(
        client=client,
        ledger=ledger,
        clock=clock,
        filters=AccountFilters((), ()),
        audit_interval=audit_interval,
        page_size=PAGE,
        concurrency=CONCURRENCY,
    )
    return cycle, ledger
