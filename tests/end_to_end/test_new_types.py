"""A real Prometheus scrapes what the ledger publishes; only the ledger's time is the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from exporter.address import ListenAddress
from exporter.domain import Action
from exporter.ledger.ledger import Ledger, PageContext
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, SortOrder
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import ZEROS_FOR
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.exposition import Exposition
from exporter.metrics.self_metrics import SelfMetrics
from exporter.web.app import create_app
from exporter.web.server import Server

REASONS = Reasons.with_configured(())
OPTIONS = SnapshotOptions((), (), {}, 900.0, REASONS.classes, seen_only=True)
SECOND = PageContext(ListCursor(SortOrder.NEWEST, 0, None))
CONFIGURATION = """\
global: {{scrape_interval: 500ms}}
scrape_configs:
  - job_name: telnyx
    static_configs: [{{targets: ["{target}"]}}]
"""
FAILED = 'telnyx_sim_card_actions_failed_total{action_type="brand_new",reason_class="none"}'


@asynccontextmanager
async def _served(ledger: Ledger) -> AsyncIterator[str]:
    """Serve the metrics of a ledger; yields HOST:PORT."""
    health = SelfMetrics(ledger.name).health()

    def snapshot() -> ExporterSnapshot:
        return ExporterSnapshot(((ledger.snapshot, health),), True, 0.0, 0.0, 60.0)  # noqa: FBT003 # a record

    server = Server(
        create_app(
            snapshot=snapshot,
            exposition=Exposition(),
            healthy=lambda: True,
            waiting_for=lambda: "",
            reload=lambda: asyncio.sleep(0, ()),
        )
    )
    (address,) = await server.start(ListenAddress("127.0.0.1", 0))
    try:
        yield address.url.removeprefix("http://")
    finally:
        await server.stop(grace=0)


async def _poll(ledger: Ledger, at: float, *actions: Action) -> None:
    unit = ledger.begin(at)
    await ledger.record(unit, actions, SECOND)
    unit.baseline_at = ledger.state.baseline_at or at
    await ledger.commit(unit)
    await ledger.publish(at)


@pytest.mark.program("prometheus")
async def test_the_first_failure_of_a_new_type_is_an_increase(
    start: Callable[..., Any],
    program_path: Callable[[str], str],
    free_port: int,
    tmp_path: Path,
    until: Callable[..., Any],
) -> None:
    """Its type has no series, then zeros that are scraped, then the count."""
    failure = Action(
        id="a",
        sim_card_id="s",
        action_type="brand_new",
        status="failed",
        reason=None,
        created_at=1000.0,
        updated_at=1010.0,
    )
    with ThreadPoolExecutor(1) as worker:
        ledger = Ledger(
            name="default",
            store=SqliteStore(Database("sqlite://")),
            worker=worker,
            reasons=REASONS,
            options=OPTIONS,
        )
        await ledger.open(900.0)
        await _poll(ledger, 900.0)
        async with _served(ledger) as target:
            (tmp_path / "prometheus.yml").write_text(CONFIGURATION.format(target=target))
            running = start(
                program_path("prometheus"),
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{free_port}",
            )

            def value(query: str) -> float | None:
                url = f"http://127.0.0.1:{free_port}/api/v1/query"
                answer = running.http.get(url, params={"query": query})
                assert answer.status_code == 200, answer.text
                found = answer.json()["data"]["result"]
                return float(found[0]["value"][1]) if found else None

            async def become(query: str, expected: float) -> None:
                await asyncio.to_thread(until, lambda: value(query) == expected)

            await become('count(telnyx_sim_card_problems{concern="voice"}) > bool 0', 1)
            assert value(FAILED) is None
            await _poll(ledger, 1020.0, failure)
            await become(FAILED, 0)
            await _poll(ledger, 1020.0 + ZEROS_FOR)
            await become(FAILED, 1)
            assert (value(f"increase({FAILED}[1m])") or 0) > 0
            assert value("sum(telnyx_sim_card_actions_created_total)") == 1
