"""Keeps the problems of an account: applies the rules to what a unit of work is about to commit.

It must not decide what a problem is, see `problems`, nor write anything but the unit of work.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from exporter.domain import Status, concern_of
from exporter.ledger.problems import ProblemRules, comes_next
from exporter.ledger.records import ProblemKey, SumName, TrackedAction, started_at
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import LedgerState
from exporter.ledger.unit_of_work import UnitOfWork

_COMPLETED = Status.COMPLETED.value
"""A status of a row is a plain string: an enumeration's member takes longer to compare."""


class Recall(Protocol):
    """Returns the committed actions of SIM cards that may decide, by the id of the card."""

    def __call__(
        self, sim_card_ids: Collection[str], *, failures: bool = False
    ) -> Mapping[str, Sequence[TrackedAction]]:
        """Return them: completed or gone wrong, or only ``failures``; cards without may be missing.

        Those in progress mean nothing, and there may be a hundred thousand of a few SIM cards.
        """
        ...


def note_problems(
    unit: UnitOfWork, state: LedgerState, options: SnapshotOptions, recall: Recall
) -> None:
    """Note in a unit of work which problems its actions open, change or mend.

    Concerns whose repairs cannot be seen, and failures that are not exported, are left out. To be
    called once, as the last thing before the commit.
    """
    touched = _touched(unit, state, options, recall)
    if not touched:
        return
    rows: defaultdict[ProblemKey, list[TrackedAction]] = defaultdict(list)
    for row in unit.rows.values():
        if (key := (row.sim_card_id, concern_of(row.action_type))) in touched and row.action_type:
            rows[key].append(row)
    rules = ProblemRules(unit.reason_class, unit.now)
    # At once: each time that the database is asked takes a round trip.
    asked = {
        key[0]
        for key in touched
        if (before := state.problems.get(key)) is None or not comes_next(rows[key], before)
    }
    recalled = recall(asked) if asked else {}
    attempts: dict[str, int] = {}
    for key, seen in rows.items():
        card, concern = key
        known = [row for row in recalled.get(card, ()) if concern_of(row.action_type) == concern]
        change = rules.change(state.problems.get(key), seen, known)
        unit.problem_changed(change, state.concern_label(concern))
        attempts |= change.attempts
    unit.number_attempts(attempts)


def _touched(
    unit: UnitOfWork, state: LedgerState, options: SnapshotOptions, recall: Recall
) -> set[ProblemKey]:
    """Return the SIM cards and concerns whose problems the actions may open, change or mend."""
    touched = set()
    successes: defaultdict[ProblemKey, list[float]] = defaultdict(list)
    ever_opened: dict[str, bool] = {}
    # The rows may be those of a whole account: only what matters is kept of them.
    for row in unit.rows.values():
        if not (row.sim_card_id and row.action_type):
            continue  # nobody can tell what mends it
        key = row.sim_card_id, (concern := concern_of(row.action_type))
        if row.failure_at is not None:
            if options.watches(concern) and options.shows_failure(row):
                touched.add(key)
            else:
                row.failure_at, row.failure_status = None, ""
        if key in state.problems:
            touched.add(key)
        elif row.status == _COMPLETED:
            if concern not in ever_opened:
                label = state.concern_label(concern)
                ever_opened[concern] = state.total(SumName.PROBLEMS_OPENED, "", label) > 0
            if ever_opened[concern]:
                successes[key].append(started_at(row))
    late = {key: times for key, times in successes.items() if key not in touched}
    return touched | _split(late, recall)


def _split(successes: Mapping[ProblemKey, Sequence[float]], recall: Recall) -> set[ProblemKey]:
    """Return where a success comes between two failures of a problem that is closed already.

    It was created between them, and seen after what mended the later one: so there were two.
    ``successes`` are the times of creation.
    """
    cards = {card for card, _ in successes}
    failures: defaultdict[ProblemKey, list[float]] = defaultdict(list)
    for card, found in recall(cards, failures=True).items() if cards else ():
        for row in found:
            failures[card, concern_of(row.action_type)].append(started_at(row))
    return {
        key
        for key, bad in failures.items()
        if any(min(bad) < each <= max(bad) for each in successes.get(key, ()))
    }


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
