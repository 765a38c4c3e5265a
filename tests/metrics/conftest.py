"""Build small snapshots whose every number is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from exporter.domain import ENDED_STATUSES, Status
from exporter.ledger.records import DELAY_BUCKETS, DURATION_BUCKETS, Histogram
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import SelfMetrics

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]


@pytest.fixture
def view() -> Views:
    """Give a maker of views: one action type, one reason class, all zero but what is given."""

    def make(name: str = "default", **changes: Any) -> AccountSnapshot:
        empty = AccountSnapshot(
            name=name,
            baselined=True,
            actions={("enable", status.value): 0 for status in Status},
            oldest_in_progress={},
            stuck={"enable": 0},
            created={"enable": 0},
            completed={"enable": 0},
            failed={("enable", "other"): 0},
            interrupted={("enable", "other"): 0},
            failed_exemplars={},
            interrupted_exemplars={},
            durations={
                ("enable", status.value): Histogram((0,) * (len(DURATION_BUCKETS) + 1), 0.0)
                for status in ENDED_STATUSES
            },
            detection_delay=Histogram((0,) * (len(DELAY_BUCKETS) + 1), 0.0),
            drift={status.value: 0 for status in Status},
            lists={"newest": 1, "none": 0},
            orders={("", ""): "newest"},
            tracked=0,
            last_audit=0.0,
            in_flight=(),
            failures=(),
        )
        return replace(empty, **changes)

    return make


@pytest.fixture
def snapshot(view: Views) -> Snapshots:
    """Give a maker of snapshots of accounts, each a view and its telemetry."""

    def make(*accounts: tuple[AccountSnapshot, SelfMetrics]) -> ExporterSnapshot:
        pairs = accounts or ((view(), SelfMetrics("default")),)
        return ExporterSnapshot(
            accounts=tuple((each, self_metrics.health()) for each, self_metrics in pairs),
            reload_successful=True,
            reload_success_at=1_785_000_000.0,
            now=1_785_000_060.0,
            poll_interval=60.0,
        )

    return make
