"""The rules of problems: which SIM cards are still broken. Pure: values in, values out.

The actions of one SIM card and concern are replayed in the order of their creation, so it does not
matter in which order they are seen:

    no problem    failed, interrupted or stuck    a problem opens, with this action
    a problem     failed, interrupted or stuck    one attempt more, unless only stuck; latest
    a problem     completed                       mended
    any           anything else                   nothing

One that goes wrong when a newer action has completed already is moot: it opens nothing.
An action that was interrupted, goes on and is completed is both: it opens a problem and mends it.
Of two actions created at the same time, neither is later: a completed one mends no other, so
completed ones come first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import msgspec

from exporter.domain import Problem, ProblemStatus, Status, concern_of
from exporter.ledger.records import TrackedAction, started_at


@dataclass(frozen=True, slots=True)
class Mended:
    """A problem as it was, and the action that mended it."""

    problem: Problem
    by: TrackedAction

    @property
    def seconds(self) -> float:
        """How long it was open; 0 where a clock went back."""
        return max(0.0, _ended_at(self.by) - self.problem.opened_at)


@dataclass(frozen=True, slots=True)
class ProblemStep:
    """What one action meant for the problem of its SIM card and ``concern``.

    ``opened_at`` is when it opened the problem, None if it did not; ``attempts`` how many had not
    succeeded with it, 0 for one that was only stuck. ``mended_at`` is when it mended a problem, and
    ``mended_after`` how many seconds that was open; None if it did not.
    """

    concern: str
    opened_at: float | None = None
    attempts: int = 0
    mended_at: float | None = None
    mended_after: float | None = None


@dataclass(slots=True)
class Replay:
    """What the actions of one SIM card and concern amount to.

    ``problem`` is the one that is open. ``opened`` is when each one opened, by the id of the action
    that opened it, ``mended`` are those that were mended, by the id of the action that did,
    ``attempts`` the number of each failure within its problem, by the id of the action.
    """

    problem: Problem | None = None
    opened: dict[str, float] = field(default_factory=dict)
    mended: dict[str, Mended] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def steps(self, concern: str) -> dict[str, ProblemStep]:
        """Return what the actions meant that opened, kept or mended a problem, by their ids."""
        return {
            id_: ProblemStep(
                concern,
                opened_at=self.opened.get(id_),
                attempts=self.attempts.get(id_, 0),
                mended_at=None if mended is None else _ended_at(mended.by),
                mended_after=None if mended is None else mended.seconds,
            )
            for id_ in self.attempts | self.mended
            for mended in (self.mended.get(id_),)
        }


@dataclass(frozen=True, slots=True)
class ProblemChange:
    """What new observations mean for one SIM card and concern; ``after`` is the open problem."""

    before: Problem | None
    after: Problem | None
    opened: int
    mended: tuple[Mended, ...]
    attempts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProblemRules:
    """Replays actions; ``classify`` returns the class of a reason."""

    classify: Callable[[str | None], str]
    now: float

    def replay(self, rows: Iterable[TrackedAction], start: Problem | None = None) -> Replay:
        """Return what the actions amount to, of one SIM card and concern, in any order.

        ``start`` is a problem that older actions opened; it may name one of ``rows``, too.
        """
        found = Replay(start)
        if start is None:
            rows = tuple(rows)
            if all(row.failure_at is None for row in rows):
                return found  # as of nearly all that is remembered: nothing to mend
        ordered = sorted(rows, key=_order)
        moot = _moot(ordered)
        for row in ordered:
            if row.failure_at is not None and row.id not in moot:
                self._fail(found, row, row.failure_at)
            if row.status == Status.COMPLETED and found.problem is not None:
                problem = found.problem
                if row.id == problem.action_id or started_at(row) > problem.started_at:
                    found.mended[row.id] = Mended(problem, row)
                    found.problem = None
        return found

    def change(
        self,
        before: Problem | None,
        seen: Iterable[TrackedAction],
        remembered: Iterable[TrackedAction],
    ) -> ProblemChange:
        """Return what it means that the actions in ``seen`` are now as they are.

        ``remembered`` are all actions that are, as they were, but for those that decide nothing:
        they are only looked at where ``seen`` is not simply what came next (see `comes_next`). What
        happened to those that are not remembered any more is in ``before``.
        """
        rows = {row.id: row for row in seen}
        decisive = [row for row in rows.values() if _decides(row)]
        if before is not None and comes_next(decisive, before):
            was, found = Replay(before), self.replay(decisive, before)
        else:
            known = {row.id: row for row in remembered}
            start = self._not_remembered(before, known.values())
            was = self.replay(known.values(), start)
            rows = known | rows
            found = self.replay(rows.values(), start)
        after = found.problem
        if after is not None:
            after = msgspec.structs.replace(after, changed_at=self.now)
        # Which action mended a problem may change when an older one completes, too: it counts once.
        more = max(0, len(found.mended) - len(was.mended))
        new = [each for id_, each in found.mended.items() if id_ not in was.mended]
        mended = new[len(new) - min(more, len(new)) :]
        if before is not None and after is None and not mended:
            # It was moot, as shows now: the newer action that had completed is seen after it, or
            # only now is it known which of the two is newer.
            repairs = [*filter(_completed, decisive)] or filter(_completed, rows.values())
            mended = [Mended(before, row) for row in sorted(repairs, key=_order)[-1:]]
        opened = len(mended) + (after is not None) - (before is not None)
        return ProblemChange(before, after, max(0, opened), tuple(mended), found.attempts)

    def _not_remembered(
        self, before: Problem | None, known: Iterable[TrackedAction]
    ) -> Problem | None:
        """Return the part of a problem that none of the known actions explains."""
        if before is None:
            return None
        explained = self.replay(known).problem
        if explained is None:
            return before
        if before.attempts <= explained.attempts:
            return None
        return msgspec.structs.replace(
            before,
            action_id="",
            attempts=before.attempts - explained.attempts,
            started_at=min(before.opened_at, before.started_at),
        )

    def _fail(self, found: Replay, row: TrackedAction, failed_at: float) -> None:
        before = found.problem
        attempt = int(bool(row.failure_status))
        if before is None:
            attempts, opened_at = attempt, failed_at
            found.opened[row.id] = failed_at
        else:
            attempts = before.attempts + (0 if row.id == before.action_id else attempt)
            opened_at = min(before.opened_at, failed_at)
        status = _status(row)
        found.attempts[row.id] = attempts
        found.problem = Problem(
            sim_card_id=row.sim_card_id,
            concern=concern_of(row.action_type),
            status=status,
            opened_at=opened_at,
            attempts=attempts,
            action_id=row.id,
            action_type=row.action_type,
            reason=row.reason or "",
            reason_class="" if status is ProblemStatus.STUCK else self.classify(row.reason),
            started_at=started_at(row),
            retrying=False,
            changed_at=self.now,
        )


def is_retry(row: TrackedAction, problem: Problem) -> bool:
    """Tell whether an action, of the problem's SIM card and concern, tries again what failed.

    It is a later one that is in progress, or the same one again.
    """
    return row.status == Status.IN_PROGRESS and (
        problem.status is not ProblemStatus.STUCK
        if row.id == problem.action_id
        else started_at(row) >= problem.started_at
    )


def comes_next(seen: Iterable[TrackedAction], before: Problem) -> bool:
    """Tell whether actions simply go on with a problem, whatever else is remembered."""
    return all(_follows(row, before) for row in seen if _decides(row))


def _order(row: TrackedAction) -> tuple[float, bool, bool, str]:
    return started_at(row), row.failure_at is not None, row.status != Status.COMPLETED, row.id


def _moot(ordered: Sequence[TrackedAction]) -> set[str]:
    """Return the actions that went wrong after one that was created later had completed."""
    found = set()
    # By the actions created after the instant that is looked at, and by those of that instant.
    ended = ended_now = inf
    instant = inf
    for row in reversed(ordered):
        if started_at(row) < instant:
            ended, instant = min(ended, ended_now), started_at(row)
        if row.status == Status.COMPLETED:
            ended_now = min(ended_now, _ended_at(row))
        if row.failure_at is not None and ended < row.failure_at:
            found.add(row.id)
    return found


def _ended_at(row: TrackedAction) -> float:
    ended = row.updated_at if row.updated_at is not None else row.ended_at
    return inf if ended is None else ended


def _completed(row: TrackedAction) -> bool:
    return row.status == Status.COMPLETED


def _decides(row: TrackedAction) -> bool:
    """Tell whether an action opens, keeps or closes a problem."""
    return row.failure_at is not None or row.status == Status.COMPLETED


def _follows(row: TrackedAction, problem: Problem) -> bool:
    """Tell whether an action is the latest of a problem, as counted in it, or a later one."""
    if row.id == problem.action_id:
        # Not known is whether one that is stuck counts as an attempt already, and whether others
        # that were created at the same time are broken still, if this one is completed.
        if problem.status is ProblemStatus.STUCK or row.status == Status.COMPLETED:
            return False
        # It may turn out to be older than it seemed, when the API did not say when it was created.
        return started_at(row) >= problem.started_at
    return started_at(row) > problem.started_at


def _status(row: TrackedAction) -> ProblemStatus:
    if row.stuck and row.status == Status.IN_PROGRESS:
        return ProblemStatus.STUCK
    return ProblemStatus(row.failure_status or ProblemStatus.STUCK)
