"""Build small snapshots whose every number is known."""

from collections.abc import Callable

import pytest

from exporter.ledger.view import AccountView
from exporter.publish.health import Snapshot, Telemetry
from tests.views import a_view

Views = Callable[..., AccountView]
Snapshots = Callable[..., Snapshot]


@pytest.fixture
def view() -> Views:
    """Give the maker of views."""
    return a_view


@pytest.fixture
def snapshot(view: Views) -> Snapshots:
    """Give a maker of snapshots of accounts, each a view and its telemetry."""

    def make(*accounts: tuple[AccountView, Telemetry]) -> Snapshot:
        pairs = accounts or ((view(), Telemetry("default")),)
        return Snapshot(
            accounts=tuple((each, telemetry.health()) for each, telemetry in pairs),
            reload_successful=True,
            reload_success_at=1_785_000_000.0,
            now=1_785_000_060.0,
            poll_interval=60.0,
        )

    return make
