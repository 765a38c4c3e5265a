"""The vocabulary that all packages share: statuses, actions and what happens to them.

Values only: no behavior, no I/O. Times are seconds since the epoch, durations seconds.
"""

from enum import StrEnum

import msgspec


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


class EventType(StrEnum):
    """What happened to an action that is reported as an event."""

    FAILED = "sim_card_action_failed"
    INTERRUPTED = "sim_card_action_interrupted"
    STUCK = "sim_card_action_stuck"


class Event(msgspec.Struct, frozen=True):
    """What happened to one action, with its whole reason: what sinks are told."""

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
