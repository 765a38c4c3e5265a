"""What is known of one account, in memory: the open actions, the sums, the listings.

It mirrors what is committed and changes by commits only. It must not do I/O.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain

from exporter.ledger.draft import Draft
from exporter.ledger.model import Event, EventKind, Listing, Metric, Row, Scope, SumKey
from exporter.ledger.view import KNOWN_ACTION_TYPES, OTHER, Exemplar

MOST_TYPES = 50
"""How many action types are told apart; from the next one on they are `other`."""

LATEST = 50
"""How many of the latest failures are kept to be shown."""


@dataclass(slots=True)
class Book:
    """The committed state of one account. ``failures`` are latest first."""

    name: str
    account_id: int
    baseline_at: float | None
    audit_at: float | None
    tracked: int
    listings: dict[Scope, Listing]
    open: dict[str, Row]
    sums: dict[SumKey, float]
    exemplars: dict[SumKey, Exemplar]
    failures: tuple[Event, ...]
    types: dict[str, None] = field(init=False)

    def __post_init__(self) -> None:
        """Learn the action types that sums exist for: those were within the bound once."""
        counted = sorted(self._counted() - {"", OTHER})
        self.types = dict.fromkeys((*KNOWN_ACTION_TYPES, *counted))

    def admit(self, types: Iterable[str]) -> None:
        """Tell these action types apart from now on, as far as the bound allows."""
        for each in types:
            if len(self.types) < MOST_TYPES:
                self.types.setdefault(each)

    def settle(self) -> None:
        """Give up the action types that no commit told of, as a restart would."""
        counted = self._counted()
        self.types = dict.fromkeys(
            (*KNOWN_ACTION_TYPES, *(each for each in self.types if each in counted))
        )

    def label(self, action_type: str) -> str:
        """Return the label value for an action type; `other` where it is out of bounds."""
        if action_type in self.types:
            return action_type
        if action_type not in {"", OTHER}:
            self.admit((action_type,))
        return action_type if action_type in self.types else OTHER

    def apply(self, draft: Draft, after: dict[SumKey, float]) -> None:
        """Take in a draft that was committed; ``after`` are the sums that it changed."""
        self.sums.update(after)
        self.exemplars.update(draft.exemplars)
        self.listings.update(draft.listings)
        self.tracked += len(draft.added)
        for row in draft.rows.values():
            if row.ended_at is None:
                self.open[row.id] = row
            else:
                self.open.pop(row.id, None)
        for id_, position in draft.positions.items():
            if id_ in self.open:
                self.open[id_].position = position
        told = [event for event in draft.events if event.kind is not EventKind.STUCK]
        self.failures = (*reversed(told), *self.failures)[:LATEST]
        if draft.baseline_at is not None:
            self.baseline_at = draft.baseline_at
        if draft.audit_at is not None:
            self.audit_at = draft.audit_at

    def open_after(self, draft: Draft, action_type: str | None = None) -> Iterator[Row]:
        """Yield the actions (of one type) that are open once a draft is committed.

        There may be a hundred thousand, so they are not gathered.
        """
        known = (draft.rows.get(id_, row) for id_, row in self.open.items())
        new = (row for id_, row in draft.rows.items() if id_ not in self.open)
        for row in chain(known, new):
            if row.ended_at is None and action_type in {None, row.action_type}:
                yield row

    def pruned(self, count: int, horizon: float | None) -> None:
        """Take in that ``count`` ended actions were forgotten, the last created at ``horizon``."""
        self.tracked -= count
        if horizon is None:
            return
        for scope, listing in self.listings.items():
            self.listings[scope] = replace(
                listing,
                horizon=max(horizon, listing.horizon or horizon),
                cutoff=max(horizon, listing.cutoff or horizon),
            )

    def total(self, metric: Metric, action_type: str, label: str = "") -> int:
        """Return one sum, 0 where nothing was counted."""
        return int(self.sums.get(SumKey(metric, action_type, label), 0))

    def _counted(self) -> set[str]:
        return {key.action_type for key in self.sums}
