"""The one place where tests get views of accounts from: they are drawn as the exporter draws them.

A field that is added to the view is drawn there too, so tests that do not ask for it go on.
"""

from dataclasses import replace
from typing import Any

from exporter.ledger.picture import Frame, empty_view
from exporter.ledger.view import AccountView

FRAME = Frame(
    action_types=("enable", "disable"),
    statuses=(),
    stuck_after={},
    stuck_after_default=900.0,
    reason_classes=("other",),
)

AUDITED = 1_785_585_000.0


def a_view(name: str = "default", **changes: Any) -> AccountView:
    """Return the view of an account whose baseline found nothing, but for the ``changes``.

    It has two action types, enable and disable, and one class of reasons, other.
    """
    drawn = empty_view(name, FRAME)
    usual: dict[str, Any] = {
        "readable": True,
        "baselined": True,
        "last_audit": AUDITED,
        "listings": {**drawn.listings, "newest": 1},
        "orders": {("", ""): "newest"},
    }
    return replace(drawn, **(usual | changes))
