"""The actions of a history one by one, as CSV.

It must not know where the text goes.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

from exporter.domain import Action
from exporter.history.spool import Spool
from exporter.history.summary import Scope
from exporter.ledger.listings import Values, csv_text, rfc3339
from exporter.ledger.queries import REASON_CHARACTERS
from exporter.ledger.rules import ended_status
from exporter.sanitize import excerpt

COLUMNS = (
    "account",
    "action_id",
    "sim_card_id",
    "action_type",
    "status",
    "reason",
    "reason_class",
    "created_at",
    "ended_at",
    "duration_seconds",
)

_REASONS_HELD = 10_000


def csv_parts(
    account: str, spool: Spool, scope: Scope, classify: Callable[[str | None], str]
) -> Iterator[str]:
    """Yield the rows in parts, without a header, in the order in which they were first read."""
    classified = lru_cache(_REASONS_HELD)(classify)
    for actions in spool.chunks():
        rows = (
            _values(account, each, classified)
            for each in actions
            if scope.takes(
                each.status,
                each.action_type,
                each.updated_at if each.created_at is None else each.created_at,
            )
        )
        yield csv_text(COLUMNS, rows, header=False)


def _values(account: str, action: Action, classify: Callable[[str | None], str]) -> Values:
    ended = ended_status(action.status)
    ended_at = None if ended is None else action.updated_at
    duration = None
    if ended_at is not None and action.created_at is not None:
        duration = round(max(0.0, ended_at - action.created_at), 3)
    return {
        "account": account,
        "action_id": action.id,
        "sim_card_id": action.sim_card_id,
        "action_type": action.action_type,
        "status": action.status,
        "reason": excerpt(action.reason or "", REASON_CHARACTERS),
        "reason_class": "" if ended in {None, "completed"} else classify(action.reason),
        "created_at": rfc3339(action.created_at),
        "ended_at": rfc3339(ended_at),
        "duration_seconds": duration,
    }
