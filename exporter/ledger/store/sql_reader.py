"""A `LedgerReader` by the queries that both SQLite and PostgreSQL support.

It must not know how a database is opened.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import AbstractContextManager

from sqlalchemy import Connection

from exporter.ledger.queries import (
    AccountAction,
    AccountProblem,
    ActionPosition,
    ActionQuery,
    FailureQuery,
    LedgerView,
    ProblemQuery,
    ReasonCount,
    Rows,
    SimCardHistory,
)
from exporter.ledger.records import TrackedAction
from exporter.ledger.state import LedgerState
from exporter.ledger.store import reading
from exporter.ledger.store.loading import load_actions, load_state


class SqlReader(ABC):
    """An `ActionReader` of an SQL database, and so a `LedgerReader`."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """Run a transaction that reads one committed state; raises StateError."""

    def problems(self, view: LedgerView, query: ProblemQuery) -> Rows[AccountProblem]:
        """Return the open problems that pass the filters."""
        with self.reading() as connection:
            return reading.find_problems(connection, view, query)

    def actions(self, view: LedgerView, query: ActionQuery) -> Rows[AccountAction]:
        """Return the remembered actions that pass the filters."""
        with self.reading() as connection:
            return reading.find_actions(connection, view, query)

    def complete_since(
        self, view: LedgerView, account: str | None = None, bulk_id: str | None = None
    ) -> float | None:
        """Return from when on every action is remembered."""
        with self.reading() as connection:
            return reading.complete_since(connection, view, account, bulk_id)

    def failures(self, view: LedgerView, query: FailureQuery) -> Rows[AccountAction]:
        """Return the actions that failed or were interrupted, latest first."""
        with self.reading() as connection:
            return reading.find_failures(connection, view, query)

    def failure_reasons(self, view: LedgerView, since: float) -> tuple[ReasonCount, ...]:
        """Return why actions failed or were interrupted since a time."""
        with self.reading() as connection:
            return reading.count_reasons(connection, view, since)

    def sim_card(
        self,
        view: LedgerView,
        sim_card_id: str,
        after: ActionPosition | None = None,
        limit: int | None = None,
    ) -> SimCardHistory:
        """Return what is known of a SIM card."""
        with self.reading() as connection:
            return reading.find_sim_card(connection, view, sim_card_id, after, limit)

    def state(self, name: str) -> LedgerState | None:
        """Return the state of the account ``name``; None if there is none of that name."""
        with self.reading() as connection:
            return load_state(connection, name)

    def find(self, account_id: int, ids: Collection[str]) -> dict[str, TrackedAction]:
        """Return the actions among ``ids`` that are remembered."""
        with self.reading() as connection:
            return load_actions(connection, account_id, ids)
