"""What of the ledger is shown, as the settings say. Pure."""

from collections.abc import Sequence

from exporter.config import Settings
from exporter.domain import Status
from exporter.ledger.queries import AccountScope, LedgerView
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.snapshot import SnapshotOptions


def view_of(settings: Settings) -> LedgerView:
    """Return the accounts of the settings, their filters, and how reasons are classified."""
    reasons = Reasons.with_configured(
        [Rule(each.reason_class, each.match) for each in settings.reasons]
    )
    scopes = (
        AccountScope(
            account.name,
            SnapshotOptions(
                action_types=account.action_types,
                statuses=tuple(Status(each) for each in account.statuses),
                stuck_after={},
                stuck_after_default=settings.stuck_after.default,
                reason_classes=reasons.classes,
            ),
        )
        for account in settings.accounts
    )
    return LedgerView(tuple(scopes), reasons.classify, reasons.classes)


def unwatched_note(concerns: Sequence[str]) -> str:
    """Return the sentence about concerns whose problems are not tracked."""
    return (
        f"problems are not tracked for {', '.join(concerns)}, because statuses or action_types "
        "leave out the actions that would mend them"
    )
