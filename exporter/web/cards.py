"""Arrange a snapshot as the page shows it: one card an account.

Pure: values in, values out. It must not know HTML, and must not word anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from exporter.ledger.view import ENDED, AccountView, Status
from exporter.publish.health import AccountHealth, Snapshot

OVERDUE_INTERVALS = 3
"""After so many poll intervals without the end of a poll, an account that was up is overdue."""


class State(StrEnum):
    """How an account fares, in one word."""

    UP = "up"
    DOWN = "down"
    WAITING = "waiting"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The actions of one type, or of all: how many are in each status.

    ``oldest`` is when the oldest one in progress was created, None if none is in progress.
    """

    name: str
    in_progress: int
    stuck: int
    completed: int
    failed: int
    interrupted: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Card:
    """One account. ``rows`` leaves out the types without a single action."""

    name: str
    state: State
    view: AccountView
    health: AccountHealth
    total: TypeRow
    rows: tuple[TypeRow, ...]


def arrange(snapshot: Snapshot) -> tuple[Card, ...]:
    """Return the cards of all accounts, in the order of the configuration."""
    return tuple(_card(view, health, snapshot) for view, health in snapshot.accounts)


def _card(view: AccountView, health: AccountHealth, snapshot: Snapshot) -> Card:
    types = dict.fromkeys(action_type for action_type, _ in view.actions)
    rows = tuple(_row(view, action_type, (action_type,)) for action_type in types)
    return Card(
        name=view.name,
        state=_state(view, health, snapshot),
        view=view,
        health=health,
        total=_row(view, "all types", types),
        rows=tuple(row for row in rows if _count(row)),
    )


def _state(view: AccountView, health: AccountHealth, snapshot: Snapshot) -> State:
    if health.last_cause is not None:
        return State.DOWN
    if not health.last_poll or not view.baselined:
        return State.WAITING
    if snapshot.now - health.last_poll > OVERDUE_INTERVALS * snapshot.poll_interval:
        return State.OVERDUE
    return State.UP


def _row(view: AccountView, name: str, types: Iterable[str]) -> TypeRow:
    names = tuple(types)
    oldest = [view.oldest_in_progress[each] for each in names if each in view.oldest_in_progress]
    in_progress, completed, failed, interrupted = (
        sum(view.actions.get((each, status), 0) for each in names)
        for status in (Status.IN_PROGRESS, *ENDED)
    )
    return TypeRow(
        name=name,
        in_progress=in_progress,
        stuck=sum(view.stuck.get(each, 0) for each in names),
        completed=completed,
        failed=failed,
        interrupted=interrupted,
        oldest=min(oldest, default=None),
    )


def _count(row: TypeRow) -> int:
    return row.in_progress + row.completed + row.failed + row.interrupted
