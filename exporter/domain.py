"""The vocabulary that all packages share: statuses, actions and what happens to them.

Values only: no behavior, no I/O. Times are seconds since the epoch, durations seconds.
"""

import re
from enum import StrEnum

import msgspec

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Status(StrEnum):
    """The statuses of a SIM card action that the API documents."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


ENDED_STATUSES = (Status.COMPLETED, Status.FAILED, Status.INTERRUPTED)

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
"""The action types that Telnyx documents (2026-08). The set is open: there may be others."""

DURATION_BUCKETS = (
    *(1.0, 5.0, 15.0, 30.0, 60.0, 120.0),
    *(300.0, 600.0, 1800.0, 3600.0, 10800.0, 86400.0),
)
"""Upper bounds of the histogram created-to-ended unless configured; in seconds, without +Inf."""

OTHER = "other"
"""The label value for action types beyond the 50th, and for reasons that no rule matches."""


class Action(msgspec.Struct, frozen=True, gc=False):
    """One SIM card action as the API lists it; times are seconds since the epoch.

    ``status`` is as sent, in lower case with dashes, and empty where none was sent.
    """

    id: str
    sim_card_id: str
    action_type: str
    status: str
    reason: str | None
    created_at: float | None
    updated_at: float | None


CONCERNS = {
    "enable": "connectivity",
    "enable_standby_sim_card": "connectivity",
    "disable": "connectivity",
    "set_standby": "connectivity",
    "set_public_ip": "public_ip",
    "remove_public_ip": "public_ip",
    "enable_voice": "voice",
    "disable_voice": "voice",
}
"""The concern of each action type; any other type is its own."""


def is_uuid(text: str) -> bool:
    """Tell whether ``text`` is written as the API's IDs are, in upper or lower case."""
    return _UUID.fullmatch(text) is not None


def concern_of(action_type: str) -> str:
    """Return what an action type is about: a later action of the same concern mends a failure."""
    return CONCERNS.get(action_type, action_type) or OTHER


def types_of(concern: str) -> frozenset[str]:
    """Return the action types of a concern: one that is not in CONCERNS is its own."""
    return frozenset(each for each, its in CONCERNS.items() if its == concern) or frozenset(
        (concern,)
    )


class ProblemStatus(StrEnum):
    """What is wrong with a SIM card: how its latest action that did not succeed stands."""

    FAILED = "failed"
    INTERRUPTED = "interrupted"
    STUCK = "stuck"


class ProblemOutcome(StrEnum):
    """How a problem was closed."""

    MENDED = "mended"
    FORGOTTEN = "forgotten"


class Problem(msgspec.Struct, frozen=True):
    """A SIM card that is still broken in one concern.

    ``attempts`` is how many actions failed or were interrupted since it opened. The action and
    its reason are of the latest one that did not succeed; ``started_at`` is when that was created.
    ``retrying`` says that another one is in progress, or the same one again. ``changed_at`` is
    when anything last happened to it, on our clock.
    """

    sim_card_id: str
    concern: str
    status: ProblemStatus
    opened_at: float
    attempts: int
    action_id: str
    action_type: str
    reason: str
    reason_class: str
    started_at: float
    retrying: bool
    changed_at: float


class ResolvedProblem(msgspec.Struct, frozen=True):
    """A problem as it was until ``resolved_at``, when it was closed or got another status."""

    problem: Problem
    resolved_at: float


class SimCard(msgspec.Struct, frozen=True):
    """What is known of a SIM card; nothing personal. Text is empty where it is not known.

    ``deleted`` says that the API does not know it any more. ``looked_up_at`` is on our clock.
    """

    id: str
    iccid: str = ""
    group_id: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    status: str = ""
    deleted: bool = False
    looked_up_at: float = 0.0


BULK_MEMBER_TYPES = {
    "bulk_set_public_ips": "set_public_ip",
    "bulk_enable_voice": "enable_voice",
    "bulk_disable_voice": "disable_voice",
}
"""The types of bulk actions that Telnyx documents (2026-08), and the type of their members."""


class BulkCounts(msgspec.Struct, frozen=True, gc=False):
    """How many members of a bulk action are in each status; ``other`` are in unknown ones."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    interrupted: int = 0
    other: int = 0

    def of(self, status: Status) -> int:
        """Return how many are in a status."""
        count: int = getattr(self, status.value.replace("-", "_"))
        return count

    @property
    def ended(self) -> int:
        """How many have ended, well or badly."""
        return self.completed + self.failed + self.interrupted

    @property
    def left(self) -> int:
        """How many have not ended."""
        return self.in_progress + self.other

    @property
    def total(self) -> int:
        """How many there are."""
        return self.ended + self.left


class ListedBulk(msgspec.Struct, frozen=True):
    """One bulk action as the API shows it; ``counts`` is None where it has no summary."""

    id: str
    action_type: str
    created_at: float | None
    counts: BulkCounts | None


class BulkAction(msgspec.Struct, frozen=True):
    """What is known of a bulk action; times but ``created_at`` are on our clock.

    ``seen_at`` is when it was first seen, ``changed_at`` when the number of its members that have
    ended changed last, and ``read_at`` when it was read last while in progress. ``ended_at`` is
    when it was first seen without a member in progress; None before. ``members_page`` is the next
    page of its members to read; 0 when all were read. ``drift`` is how many more of them the API
    counts as interrupted than the ledger, at the last audit.
    """

    id: str
    action_type: str
    created_at: float | None
    seen_at: float
    changed_at: float
    read_at: float
    ended_at: float | None
    counts: BulkCounts
    members_page: int = 1
    drift: int = 0

    @property
    def in_progress(self) -> bool:
        """Whether a member may still end; an ended one goes on if an interrupted member does."""
        return self.ended_at is None or self.counts.left > 0

    @property
    def started_at(self) -> float:
        """When it was created, or first seen where the API does not say."""
        return self.seen_at if self.created_at is None else self.created_at


class EventType(StrEnum):
    """What happened to an action, a problem or a bulk action that is reported as an event."""

    FAILED = "sim_card_action_failed"
    INTERRUPTED = "sim_card_action_interrupted"
    STUCK = "sim_card_action_stuck"
    MENDED = "problem_mended"
    BULK_ENDED = "bulk_action_ended"


FAILURE_EVENTS = (EventType.FAILED, EventType.INTERRUPTED)
"""The events of actions that ended badly: the latest of them are shown."""


class Event(msgspec.Struct, frozen=True):
    """What happened to one action, with its whole reason: what sinks are told.

    ``attempts`` counts the actions of its problem that did not succeed, this one included. A
    mended problem names the action that mended it, and ``opened_at`` and ``duration_seconds``
    say since when, and how long, it was open. For a bulk action ``action_id`` is its own id, and
    ``members`` says how its members ended.
    """

    event_type: EventType = msgspec.field(name="kind")
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
    concern: str = ""
    attempts: int = 0
    opened_at: float | None = None
    iccid: str = ""
    sim_card_group: str = ""
    tags: tuple[str, ...] = ()
    members: BulkCounts | None = None
