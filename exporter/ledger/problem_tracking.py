"""Keeps the problems of an account: applies the rules to what a unit of work is about to commit.

It must not decide what a problem is, see `problems`, nor write anything but the unit of work.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from exporter.domain import concern_of
from exporter.ledger.problems import ProblemRules
from exporter.ledger.records import ProblemKey, TrackedAction
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import LedgerState
from exporter.ledger.unit_of_work import UnitOfWork

Recall = Callable[[Collection[str]], Mapping[str, Sequence[TrackedAction]]]
"""Returns the committed actions of SIM cards, by the id of the card."""


def note_problems(
    unit: UnitOfWork, state: LedgerState, options: SnapshotOptions, recall: Recall
) -> None:
    """Note in a unit of work which problems its actions open, change or mend.

    Concerns whose repairs cannot be seen, and failures that are not exported, are left out. To be
    called once, as the last thing before the commit.
    """
    # Nobody can tell what mends an action without a SIM card or a type.
    rows = [row for row in unit.rows.values() if row.sim_card_id and row.action_type]
    failed = set()
    for row in rows:
        if row.failure_at is not None:
            concern = concern_of(row.action_type)
            if options.watches(concern) and options.shows_failure(row):
                failed.add((row.sim_card_id, concern))
            else:
                row.failure_at, row.failure_status = None, ""
    if not (failed or state.problems):
        return
    touched: defaultdict[ProblemKey, list[TrackedAction]] = defaultdict(list)
    for row in rows:
        key = row.sim_card_id, concern_of(row.action_type)
        if key in failed or key in state.problems:
            touched[key].append(row)
    rules = ProblemRules(unit.reason_class, unit.now)
    unopened = {card for card, concern in touched if (card, concern) not in state.problems}
    recalled: dict[str, Sequence[TrackedAction]] = dict.fromkeys(unopened, ())
    recalled |= recall(unopened) if unopened else {}
    attempts: dict[str, int] = {}
    for (card, concern), seen in touched.items():

        def remembered(card: str = card, concern: str = concern) -> list[TrackedAction]:
            if card not in recalled:
                recalled[card] = recall((card,)).get(card, ())
            return [row for row in recalled[card] if concern_of(row.action_type) == concern]

        change = rules.change(state.problems.get((card, concern)), seen, remembered)
        unit.problem_changed(change, state.concern_label(concern))
        attempts |= change.attempts
    unit.number_attempts(attempts)


def forget_problems(
    unit: UnitOfWork, state: LedgerState, options: SnapshotOptions, before: float
) -> None:
    """Note that some problems are closed: to which nothing happened since ``before``.

    Those that are not watched any more, as the filters changed, are closed likewise.
    """
    if not state.problems:
        return
    seen = {row.sim_card_id for row in unit.rows.values()}
    statuses = options.problem_statuses
    watched = {concern for concern in state.concerns if options.watches(concern)}
    for problem in state.problems.values():
        old = problem.changed_at < before
        hidden = problem.concern not in watched or problem.status not in statuses
        if (old or hidden) and problem.sim_card_id not in seen:
            unit.forget_problem(problem, state.concern_label(problem.concern))
