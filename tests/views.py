"""Where tests get views of accounts from, built as the exporter builds them, and problems.

A field that is added to the view is built there too, so tests that do not ask for it go on.
"""

from dataclasses import replace
from typing import Any

from exporter.domain import Problem, ProblemStatus
from exporter.ledger.snapshot import AccountSnapshot, SnapshotOptions, empty_snapshot

OPTIONS = SnapshotOptions(
    action_types=("enable", "disable"),
    statuses=(),
    stuck_after={},
    stuck_after_default=900.0,
    reason_classes=("other",),
)

AUDITED = 1_785_585_000.0
AT = 1_785_585_605.0
"""2026-08-01 12:00:05 UTC."""


def a_view(name: str = "default", **changes: Any) -> AccountSnapshot:
    """Return the view of an account whose baseline found nothing, but for the ``changes``.

    It has two action types, enable and disable, and one class of reasons, other.
    """
    empty = empty_snapshot(name, OPTIONS)
    usual: dict[str, Any] = {
        "readable": True,
        "baselined": True,
        "last_audit": AUDITED,
        "lists": {**empty.lists, "newest": 1},
        "orders": {("", ""): "newest"},
    }
    return replace(empty, **(usual | changes))


def a_problem(sim_card_id: str = "sim-2", **fields: Any) -> Problem:
    """Return a problem that opened an hour before `AT`."""
    usual: dict[str, Any] = {
        "sim_card_id": sim_card_id,
        "concern": "connectivity",
        "status": ProblemStatus.FAILED,
        "opened_at": AT - 3600,
        "attempts": 2,
        "action_id": f"action-of-{sim_card_id}",
        "action_type": "enable",
        "reason": "SIM card is blocked",
        "reason_class": "sim_blocked",
        "started_at": AT - 3700,
        "retrying": False,
        "changed_at": AT,
    }
    return Problem(**(usual | fields))
