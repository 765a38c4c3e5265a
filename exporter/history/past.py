"""What of a history the live counters do not hold, action by action. Pure.

The counters of an account begin at 0 at its baseline. What had ended by then is in the past, what
ended later is counted. Whoever decides by time alone is wrong about what happened during the
baseline, so the ledger is asked: what it remembers of an action, and, where it remembers nothing,
what it would count if it saw the action now.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from exporter.domain import Action, Status
from exporter.ledger.records import (
    ListCursor,
    ListFilter,
    SortOrder,
    TrackedAction,
)
from exporter.ledger.rules import ended_status, is_history
from exporter.ledger.snapshot import SnapshotOptions

CREATED = "telnyx_sim_card_actions_created_total"
IN_PROGRESS = "telnyx_sim_card_actions"
DURATION = "telnyx_sim_card_action_duration_seconds"
ENTERED = {
    Status.COMPLETED: "telnyx_sim_card_actions_completed_total",
    Status.FAILED: "telnyx_sim_card_actions_failed_total",
    Status.INTERRUPTED: "telnyx_sim_card_actions_interrupted_total",
}
METRICS = (IN_PROGRESS, CREATED, *ENTERED.values(), DURATION)
"""The metrics that a history tells."""


LONGEST_BASELINE = 3600
"""Seconds after which the first poll of an account has surely ended."""


class Past(NamedTuple):
    """What of an action is past: that it was created, and that it is in the status it ended in."""

    created: bool
    ended: bool


@dataclass(frozen=True)
class CounterStart:
    """Where the live counters of an account begin.

    ``at`` is the baseline on our clock, ``api_at`` on the API's. ``cursors`` are those of the lists
    that are polled; None where the ledger cannot be read: then time alone decides. ``expired`` says
    that something that ended since the baseline is old enough to be forgotten today.
    """

    at: float
    api_at: float
    cursors: Mapping[ListFilter, ListCursor] | None = None
    expired: bool = False

    @cached_property
    def pruned(self) -> bool:
        """Whether the ledger may have forgotten actions that it had counted.

        It may have done so under a shorter retention: what it forgets raises what the cursors know
        of the baseline.
        """
        bounds = (
            bound
            for each in (self.cursors or {}).values()
            for bound in (each.baseline_time, each.baseline_cutoff)
        )
        latest = self.api_at + LONGEST_BASELINE
        return self.expired or any(bound is not None and bound > latest for bound in bounds)

    def cursor(self, action: Action) -> ListCursor | None:
        """Return what is known of the list that shows an action; None if none does."""
        if self.cursors is None:
            return None
        lists = (
            ListFilter(action_type, status)
            for action_type in (action.action_type, None)
            for status in (None, ended_status(action.status))
        )
        return next((self.cursors[each] for each in lists if each in self.cursors), None)


class SeriesChange(NamedTuple):
    """A value of a metric changes by ``amount``; in a histogram the bucket, and ``seconds``."""

    metric: str
    labels: tuple[str, ...]
    time: float
    amount: int = 1
    bucket: int = 0
    seconds: float = 0.0


def past_of(action: Action, row: TrackedAction | None, start: CounterStart) -> Past:
    """Return what of an action is past; ``row`` is what the ledger remembers of it."""
    cursor = start.cursor(action)
    has_ended = ended_status(action.status) is not None
    if row is not None:
        at_baseline = row.seen_at <= start.at
        by_then = row.ended_at is not None and row.ended_at <= start.at
        return Past(
            created=at_baseline or _there_before(action, cursor, start),
            # With another status now it will be counted when that is seen.
            ended=has_ended and by_then and row.status == action.status,
        )
    if cursor is None:
        return Past(
            _by(_created(action), start.api_at), has_ended and _by(_end(action), start.api_at)
        )
    if not is_history(action, cursor):
        return Past(created=_by(action.created_at, cursor.baseline_time), ended=False)
    # What ended that late was not there at the baseline: it was counted, and is forgotten.
    limit = start.api_at + (0 if start.pruned else LONGEST_BASELINE)
    if has_ended and not _by(_end(action), limit):
        return Past(created=_by(_created(action), start.api_at), ended=False)
    return Past(created=True, ended=has_ended)


def changes_of(
    action: Action,
    past: Past,
    options: SnapshotOptions,
    label: Callable[[str], str],
    reason_class: Callable[[str | None], str],
) -> Iterator[SeriesChange]:
    """Yield what the past of an action changes in the counters and in the histogram.

    ``label`` bounds action types. Only what is exported is yielded. An action whose end has no time
    counts at its creation, one without any time not at all.
    """
    type_label = label(action.action_type)
    if options.action_types and type_label not in options.action_types:
        return
    created, ended = _created(action), _end(action)
    if past.created and created is not None:
        yield SeriesChange(CREATED, (type_label,), created)
    status = ended_status(action.status)
    if not past.ended or status is None or ended is None or not options.shows(status):
        return
    why = () if status is Status.COMPLETED else (reason_class(action.reason),)
    yield SeriesChange(ENTERED[status], (type_label, *why), ended)
    if action.created_at is not None and action.updated_at is not None:
        seconds = max(0.0, action.updated_at - action.created_at)
        bucket = bisect_left(options.duration_buckets, seconds)
        yield SeriesChange(
            DURATION, (type_label, status.value), ended, bucket=bucket, seconds=seconds
        )


def progress_of(
    action: Action, options: SnapshotOptions, label: Callable[[str], str]
) -> Iterator[SeriesChange]:
    """Yield when an action began and ceased to be in progress.

    Nothing for one whose times, or whose status, are not known.
    """
    type_label = label(action.action_type)
    if (
        not options.shows(Status.IN_PROGRESS)
        or (options.action_types and type_label not in options.action_types)
        or action.created_at is None
    ):
        return
    labels = (type_label, Status.IN_PROGRESS.value)
    if action.status == Status.IN_PROGRESS:
        yield SeriesChange(IN_PROGRESS, labels, action.created_at)
    elif ended_status(action.status) is not None and action.updated_at is not None:
        yield SeriesChange(IN_PROGRESS, labels, action.created_at)
        yield SeriesChange(
            IN_PROGRESS, labels, max(action.created_at, action.updated_at), amount=-1
        )


def _there_before(action: Action, cursor: ListCursor | None, start: CounterStart) -> bool:
    """Tell whether an action that was seen after the baseline was not counted as created."""
    if cursor is None or start.pruned:  # pruning raises what the cursor knows of the baseline
        return _by(action.created_at, start.api_at)
    cutoff = None if cursor.order is SortOrder.NONE else cursor.baseline_cutoff
    return _by(action.created_at, cursor.baseline_time) or _by(action.created_at, cutoff)


def _created(action: Action) -> float | None:
    return action.created_at if action.created_at is not None else action.updated_at


def _end(action: Action) -> float | None:
    return action.updated_at if action.updated_at is not None else action.created_at


def _by(time: float | None, limit: float | None) -> bool:
    return time is not None and limit is not None and time <= limit
