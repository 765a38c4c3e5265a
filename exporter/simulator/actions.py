"""A SIM card action, a bulk action and a list filter of the simulated account: values only."""

from dataclasses import dataclass, replace

from exporter.domain import Status


@dataclass(frozen=True, slots=True)
class SimulatedAction:
    """One action at one instant; times are milliseconds since the epoch.

    ``number`` is its position in the order of creation, or its index in the history.
    ``sim_card_number`` and ``bulk_number`` are those of its SIM card and its bulk action.
    ``version`` counts its changes of status.
    """

    number: int
    id: str
    sim_card_number: int
    sim_card_id: str
    action_type: str
    status: Status
    reason: str | None
    created_ms: int
    updated_ms: int
    bulk_number: int | None = None
    version: int = 0

    def with_status(self, status: Status, reason: str | None, at_ms: int) -> "SimulatedAction":
        """Return the action as it is after it entered ``status``."""
        return replace(
            self, status=status, reason=reason, updated_ms=at_ms, version=self.version + 1
        )


@dataclass(frozen=True, slots=True)
class SimulatedBulk:
    """One bulk action: ``size`` actions, numbered from ``first``, created at one instant.

    ``listed_at`` is when it appeared in the list, in seconds since the epoch.
    """

    number: int
    action_type: str
    created_ms: int
    first: int
    size: int
    listed_at: float


@dataclass(frozen=True, slots=True)
class ActionFilter:
    """Which actions a list shows; None matches any, a number that is not in use matches none."""

    status: Status | None = None
    action_type: str | None = None
    sim_card_number: int | None = None
    bulk_number: int | None = None

    def matches(self, action: SimulatedAction) -> bool:
        """Tell whether ``action`` passes the filter."""
        return (
            (self.status is None or action.status is self.status)
            and (self.action_type is None or action.action_type == self.action_type)
            and (self.sim_card_number is None or action.sim_card_number == self.sim_card_number)
            and (self.bulk_number is None or action.bulk_number == self.bulk_number)
        )
