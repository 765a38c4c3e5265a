"""Ledgers of what tests of pages show: written to a state in memory, and read as the app does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from sqlalchemy import Connection, delete

from exporter.domain import Status
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import TrackedAction
from exporter.ledger.snapshot import AccountSnapshot
from exporter.ledger.store.database import Database
from exporter.ledger.store.memory_reader import MemoryReader
from exporter.ledger.store.schema import metadata, schema_version
from exporter.ledger.store.sqlite import SqliteStore
from exporter.ledger.unit_of_work import UnitOfWork
from exporter.metrics.exporter_snapshot import ExporterSnapshot


class ShownLedger(MemoryReader):
    """The reader of a ledger of what ``shown`` returns, which is written before it is read.

    What a ``database`` had before is deleted, as to make its tables takes longer than most tests.
    """

    def __init__(self, database: Database, shown: Callable[[], ExporterSnapshot]) -> None:
        """Write nothing yet."""
        super().__init__(database)
        self._owned = database
        self._shown = shown
        self._written: ExporterSnapshot | None = None
        self._writing = Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read what is shown now."""
        with self._writing:
            shown = self._shown()
            if shown is not self._written:
                self._write(shown)
                self._written = shown
        with super().reading() as connection:
            yield connection

    def _write(self, shown: ExporterSnapshot) -> None:
        with self._owned.transaction() as connection:
            for table in metadata.sorted_tables:
                if table is not schema_version:
                    connection.execute(delete(table))
        store = SqliteStore(self._owned)
        for name, view in {view.name: view for view, _ in shown.accounts}.items():
            store.commit(store.load(name).account_id, _unit(view, shown.now), {})


def _unit(view: AccountSnapshot, now: float) -> UnitOfWork:
    """Return what writes an account, as far as its view says; its bulk actions have all actions."""
    rows = {row.id: row for row in _rows(view, now)}
    return UnitOfWork(
        view.name,
        Reasons(()),
        str,
        now,
        rows=rows,
        added=set(rows),
        problems={(each.sim_card_id, each.concern): each for each in view.problems},
        sim_cards=dict(view.sim_cards),
        bulks={each.id: each for each in view.bulks},
        bulk_members={each.id: tuple(rows) for each in view.bulks},
        baseline_at=view.baseline_at,
    )


def _rows(view: AccountSnapshot, now: float) -> Iterator[TrackedAction]:
    for flight in view.in_flight:
        yield _row(
            flight.action_id,
            flight.sim_card_id,
            flight.action_type,
            created_at=flight.created_at,
            seen_at=flight.created_at,
            stuck=flight.stuck,
        )
    for failure in view.failures:
        created_at, updated_at = failure.created_at, failure.updated_at
        ended_at = updated_at or created_at or 0.0
        yield _row(
            failure.action_id,
            failure.sim_card_id,
            failure.action_type,
            status=failure.status,
            reason=failure.reason,
            created_at=created_at,
            updated_at=updated_at,
            seen_at=created_at or ended_at,
            ended_at=ended_at,
            failure_at=ended_at,
            failure_status=failure.status,
        )
    for each in view.problems:
        if each.retrying:
            name = f"retry-of-{each.action_id}"
            yield _row(name, each.sim_card_id, each.action_type, created_at=now, seen_at=now)


def _row(action_id: str, sim_card_id: str, action_type: str, **fields: object) -> TrackedAction:
    usual: dict[str, object] = {
        "status": Status.IN_PROGRESS,
        "reason": None,
        "updated_at": None,
        "ended_at": None,
        "position": None,
        "stuck": False,
    }
    return TrackedAction(action_id, sim_card_id, action_type, **(usual | fields))  # type: ignore[arg-type]
