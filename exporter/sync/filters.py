"""What of an account is asked for, and which listings that makes. Pure."""

from dataclasses import dataclass

from exporter.domain import Status
from exporter.ledger.records import ListFilter


@dataclass(frozen=True, slots=True)
class AccountFilters:
    """The action types and statuses of an account that are asked for; empty means all."""

    action_types: tuple[str, ...]
    statuses: tuple[Status, ...]

    @property
    def unfiltered(self) -> bool:
        """Tell whether listings of every status are read: interrupted is no filter value."""
        return not self.statuses or Status.INTERRUPTED in self.statuses

    @property
    def types(self) -> tuple[str | None, ...]:
        """Return the filters on the action type that listings are asked with, None for none."""
        return self.action_types or (None,)

    @property
    def heads(self) -> tuple[ListFilter, ...]:
        """Return the listings that new actions are looked for in."""
        filters: tuple[Status | None, ...] = (None,)
        if not self.unfiltered:
            filters = tuple(each for each in self.statuses if each is not Status.IN_PROGRESS)
        return tuple(
            ListFilter(action_type, status) for action_type in self.types for status in filters
        )

    @property
    def begun(self) -> tuple[ListFilter, ...]:
        """Return what a baseline is taken of: the heads, and lists that stand for themselves."""
        followed = (
            ()
            if self.unfiltered
            else (ListFilter(action_type, Status.IN_PROGRESS) for action_type in self.types)
        )
        return (*self.heads, *followed)
