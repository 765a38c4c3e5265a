"""The values that the ledger keeps: actions, sums, cursors, sweeps. No I/O.

All times are seconds since the epoch.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from exporter.domain import Status

GONE = "(gone)"
"""The status of an action that the API does not know any more; no status of the API's."""


class TrackedAction(msgspec.Struct, gc=False):
    """What is remembered of one action.

    ``ended_at`` is when it was seen to have ended, on our clock; None while it is open, that is
    in progress or in an unknown status. ``position`` is its place in the list of every status,
    counted from the old end, None where it is not known. ``stuck`` says that its event was written.
    ``failure_at`` is when it first failed, was interrupted or got stuck after the baseline, on the
    API's clock where that says so; None if it did not, or if its problem was forgotten.
    ``failure_status`` is how it ended last of those, empty if it did not end.
    """

    id: str
    sim_card_id: str
    action_type: str
    status: str
    reason: str | None
    created_at: float | None
    updated_at: float | None
    seen_at: float
    ended_at: float | None
    position: int | None
    stuck: bool
    failure_at: float | None = None
    failure_status: str = ""


class SumName(StrEnum):
    """What a sum counts; the label of each is said behind it."""

    CREATED = "created"  # none
    COMPLETED = "completed"  # none
    FAILED = "failed"  # reason class
    INTERRUPTED = "interrupted"  # reason class
    DURATION_BUCKET = "duration_bucket"  # status/upper bound
    DURATION_SUM = "duration_sum"  # status
    DELAY_BUCKET = "delay_bucket"  # upper bound
    DELAY_SUM = "delay_sum"  # none
    KNOWN = "known"  # status: actions that are known, one by one or as history
    PROBLEMS_OPENED = "problems_opened"  # concern
    PROBLEMS_CLOSED = "problems_closed"  # concern/outcome
    MEND_BUCKET = "mend_bucket"  # concern/upper bound
    MEND_SUM = "mend_sum"  # concern


ENTRY_SUMS = {
    Status.COMPLETED: SumName.COMPLETED,
    Status.FAILED: SumName.FAILED,
    Status.INTERRUPTED: SumName.INTERRUPTED,
}
"""The sum that counts entries into a status."""


class SumKey(NamedTuple):
    """The name of one sum of one account."""

    metric: SumName
    action_type: str
    label: str = ""


TypeStatus = tuple[str, Status]
"""An action type as a label value, and a status."""


class Sweep(NamedTuple):
    """A list that is being read again: the next page, and how many actions are still missing."""

    next_page: int
    missing: int


class MemberCounts(NamedTuple):
    """Members of a bulk action: known, those that are remembered as actions, and interrupted."""

    known: int
    remembered: int
    interrupted: int


class ListFilter(NamedTuple):
    """One list of an account, named by its filters; None for no filter."""

    action_type: str | None
    status: Status | None


class SortOrder(StrEnum):
    """How a list is sorted, as found out from what it holds: by creation, unless noted."""

    NEWEST = "newest"
    OLDEST = "oldest"
    UPDATED = "updated"  # the latest changed first
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ListCursor:
    """What is known of one list.

    ``seen_count`` is how many of its actions are known, one by one or as history. An unknown action
    created at ``baseline_cutoff`` or before is history; None: there is no history. One that ended
    at ``baseline_time`` or before is history wherever it turns up, and one created by then was
    there before the baseline; None: the API's time at the baseline is not known. All that was
    created (changed, where the list is sorted by that) before ``high_watermark`` was found when it
    was read last. ``dropped`` is how many actions vanished from its old end.
    """

    order: SortOrder
    seen_count: int
    baseline_cutoff: float | None
    high_watermark: float | None = None
    dropped: int = 0
    baseline_time: float | None = None


ProblemKey = tuple[str, str]
"""The id of a SIM card, and a concern."""


def started_at(row: TrackedAction) -> float:
    """Return when an action was created, or first seen where the API does not say."""
    return row.created_at if row.created_at is not None else row.seen_at


POSITIONED_ORDERS = (SortOrder.NEWEST, SortOrder.OLDEST)
"""The orders in which an action keeps its position, counted from the old end."""


DELAY_BUCKETS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histogram ended-to-seen, in seconds; +Inf is implied."""

MEND_BUCKETS = (
    60.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    10800.0,
    21600.0,
    43200.0,
    86400.0,
    259200.0,
    604800.0,
    2592000.0,
)
"""Upper bounds of the histogram opened-to-mended, in seconds; +Inf is implied."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations by bucket.

    ``counts`` are per bucket, not cumulative, one more than there are bounds (the last is +Inf).
    ``bounds`` are the upper bounds, None for those of the metric.
    """

    counts: tuple[int, ...]
    sum: float
    bounds: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """The latest action behind a counter, for OpenMetrics exemplars."""

    action_id: str
    sim_card_id: str
    timestamp: float
