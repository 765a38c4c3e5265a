"""Converts a snapshot into what the status page shows: one summary per account.

Pure: values in, values out. It must not contain HTML or user-visible text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.domain import ENDED_STATUSES, Status
from exporter.ledger.queries import AccountProblem
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import AccountHealth

OVERDUE_INTERVALS = 3
"""Poll intervals without a completed poll after which an account that was up is overdue."""

PROBLEMS_SHOWN = 20
"""Problems of an account on the status page; a link leads to all."""


class AccountState(StrEnum):
    """The state of an account."""

    UP = "up"
    DOWN = "down"
    WAITING = "waiting"
    OVERDUE = "overdue"
    ELSEWHERE = "elsewhere"
    """Another replica polls it."""
    UNHELD = "unheld"
    """No replica polls it."""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """The number of actions in each status, of one type or of all types.

    None if unknown. ``oldest`` is when the oldest action in progress was created, None if there is
    none.
    """

    name: str
    in_progress: int
    stuck: int
    completed: int | None
    failed: int | None
    interrupted: int | None
    oldest: float | None


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One account. ``rows`` omits the types without actions."""

    name: str
    state: AccountState
    view: AccountSnapshot
    health: AccountHealth
    total: TypeRow
    rows: tuple[TypeRow, ...]

    @property
    def problems(self) -> tuple[AccountProblem, ...]:
        """The oldest problems, as many as are shown."""
        cards = self.view.sim_cards
        return tuple(
            AccountProblem(self.name, each, cards.get(each.sim_card_id))
            for each in self.view.problems[:PROBLEMS_SHOWN]
        )

    @property
    def rank(self) -> int:
        """The place of an account: those with trouble first, the others in their order."""
        ranks = (
            self.state in {AccountState.DOWN, AccountState.UNHELD},
            self.state is AccountState.OVERDUE,
            bool(self.view.problems),
            bool(self.total.stuck),
            self.state is AccountState.WAITING,
            True,
        )
        return ranks.index(True)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in all accounts.

    ``down`` names the accounts that are down, overdue or polled by nobody, ``oldest`` is when the
    oldest of the ``problems`` opened.
    """

    down: tuple[str, ...]
    problems: int
    oldest: float | None
    stuck: int
    waiting: bool

    @property
    def any(self) -> bool:
        """Tell whether anything is wrong."""
        return bool(self.down or self.problems or self.stuck)


def trouble_in(accounts: Sequence[AccountSummary]) -> Trouble:
    """Return what is wrong in the accounts."""
    opened = [each.view.problems[0].opened_at for each in accounts if each.view.problems]
    return Trouble(
        down=tuple(
            each.name
            for each in accounts
            if each.state in {AccountState.DOWN, AccountState.OVERDUE, AccountState.UNHELD}
        ),
        problems=sum(len(each.view.problems) for each in accounts),
        oldest=min(opened, default=None),
        stuck=sum(each.total.stuck for each in accounts),
        waiting=any(each.state is AccountState.WAITING for each in accounts),
    )


def summarize(snapshot: ExporterSnapshot) -> tuple[AccountSummary, ...]:
    """Return the summaries of all accounts, in the order of the configuration."""
    return tuple(_summary(view, health, snapshot) for view, health in snapshot.accounts)


def _summary(
    view: AccountSnapshot, health: AccountHealth, snapshot: ExporterSnapshot
) -> AccountSummary:
    types = dict.fromkeys(action_type for action_type, _ in view.actions)
    rows = tuple(_row(view, action_type, (action_type,)) for action_type in types)
    return AccountSummary(
        name=view.name,
        state=_state(view, health, snapshot),
        view=view,
        health=health,
        total=_row(view, "all types", types),
        rows=tuple(row for row in rows if _count(row)),
    )


def _state(
    view: AccountSnapshot, health: AccountHealth, snapshot: ExporterSnapshot
) -> AccountState:
    if not snapshot.leases.held.get(view.name, True):
        held = snapshot.leases.holders.get(view.name)
        return AccountState.ELSEWHERE if held else AccountState.UNHELD
    if health.last_cause is not None:
        return AccountState.DOWN
    if not health.last_poll or not view.baselined:
        return AccountState.WAITING
    if snapshot.now - health.last_poll > OVERDUE_INTERVALS * snapshot.poll_interval:
        return AccountState.OVERDUE
    return AccountState.UP


def _row(view: AccountSnapshot, name: str, types: Iterable[str]) -> TypeRow:
    names = tuple(types)
    oldest = [view.oldest_in_progress[each] for each in names if each in view.oldest_in_progress]
    completed, failed, interrupted = (
        None if view.totals_unknown else _sum(view, names, status) for status in ENDED_STATUSES
    )
    return TypeRow(
        name=name,
        in_progress=_sum(view, names, Status.IN_PROGRESS),
        stuck=sum(view.stuck.get(each, 0) for each in names),
        completed=completed,
        failed=failed,
        interrupted=interrupted,
        oldest=min(oldest, default=None),
    )


def _sum(view: AccountSnapshot, types: Iterable[str], status: Status) -> int:
    return sum(view.actions.get((each, status), 0) for each in types)


def _count(row: TypeRow) -> int:
    ended = (row.completed, row.failed, row.interrupted)
    return row.in_progress + sum(each or 0 for each in ended)
