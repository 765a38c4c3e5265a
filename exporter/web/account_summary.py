"""Converts a snapshot into what the status page shows: one summary per account.

Pure: values in, values out. It must not contain HTML or user-visible text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from urllib.parse import quote

from exporter.domain import ENDED_STATUSES, BulkAction, Status
from exporter.ledger.bulks import Pace, pace_of
from exporter.ledger.queries import AccountProblem, ReasonCount
from exporter.ledger.snapshot import AccountSnapshot
from exporter.metrics.exporter_snapshot import ExporterSnapshot
from exporter.metrics.self_metrics import AccountHealth

OVERDUE_INTERVALS = 3
"""Poll intervals without a completed poll after which an account that was up is overdue."""

PROBLEMS_SHOWN = 20
"""Problems of an account on the status page; a link leads to all."""


class AccountState(StrEnum):
    """The state of an account; the worst first."""

    DOWN = "down"
    UNHELD = "unheld"
    """No replica polls it."""
    OVERDUE = "overdue"
    PROBLEMS = "problems"
    """It is polled, and SIM cards of it have problems."""
    STUCK = "stuck"
    """It is polled, and actions of it are stuck."""
    WAITING = "waiting"
    ELSEWHERE = "elsewhere"
    """Another replica polls it."""
    UP = "up"


NOT_POLLED = (AccountState.DOWN, AccountState.UNHELD, AccountState.OVERDUE)
"""The states of accounts whose figures may be out of date."""

_RANKS = {state: rank for rank, state in enumerate(AccountState)}


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
class BulkRow:
    """A bulk action, how fast it goes, and whether none of its members ends."""

    bulk: BulkAction
    pace: Pace
    stalled: bool


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """One account. ``rows`` omits the types without actions.

    ``polling`` is the state of its polls alone. ``recent_failures`` is how many actions failed or
    were interrupted within the last day, None if unknown.
    """

    name: str
    polling: AccountState
    recent_failures: int | None
    view: AccountSnapshot
    health: AccountHealth
    total: TypeRow
    rows: tuple[TypeRow, ...]
    bulks: tuple[BulkRow, ...] = ()

    @property
    def state(self) -> AccountState:
        """The worst that is known of it."""
        if self.polling in NOT_POLLED:
            return self.polling
        if self.view.problems:
            return AccountState.PROBLEMS
        return AccountState.STUCK if self.total.stuck else self.polling

    @property
    def key(self) -> str:
        """The name as a part of an anchor: the same wherever the account stands on a page."""
        return quote(self.name, safe="")

    @property
    def problems(self) -> tuple[AccountProblem, ...]:
        """The oldest problems, as many as are shown."""
        cards = self.view.sim_cards
        return tuple(
            AccountProblem(self.name, each, cards.get(each.sim_card_id))
            for each in self.view.problems[:PROBLEMS_SHOWN]
        )

    @property
    def rank(self) -> tuple[int, int, int]:
        """The place of an account: those with the worst trouble first, and with most of it."""
        return _RANKS[self.state], -len(self.view.problems), -self.total.stuck


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in all accounts.

    ``down`` are the accounts that are down, overdue or polled by nobody, ``oldest`` is when the
    oldest of the ``problems`` opened. ``broken`` is how many accounts have problems, ``slow`` how
    many have stuck actions.
    """

    down: tuple[AccountSummary, ...]
    problems: int
    broken: int
    oldest: float | None
    stuck: int
    slow: int
    waiting: bool

    @property
    def any(self) -> bool:
        """Tell whether anything is wrong."""
        return bool(self.down or self.problems or self.stuck)


def trouble_in(accounts: Sequence[AccountSummary]) -> Trouble:
    """Return what is wrong in the accounts."""
    opened = [each.view.problems[0].opened_at for each in accounts if each.view.problems]
    return Trouble(
        down=tuple(each for each in accounts if each.polling in NOT_POLLED),
        problems=sum(len(each.view.problems) for each in accounts),
        broken=len(opened),
        oldest=min(opened, default=None),
        stuck=sum(each.total.stuck for each in accounts),
        slow=sum(bool(each.total.stuck) for each in accounts),
        waiting=any(each.polling is AccountState.WAITING for each in accounts),
    )


def summarize(
    snapshot: ExporterSnapshot, reasons: Iterable[ReasonCount] | None = None
) -> tuple[AccountSummary, ...]:
    """Return the summaries of all accounts, those with the worst trouble first.

    ``reasons`` are those of the failures of the last day, None if unknown.
    """
    recent = None if reasons is None else _by_account(reasons)
    found = (_summary(view, health, snapshot, recent) for view, health in snapshot.accounts)
    return tuple(sorted(found, key=attrgetter("rank")))


def _summary(
    view: AccountSnapshot,
    health: AccountHealth,
    snapshot: ExporterSnapshot,
    recent: Mapping[str, int] | None,
) -> AccountSummary:
    types = dict.fromkeys(action_type for action_type, _ in view.actions)
    rows = tuple(_row(view, action_type, (action_type,)) for action_type in types)
    return AccountSummary(
        name=view.name,
        polling=_polling(view, health, snapshot),
        recent_failures=None if recent is None else recent.get(view.name, 0),
        view=view,
        health=health,
        total=_row(view, "all types", types),
        rows=tuple(row for row in rows if _count(row)),
        bulks=tuple(
            BulkRow(each, pace_of(each, snapshot.now), each.id in view.stalled_bulks)
            for each in view.bulks
        ),
    )


def _by_account(reasons: Iterable[ReasonCount]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for each in reasons:
        found.update(each.accounts)
    return found


def _polling(
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
