"""Build small snapshots whose every number is known."""

from collections.abc import Callable

import pytest

from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import SelfMetrics
from tests.views import a_view

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]


@pytest.fixture
def view() -> Views:
    """Give the maker of views."""
    return a_view


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
