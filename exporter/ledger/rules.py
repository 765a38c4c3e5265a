"""The counting rules: what one observation of one action means. Pure: values in, values out.

    known     seen                     meaning
    -------   ----------------------   ----------------------------------------------------
    no        new, open                created
    no        new, ended               created, entered its status
    no        history, open            tracked: it counts when it ends
    no        history, ended           nothing: it ended before the baseline
    no        older, ended since       entered its status
    yes       the same status          nothing
    yes       no status at all         nothing
    ended     another, but older       nothing: an earlier state that came late
    yes       another status           followed; entered, if it is a status of ended actions

*Open* is in progress, or a status that nobody knows. *Older* was created before the first poll,
though none of its lists showed it. An action enters a status each time that it is seen in it after
having been seen in another, so it may enter `interrupted` twice.
"""

import msgspec

from exporter.domain import ENDED_STATUSES, Action, Status
from exporter.ledger.records import ListCursor, TrackedAction


class Transition(msgspec.Struct, frozen=True, gc=False):
    """What an observation means: ``row`` is to be remembered (None: as before).

    ``entered`` is the status of ended actions that it entered, ``left`` the status that it
    was known in before, as an action of ``left_type``.
    """

    row: TrackedAction | None = None
    created: bool = False
    entered: Status | None = None
    left: str | None = None
    left_type: str = ""


NOTHING = Transition()

FAILURE_STATUSES = (Status.FAILED, Status.INTERRUPTED)

_ENDED = {status.value: status for status in ENDED_STATUSES}


def is_history(action: Action, cursor: ListCursor, *, missing: bool = False) -> bool:
    """Tell whether an unknown action had ended, or was not listed, before the first poll.

    One that ended before that poll is history whatever a total says. One without a time of creation
    is new only where actions are ``missing``.
    """
    if ended_status(action.status) is not None and _by(action.updated_at, cursor.baseline_time):
        return True
    if cursor.baseline_cutoff is None:
        return False
    created = action.created_at if action.created_at is not None else action.updated_at
    return not missing if created is None else created <= cursor.baseline_cutoff


def ended_status(status: str) -> Status | None:
    """Return the status as one of ended actions, or None where the action is open."""
    return _ENDED.get(status)


def observe(
    known: TrackedAction | None,
    action: Action,
    *,
    history: bool,
    now: float,
    keep: bool = False,
    baseline_time: float | None = None,
) -> Transition:
    """Return what it means to see ``action`` when ``known`` is what is known of it.

    ``history`` and ``baseline_time`` (see `ListCursor`) are asked only for an action that nobody
    knows; ``keep`` remembers such a one even where it means nothing, so that it is recognised
    later.
    """
    if known is None:
        new = not history and not _by(action.created_at, baseline_time)
        return _first_sight(action, history=history, new=new, now=now, keep=keep)
    if not action.status or action.status == known.status or _is_stale(known, action):
        return NOTHING
    status = ended_status(action.status)
    row = _row(action, seen_at=known.seen_at, ended_at=None if status is None else now)
    row.position, row.stuck = known.position, known.stuck
    row.sim_card_id = action.sim_card_id or known.sim_card_id
    row.action_type = action.action_type or known.action_type
    if row.created_at is None:
        row.created_at = known.created_at
    if status is None and row.reason is None:
        row.reason = known.reason  # it goes on: this is why it was interrupted
    row.failure_at, row.failure_status = known.failure_at, known.failure_status
    _note_failure(row, status, now)
    return Transition(row, entered=status, left=known.status, left_type=known.action_type)


def _by(time: float | None, baseline_time: float | None) -> bool:
    """Tell whether a time is known to be the baseline time or before."""
    return time is not None and baseline_time is not None and time <= baseline_time


def _first_sight(action: Action, *, history: bool, new: bool, now: float, keep: bool) -> Transition:
    status = ended_status(action.status)
    row = _row(action, seen_at=now, ended_at=None if status is None else now)
    if not history:
        _note_failure(row, status, now)
        return Transition(row, created=new, entered=status)
    if status is None or keep:
        return Transition(row)
    return NOTHING


def _note_failure(row: TrackedAction, entered: Status | None, now: float) -> None:
    if entered in FAILURE_STATUSES:
        row.failure_status = entered
        if row.failure_at is None:
            row.failure_at = row.updated_at if row.updated_at is not None else now


def _is_stale(known: TrackedAction, action: Action) -> bool:
    """Tell whether an ended action is shown as it was earlier (a replica behind, a late answer)."""
    return (
        known.ended_at is not None
        and known.updated_at is not None
        and action.updated_at is not None
        and action.updated_at < known.updated_at
    )


def _row(action: Action, *, seen_at: float, ended_at: float | None) -> TrackedAction:
    # By position: by name it takes three times as long, and a page has 250 of them.
    return TrackedAction(
        action.id,
        action.sim_card_id,
        action.action_type,
        action.status,
        action.reason,
        action.created_at,
        action.updated_at,
        seen_at,
        ended_at,
        None,
        stuck=False,
    )
