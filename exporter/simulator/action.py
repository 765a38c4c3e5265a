"""One SIM card action and one bulk, as the simulated account knows them: values only."""

from dataclasses import dataclass, replace

from exporter.domain import Status


@dataclass(frozen=True, slots=True)
class Action:
    """One action at one instant; times are milliseconds since the epoch.

    ``number`` is its place in the order of creation, or its index in the history, ``sim`` the
    number of its SIM card. ``version`` counts its changes of status.
    """

    number: int
    id: str
    sim: int
    sim_card_id: str
    action_type: str
    status: Status
    reason: str | None
    created_ms: int
    updated_ms: int
    bulk: int | None = None
    version: int = 0

    def moved(self, status: Status, reason: str | None, at_ms: int) -> "Action":
        """Return the action as it is after it entered ``status``."""
        return replace(
            self, status=status, reason=reason, updated_ms=at_ms, version=self.version + 1
        )


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk: ``size`` actions, numbered from ``first`` on, created at one instant.

    ``listed`` is when it came onto the list, in seconds since the epoch.
    """

    number: int
    action_type: str
    created_ms: int
    first: int
    size: int
    listed: float


@dataclass(frozen=True, slots=True)
class Filter:
    """Which actions a list shows; None shows any, a number that nothing has shows none."""

    status: Status | None = None
    action_type: str | None = None
    sim: int | None = None
    bulk: int | None = None

    def shows(self, action: Action) -> bool:
        """Tell whether the list shows this ``action``."""
        return (
            (self.status is None or action.status is self.status)
            and (self.action_type is None or action.action_type == self.action_type)
            and (self.sim is None or action.sim == self.sim)
            and (self.bulk is None or action.bulk == self.bulk)
        )
