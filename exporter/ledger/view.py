"""The immutable picture of what is committed, which metrics and pages are drawn from.

It holds values only: no clock, no lock, no way back to the ledger. A new picture replaces
the old one as a whole. All times are seconds since the epoch, all durations seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The statuses of a SIM card action that the API documents."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


ENDED = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED)

KNOWN_ACTION_TYPES = (
    "enable",
    "enable_standby_sim_card",
    "disable",
    "set_standby",
    "set_public_ip",
    "remove_public_ip",
    "enable_voice",
    "disable_voice",
)
"""The action types that Telnyx documents (2026-08). The set is open: others live too."""

OTHER = "other"
"""The label value for what is out of bounds: action types past the 50th, unmatched reasons."""

DURATION_BUCKETS = (
    1.0,
    5.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    10800.0,
    86400.0,
)
"""Upper bounds of the histogram created-to-ended, in seconds; +Inf is implied."""

DELAY_BUCKETS = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histogram ended-to-seen, in seconds; +Inf is implied."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations by bucket.

    ``counts`` are per bucket, not cumulative, one more than there are bounds (the last is +Inf).
    """

    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Exemplar:
    """The latest action behind a counter, for OpenMetrics exemplars."""

    action_id: str
    sim_card_id: str
    timestamp: float


@dataclass(frozen=True, slots=True)
class InFlightRow:
    """One action in progress, for the status page."""

    action_id: str
    sim_card_id: str
    action_type: str
    created_at: float
    stuck: bool


@dataclass(frozen=True, slots=True)
class EndedRow:
    """One action that failed or was interrupted; ``reason`` is foreign text."""

    action_id: str
    sim_card_id: str
    action_type: str
    status: Status
    reason: str
    reason_class: str
    created_at: float | None
    updated_at: float | None


@dataclass(frozen=True, slots=True)
class AccountView:
    """What is committed of one account.

    Every mapping holds every combination that is exported, zeros included, so that a reader
    never has to know which exist. Keys are label values: ``action_type``,
    ``(action_type, status)``, ``(action_type, reason_class)``.
    ``in_flight`` is oldest first and ``failures`` latest first, each capped at 50 rows.
    ``listings`` is how many lists the API gives in each order, of which ``none`` costs more, and
    ``orders`` how each one is sorted, by the action type and status it is limited to, or "".
    Where the API tells no totals, ``actions`` and ``drift`` leave out the statuses of ended ones.
    ``baselined`` is False until the first poll of the account was committed, at ``baseline_at``;
    ``readable`` is
    False as long as the state could not be read: then the figures are no figures, and counters
    at 0 would look like a restart from nothing.
    """

    name: str
    baselined: bool
    actions: Mapping[tuple[str, str], int]
    oldest_in_progress: Mapping[str, float]
    stuck: Mapping[str, int]
    created: Mapping[str, int]
    completed: Mapping[str, int]
    failed: Mapping[tuple[str, str], int]
    interrupted: Mapping[tuple[str, str], int]
    failed_exemplars: Mapping[tuple[str, str], Exemplar]
    interrupted_exemplars: Mapping[tuple[str, str], Exemplar]
    durations: Mapping[tuple[str, str], Histogram]
    detection_delay: Histogram
    drift: Mapping[str, int]
    listings: Mapping[str, int]
    orders: Mapping[tuple[str, str], str]
    tracked: int
    last_audit: float
    in_flight: tuple[InFlightRow, ...]
    failures: tuple[EndedRow, ...]
    readable: bool = True
    baseline_at: float | None = None

    @property
    def untold(self) -> bool:
        """Tell whether the API never told a total: how many have ended is not known then."""
        return self.baselined and not self.last_audit
