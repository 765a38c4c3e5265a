"""The stores that have to pass the tests of the contract, and what these put into them."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from exporter.domain import Event, EventType
from exporter.ledger.reasons import Reasons
from exporter.ledger.store.database import Database
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork


@dataclass
class StatePlace:
    """Where a state is kept, whichever stores are opened on it and closed.

    ``make`` gives a store on it. While ``refuse_end`` is entered, the database refuses the last
    statement of a commit that notes a baseline, after all others of it.
    """

    make: Callable[[], LedgerStore]
    refuse_end: Callable[[], AbstractContextManager[None]]
    opened: list[LedgerStore] = field(default_factory=list)

    def reopen(self) -> LedgerStore:
        """Open a store, as a new process would; the one before is closed."""
        self.close()
        self.opened.append(self.make())
        return self.opened[0]

    def close(self) -> None:
        """Close the store that is open, if any."""
        while self.opened:
            self.opened.pop().close()


@contextmanager
def sqlite_place() -> Iterator[StatePlace]:
    """Keep a state in an SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "state.db")

        def make() -> LedgerStore:
            return SqliteStore(Database(f"sqlite:///{file}"))

        place = StatePlace(make, partial(_refuse_end, file))
        yield place
        place.close()


@contextmanager
def _refuse_end(file: Path) -> Iterator[None]:
    raised = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"CREATE TRIGGER refusing BEFORE UPDATE ON accounts {raised}")
        yield
        other.execute("DROP TRIGGER refusing")


STORES: dict[str, Callable[[], AbstractContextManager[StatePlace]]] = {"sqlite": sqlite_place}
"""The stores that the contract is tested with: a new one needs an entry here, and no test."""


def an_event(action_id: str, event_type: EventType = EventType.FAILED, **fields: Any) -> Event:
    """Return an event of an action."""
    usual: dict[str, Any] = {
        "account": "main",
        "sim_card_id": "s",
        "action_type": "enable",
        "status": "failed",
        "reason": "",
        "reason_class": "other",
        "created_at": None,
        "updated_at": None,
        "duration_seconds": None,
    }
    return Event(event_type=event_type, action_id=action_id, **(usual | fields))


def a_bare_unit(**fields: Any) -> UnitOfWork:
    """Return a unit of work that holds what is given."""
    return UnitOfWork("main", Reasons(()), str, 0.0, **fields)
