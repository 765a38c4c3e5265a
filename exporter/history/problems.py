"""Which SIM cards are broken, and why actions failed, by what a history alone tells.

The rules are those of the ledger, but there is no baseline: each failure counts, however old. The
actions of one SIM card are replayed at a time, so memory does not grow with the history. It must
not ask Telnyx, nor know how any of it is shown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter

import msgspec

from exporter.domain import Action, Problem, Status, concern_of
from exporter.history.spool import Spool
from exporter.history.summary import FAILED, SHOWN, Scope
from exporter.ledger.problems import ProblemRules, is_retry
from exporter.ledger.records import TrackedAction
from exporter.ledger.rules import observe
from exporter.ledger.snapshot import SnapshotOptions

_OF_CARDS = f"""
SELECT actions.id, sim_card_id, action_type, status, text, created_at, updated_at
FROM actions LEFT JOIN reasons ON reasons.id = reason_id
WHERE sim_card_id <> '' AND action_type <> '' AND {SHOWN} AND sim_card_id IN (
    SELECT sim_card_id FROM actions WHERE status IN ('failed', 'interrupted', 'in-progress')
)
ORDER BY sim_card_id
"""  # noqa: S608 # ours

_REASONS = f"""
SELECT text, count(*), max(updated_at) FROM actions LEFT JOIN reasons ON reasons.id = reason_id
WHERE {FAILED} AND updated_at >= :ended_since GROUP BY reason_id
"""  # noqa: S608 # ours


def open_problems(
    spool: Spool, scope: Scope, classify: Callable[[str | None], str], now: float
) -> Iterator[Problem]:
    """Yield the problems that are open at ``now``, on the API's clock, card by card."""
    rules = ProblemRules(classify, now)
    listed = (Action(*row) for row in spool.select(_OF_CARDS, scope.parameters()))
    for _, actions in groupby(listed, attrgetter("sim_card_id")):
        by_concern: defaultdict[str, list[TrackedAction]] = defaultdict(list)
        for action in actions:
            by_concern[concern_of(action.action_type)].append(_seen(action, scope.options, now))
        for concern, rows in by_concern.items():
            problem = rules.replay(rows).problem
            if problem is not None and scope.options.watches(concern):
                retrying = any(is_retry(row, problem) for row in rows)
                yield msgspec.structs.replace(problem, retrying=retrying)


def failure_reasons(
    spool: Spool, scope: Scope, ended_since: float
) -> Iterator[tuple[str, int, float]]:
    """Yield each reason of actions that ended badly since then, how many, and when the latest."""
    parameters = {**scope.parameters(), "ended_since": ended_since}
    for reason, count, latest in spool.select(_REASONS, parameters):
        yield reason or "", count, latest


def _seen(action: Action, options: SnapshotOptions, now: float) -> TrackedAction:
    """Return an action as the ledger would keep it if it saw it after the baseline."""
    row = observe(None, action, history=False, now=now).row
    assert row is not None  # noqa: S101 # what is no history is kept
    if row.created_at is None:
        row.created_at = row.updated_at
    if row.status == Status.IN_PROGRESS and options.is_stuck(row, now):
        row.stuck, row.failure_at = True, options.stuck_at(row)
    return row
