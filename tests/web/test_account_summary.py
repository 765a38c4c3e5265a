from collections.abc import Callable

import pytest

from exporter.errors import Cause
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import SelfMetrics
from exporter.web.account_summary import AccountState, TypeRow, summarize

NOW = 1_785_585_605.0

Views = Callable[..., AccountSnapshot]
Snapshots = Callable[..., ExporterSnapshot]


def _telemetry(succeeded_at: float | None, *, failed: bool = False) -> SelfMetrics:
    telemetry = SelfMetrics("default")
    if succeeded_at is not None:
        telemetry.poll_succeeded(succeeded_at, 0.5)
    if failed:
        telemetry.poll_failed(NOW - 5, 0.5, Cause.UNAVAILABLE, "no answer")
    return telemetry


@pytest.mark.parametrize(
    ("telemetry", "baselined", "state"),
    [
        pytest.param(_telemetry(NOW - 12), True, AccountState.UP, id="polled lately"),
        pytest.param(_telemetry(NOW - 180), True, AccountState.UP, id="three intervals ago"),
        pytest.param(_telemetry(NOW - 181), True, AccountState.OVERDUE, id="longer ago"),
        pytest.param(_telemetry(NOW - 12, failed=True), True, AccountState.DOWN, id="failed now"),
        pytest.param(_telemetry(None, failed=True), False, AccountState.DOWN, id="failed at first"),
        pytest.param(_telemetry(None), False, AccountState.WAITING, id="never polled"),
        pytest.param(_telemetry(None), True, AccountState.WAITING, id="restarted"),
    ],
)
def test_state_of_an_account(
    view: Views,
    snapshot: Snapshots,
    telemetry: SelfMetrics,
    baselined: bool,  # noqa: FBT001 # a test's data
    state: AccountState,
) -> None:
    """An account is up only while polls succeed and keep coming."""
    (account,) = summarize(snapshot((view(baselined=baselined), telemetry)))
    assert account.state is state


def test_rows_are_summed_and_empty_types_left_out(view: Views, snapshot: Snapshots) -> None:
    """Types with actions have a row, types without none, and the total adds all up."""
    committed = view(
        actions={
            ("enable", "in-progress"): 2,
            ("enable", "failed"): 3,
            ("disable", "in-progress"): 0,
            ("set_standby", "in-progress"): 1,
            ("set_standby", "interrupted"): 4,
            ("set_standby", "completed"): 5,
        },
        oldest_in_progress={"enable": 200.0, "set_standby": 100.0},
        stuck={"enable": 1, "set_standby": 1},
    )
    (account,) = summarize(snapshot((committed, SelfMetrics("default"))))
    enable = TypeRow("enable", 2, 1, 0, 3, 0, 200.0)
    standby = TypeRow("set_standby", 1, 1, 5, 0, 4, 100.0)
    assert account.rows == (enable, standby)
    assert account.total == TypeRow("all types", 3, 2, 5, 3, 4, 100.0)


def test_without_totals_what_has_ended_is_not_known(view: Views, snapshot: Snapshots) -> None:
    """It is no zero: how many ended before the first poll was never told."""
    committed = view(actions={("enable", "in-progress"): 2}, last_audit=0.0)
    (account,) = summarize(snapshot((committed, SelfMetrics("default"))))
    assert account.rows == (TypeRow("enable", 2, 0, None, None, None, None),)


def test_total_of_nothing_has_no_oldest(view: Views, snapshot: Snapshots) -> None:
    """Without an action in progress there is no oldest one."""
    (account,) = summarize(snapshot((view(), SelfMetrics("default"))))
    assert account.rows == ()
    assert account.total.oldest is None
