"""Make the ledger's values, and ledgers on real state files."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from exporter.ledger.book import Book
from exporter.ledger.draft import Draft
from exporter.ledger.engine import Database
from exporter.ledger.ledger import Ledger, Seen, Sight
from exporter.ledger.model import Listing, Order, Row, SumKey
from exporter.ledger.picture import Frame
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store
from exporter.ledger.transitions import observe
from exporter.telnyx.wire import Action

REASONS = Reasons.with_configured(())
NEW = Sight(Listing(Order.NEWEST, 0, None))


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


def a_row(action_id: str = "a", status: str = "in-progress", **fields: Any) -> Row:
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
    return Row(id=action_id, status=status, **(usual | fields))


def a_frame(**fields: Any) -> Frame:
    """Return a frame that shows all, and takes what is older than 900 s as stuck."""
    usual: dict[str, Any] = {
        "action_types": (),
        "statuses": (),
        "stuck_after": {},
        "stuck_after_default": 900.0,
        "reason_classes": REASONS.classes,
    }
    return Frame(**(usual | fields))


def a_book(**fields: Any) -> Book:
    """Return the book of an account whose baseline and totals were taken at 50."""
    usual: dict[str, Any] = {
        "name": "main",
        "account_id": 1,
        "baseline_at": 50.0,
        "audit_at": 50.0,
        "tracked": 0,
        "listings": {},
        "open": {},
        "sums": {},
        "exemplars": {},
        "failures": (),
    }
    return Book(**(usual | fields))


def a_draft(book: Book | None = None, now: float = 120.0) -> Draft:
    """Return a draft against a book, or one that takes every action type as its own label."""
    return Draft("main", REASONS, str if book is None else book.label, now)


def sight(draft: Draft, *actions: Action) -> Draft:
    """Take actions that are new into a draft, and return it."""
    for action in actions:
        draft.apply(observe(None, action, history=False, now=draft.now), new_row=True)
    return draft


@dataclass
class Account:
    """A ledger and the shorthands that tests use it by."""

    ledger: Ledger
    store: Store

    async def saw(self, *actions: Action, at: float = 120.0, listing: Sight = NEW) -> Seen:
        """Open the ledger, then take actions in, commit them and publish."""
        await self.ledger.open(at)
        draft = self.ledger.begin(at)
        seen = await self.ledger.absorb(draft, actions, listing)
        draft.baseline_at = self.ledger.book.baseline_at or 50.0
        draft.audit_at = self.ledger.book.audit_at or 50.0
        await self.ledger.note_stuck(draft)
        await self.ledger.commit(draft)
        await self.ledger.publish(at)
        return seen

    def kept(self) -> Book:
        """Return what the database holds of the account, read by the same connection."""
        return self.store.load(self.ledger.book.name)

    def sums(self) -> dict[SumKey, float]:
        """Return the sums other than 0."""
        return {key: value for key, value in self.ledger.book.sums.items() if value}


@pytest.fixture
def make_action() -> Callable[..., Action]:
    """Give the maker of actions."""
    return an_action


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """Give the maker of rows."""
    return a_row


@pytest.fixture
def make_frame() -> Callable[..., Frame]:
    """Give the maker of frames."""
    return a_frame


@pytest.fixture
def make_book() -> Callable[..., Book]:
    """Give the maker of books."""
    return a_book


@pytest.fixture
def make_draft() -> Callable[..., Draft]:
    """Give the maker of drafts."""
    return a_draft


@pytest.fixture
def new_in() -> Callable[..., Draft]:
    """Give the way to take new actions into a draft."""
    return sight


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
def open_store(state_file: Path, heard: Heard) -> Iterator[Callable[..., Store]]:
    """Open stores on the state file; all are closed in the end."""
    stores: list[Store] = []

    def open_one(file: Path = state_file, *, busy_timeout_ms: int = 50) -> Store:
        url = f"sqlite:///{file}"
        database = Database(url, busy_timeout_ms=busy_timeout_ms, notices=heard)
        stores.append(Store(database))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def open_account(open_store: Callable[..., Store]) -> Iterator[Callable[..., Account]]:
    """Open accounts; those on one store share its state file."""
    worker = ThreadPoolExecutor(1)

    def open_one(
        name: str = "main", store: Store | None = None, frame: Frame | None = None
    ) -> Account:
        store = store or open_store()
        return Account(
            Ledger(
                name=name,
                store=store,
                worker=worker,
                reasons=REASONS,
                frame=frame or a_frame(),
            ),
            store,
        )

    yield open_one
    worker.shutdown()
