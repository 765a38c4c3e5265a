"""What of the ledger is shown, as the settings say. Pure."""

from collections.abc import Sequence

from exporter.config import Account, ExportedTypes, Settings
from exporter.domain import Status
from exporter.ledger.queries import AccountScope, LedgerView
from exporter.ledger.reasons import Reasons, Rule
from exporter.ledger.snapshot import SnapshotOptions


def reasons_of(settings: Settings) -> Reasons:
    """Return how reasons are classified."""
    return Reasons.with_configured(
        [Rule(each.reason_class, each.match) for each in settings.reasons]
    )


def options_of(settings: Settings, account: Account, reasons: Reasons) -> SnapshotOptions:
    """Return what of an account is exported."""
    return SnapshotOptions(
        action_types=account.action_types,
        statuses=tuple(Status(each) for each in account.statuses),
        stuck_after=dict(settings.stuck_after.model_extra or {}),
        stuck_after_default=settings.stuck_after.default,
        reason_classes=reasons.classes,
        forget_after=settings.problems.forget_after,
        bulk_actions=settings.bulk_actions,
        duration_buckets=settings.metrics.histogram_buckets,
        seen_only=settings.metrics.action_types is ExportedTypes.SEEN,
        named=frozenset(settings.stuck_after.model_extra or ()),
    )


def view_of(settings: Settings) -> LedgerView:
    """Return the accounts of the settings, their filters, and how reasons are classified."""
    reasons = reasons_of(settings)
    scopes = (
        AccountScope(account.name, options_of(settings, account, reasons))
        for account in settings.accounts
    )
    return LedgerView(tuple(scopes), reasons.classify, reasons.classes)


def unwatched_note(concerns: Sequence[str]) -> str:
    """Return the sentence about concerns whose problems are not tracked."""
    return (
        f"problems are not tracked for {', '.join(concerns)}, because statuses or action_types "
        "leave out the actions that would mend them"
    )
