"""The one place where tests get views of accounts from: built as the exporter builds them.

A field that is added to the view is built there too, so tests that do not ask for it go on.
"""

from dataclasses import replace
from typing import Any

from exporter.ledger.snapshot import AccountSnapshot, SnapshotOptions, empty_snapshot

OPTIONS = SnapshotOptions(
    action_types=("enable", "disable"),
    statuses=(),
    stuck_after={},
    stuck_after_default=900.0,
    reason_classes=("other",),
)

AUDITED = 1_785_585_000.0


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
