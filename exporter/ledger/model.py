"""The values that the ledger keeps: rows, sums, listings, events. No behaviour, no I/O.

All times are seconds since the epoch.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import msgspec

from exporter.ledger.view import Status

GONE = "(gone)"
"""The status of an action that the API does not know any more; no status of the API's."""


class Row(msgspec.Struct, gc=False):
    """What is remembered of one action.

    ``ended_at`` is when it was seen to have ended, on our clock; None while it is open, that is
    in progress or in a status that nobody knows. ``position`` is its place counted from the old
    end of the account's listing, None where it is not known. ``stuck`` says that it was told of.
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


class Metric(StrEnum):
    """What a sum counts; the label of each is said behind it."""

    CREATED = "created"  # none
    COMPLETED = "completed"  # none
    FAILED = "failed"  # reason class
    INTERRUPTED = "interrupted"  # reason class
    DURATION_BUCKET = "duration_bucket"  # status/upper bound
    DURATION_SUM = "duration_sum"  # status
    DELAY_BUCKET = "delay_bucket"  # upper bound
    DELAY_SUM = "delay_sum"  # none
    KNOWN = "known"  # status: actions that the ledger accounts for
    UNEXPLAINED = "unexplained"  # status: the API's total less the known one, at the last audit
    SWEEP_PAGE = "sweep_page"  # status: the page where a sweep goes on, 0 for no sweep
    SWEEP_MISSING = "sweep_missing"  # status: how many actions a sweep has yet to find


ENTERED = {
    Status.COMPLETED: Metric.COMPLETED,
    Status.FAILED: Metric.FAILED,
    Status.INTERRUPTED: Metric.INTERRUPTED,
}
"""The sum that counts entries into a status."""


class SumKey(NamedTuple):
    """The name of one sum of one account."""

    metric: Metric
    action_type: str
    label: str = ""


class Scope(NamedTuple):
    """One listing of an account: the filters it is asked with, None for none."""

    action_type: str | None
    status: Status | None


class Order(StrEnum):
    """How a listing is sorted, as found out from what it holds: by creation, unless said."""

    NEWEST = "newest"
    OLDEST = "oldest"
    UPDATED = "updated"  # the latest changed first
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of one listing.

    ``accounted`` is how many of its actions are accounted for, one by one or as history.
    An unknown action created at ``horizon`` or before is history; None: there is no history.
    One that says it ended at ``cutoff`` or before is history wherever it turns up, and one created
    by then was there before anyone looked; None: nothing tells when the first poll was over there.
    All that was created before ``frontier`` (changed, where that is what sorts it) was found when
    it was read last.
    ``pruned`` is how many actions vanished from its old end.
    """

    order: Order
    accounted: int
    horizon: float | None
    frontier: float | None = None
    pruned: int = 0
    cutoff: float | None = None


PLACED = (Order.NEWEST, Order.OLDEST)
"""The orders in which an action keeps its place, counted from the old end."""


class EventKind(StrEnum):
    """What happened to an action that a person should read of."""

    FAILED = "sim_card_action_failed"
    INTERRUPTED = "sim_card_action_interrupted"
    STUCK = "sim_card_action_stuck"


class Event(msgspec.Struct, frozen=True):
    """One line of the journal: what happened to one action, with its whole reason."""

    kind: EventKind
    account: str
    action_id: str
    sim_card_id: str
    action_type: str
    status: str
    reason: str
    reason_class: str
    created_at: float | None
    updated_at: float | None
    duration_seconds: float | None
