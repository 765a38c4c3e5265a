"""Which actions of an account are asked for, and which lists that makes. Pure."""

from dataclasses import dataclass

from exporter.domain import Status
from exporter.ledger.records import ListFilter


@dataclass(frozen=True, slots=True)
class AccountFilters:
    """The action types and statuses of an account that are asked for; empty means all."""

    action_types: tuple[str, ...]
    statuses: tuple[Status, ...]

    @property
    def reads_every_status(self) -> bool:
        """Tell whether lists of every status are read: interrupted is no filter value."""
        return not self.statuses or Status.INTERRUPTED in self.statuses

    @property
    def type_filters(self) -> tuple[str | None, ...]:
        """Return the action types that lists are limited to, None for no limit."""
        return self.action_types or (None,)

    @property
    def discovery_lists(self) -> tuple[ListFilter, ...]:
        """Return the lists in which new actions are searched for."""
        statuses: tuple[Status | None, ...] = (None,)
        if not self.reads_every_status:
            statuses = tuple(each for each in self.statuses if each is not Status.IN_PROGRESS)
        return tuple(
            ListFilter(action_type, status)
            for action_type in self.type_filters
            for status in statuses
        )

    @property
    def baseline_lists(self) -> tuple[ListFilter, ...]:
        """Return the lists that a baseline is taken of.

        Where no list of every status is read, those of what is in progress stand for themselves.
        """
        followed = (
            ()
            if self.reads_every_status
            else (ListFilter(action_type, Status.IN_PROGRESS) for action_type in self.type_filters)
        )
        return (*self.discovery_lists, *followed)
