"""Make the ledger's values, and ledgers on real state files."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.domain import Action
from exporter.ledger.ledger import Ledger, PageContext, PageResult
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, SortOrder, SumKey, TrackedAction
from exporter.ledger.rules import observe
from exporter.ledger.snapshot import SnapshotOptions
from exporter.ledger.state import LedgerState
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork

REASONS = Reasons.with_configured(())
NEW = PageContext(ListCursor(SortOrder.NEWEST, 0, None))


def an_action(action_id: str = "a", status: str = "in-progress", **fields: Any) -> Action:
    """Return an action created at 100, last changed at 110."""
    usual: dict[str, Any] = {
        "sim_card_id": "sim",
        "action_type": "enable",
        "reason": None,
        "created_at": 100.0,
        "updated_at": 110.0,
    }
    return Action(id=action_id, status=status, **(usual | fields))


def a_row(action_id: str = "a", status: str = "in-progress", **fields: Any) -> TrackedAction:
    """Return a row created at 100, seen at 105; ended at 120 where its status says that it has."""
    usual: dict[str, Any] = {
        "sim_card_id": "sim",
        "action_type": "enable",
        "reason": None,
        "created_at": 100.0,
        "updated_at": 110.0,
        "seen_at": 105.0,
        "ended_at": 120.0 if status in {"completed", "failed", "interrupted"} else None,
        "position": None,
        "stuck": False,
    }
    return TrackedAction(id=action_id, status=status, **(usual | fields))


def an_options(**fields: Any) -> SnapshotOptions:
    """Return options that shows all, and takes what is older than 900 s as stuck."""
    usual: dict[str, Any] = {
        "action_types": (),
        "statuses": (),
        "stuck_after": {},
        "stuck_after_default": 900.0,
        "reason_classes": REASONS.classes,
    }
    return SnapshotOptions(**(usual | fields))


def a_state(**fields: Any) -> LedgerState:
    """Return the state of an account whose baseline and totals were taken at 50."""
    usual: dict[str, Any] = {
        "name": "main",
        "account_id": 1,
        "baseline_at": 50.0,
        "audit_at": 50.0,
        "tracked": 0,
        "cursors": {},
        "open": {},
        "sums": {},
        "drift": {},
        "sweeps": {},
        "exemplars": {},
        "failures": (),
    }
    return LedgerState(**(usual | fields))


def a_unit(state: LedgerState | None = None, now: float = 120.0) -> UnitOfWork:
    """Return a unit of work; without a state, every action type is its own label."""
    return UnitOfWork("main", REASONS, str if state is None else state.label, now)


def context(unit: UnitOfWork, *actions: Action) -> UnitOfWork:
    """Take actions that are new into a unit of work, and return it."""
    for action in actions:
        unit.apply(observe(None, action, history=False, now=unit.now), new_row=True)
    return unit


@dataclass
class Account:
    """A ledger and the shorthands that tests use it by."""

    ledger: Ledger
    store: SqliteStore

    async def saw(
        self,
        *actions: Action,
        at: float = 120.0,
        cursor: PageContext = NEW,
        published: float | None = None,
    ) -> PageResult:
        """Open the ledger, take actions in, commit, and publish: then, or at ``published``."""
        await self.ledger.open(at)
        unit = self.ledger.begin(at)
        seen = await self.ledger.record(unit, actions, cursor)
        unit.baseline_at = self.ledger.state.baseline_at or 50.0
        unit.audit_at = self.ledger.state.audit_at or 50.0
        await self.ledger.conclude(unit, at if published is None else published)
        self.ledger.announce()
        return seen

    def kept(self) -> LedgerState:
        """Return what the database holds of the account, read by the same connection."""
        return self.store.load(self.ledger.state.name)

    def sums(self) -> dict[SumKey, float]:
        """Return the sums other than 0."""
        return {key: value for key, value in self.ledger.state.sums.items() if value}


@pytest.fixture
def make_action() -> Callable[..., Action]:
    """Give the maker of actions."""
    return an_action


@pytest.fixture
def make_row() -> Callable[..., TrackedAction]:
    """Give the maker of rows."""
    return a_row


@pytest.fixture
def make_options() -> Callable[..., SnapshotOptions]:
    """Give the maker of snapshot options."""
    return an_options


@pytest.fixture
def make_state() -> Callable[..., LedgerState]:
    """Give the maker of ledger states."""
    return a_state


@pytest.fixture
def make_unit() -> Callable[..., UnitOfWork]:
    """Give the maker of units of work."""
    return a_unit


@pytest.fixture
def new_in() -> Callable[..., UnitOfWork]:
    """Give the way to take new actions into a unit of work."""
    return context


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    """Name a state file that does not exist yet."""
    return tmp_path / "state.db"


@dataclass
class Heard:
    """All that was told of the state, in order: what, and how much of it."""

    told: list[tuple[str, int]] = field(default_factory=list)

    @property
    def losses(self) -> list[tuple[str, int]]:
        """All but the rights of files, which are what the tests' umask makes them."""
        return [told for told in self.told if told[0] != "exposed"]

    def state_began_anew(self, _file: str) -> None:
        """Note it."""
        self.told.append(("began anew", 0))

    def state_went_back(self, _file: str, commits: int) -> None:
        """Note it."""
        self.told.append(("went back", commits))

    def state_exposed(self, _file: str) -> None:
        """Note it."""
        self.told.append(("exposed", 0))

    def state_log_large(self, _file: str, size: int) -> None:
        """Note it."""
        self.told.append(("log large", size))


@pytest.fixture
def heard() -> Heard:
    """Give who is told of the state by the stores that are opened."""
    return Heard()


@pytest.fixture
def open_store(state_file: Path, heard: Heard) -> Iterator[Callable[..., SqliteStore]]:
    """Open stores on the state file; all are closed in the end."""
    stores: list[SqliteStore] = []

    def open_one(file: Path = state_file, *, busy_timeout_ms: int = 50) -> SqliteStore:
        url = f"sqlite:///{file}"
        database = Database(url, busy_timeout_ms=busy_timeout_ms, notices=heard)
        stores.append(SqliteStore(database))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def open_account(open_store: Callable[..., SqliteStore]) -> Iterator[Callable[..., Account]]:
    """Open accounts; those on one store share its state file."""
    worker = ThreadPoolExecutor(1)

    def open_one(
        name: str = "main",
        store: SqliteStore | None = None,
        options: SnapshotOptions | None = None,
        **more: Any,
    ) -> Account:
        store = store or open_store()
        return Account(
            Ledger(
                name=name,
                store=store,
                worker=worker,
                reasons=REASONS,
                options=options or an_options(),
                sinks=("log",),
                **more,
            ),
            store,
        )

    yield open_one
    worker.shutdown()
