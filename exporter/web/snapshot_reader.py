"""A `LedgerReader` of what is published, for a state that is kept in memory.

Problems are complete; of actions it has those in flight and the latest failures, as the page does.
"""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from exporter.domain import Problem, Status
from exporter.errors import StateError
from exporter.ledger.queries import (
    SORT_ORDERS,
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
    part,
)
from exporter.ledger.snapshot import AccountSnapshot, EndedAction, InFlightAction
from exporter.metrics.exporter_snapshot import ExporterSnapshot

IN_MEMORY = (
    "The state is kept in memory (state.url): of actions, only those in flight and the latest "
    "failures are known."
)


class SnapshotReader:
    """Reads one snapshot; what it does not have raises StateError."""

    def __init__(self, snapshot: ExporterSnapshot) -> None:
        """Read this snapshot; accounts that are not in it have nothing."""
        self._views = [view for view, _ in snapshot.accounts]

    def problems(self, view: LedgerView, query: ProblemQuery) -> Rows[AccountProblem]:
        """Return the open problems that pass the filters."""
        newest_first = query.sort != SORT_ORDERS[0]
        found = sorted(
            (
                AccountProblem(each.name, problem, each.sim_cards.get(problem.sim_card_id))
                for each in self._shown(view)
                for problem in (_classified(view, one) for one in each.problems)
                if query.takes(each.name, problem, each.sim_cards.get(problem.sim_card_id))
            ),
            key=lambda row: row.position,
            reverse=newest_first,
        )
        if query.after is not None:
            after = query.after
            found = [
                row
                for row in found
                if (row.position < after if newest_first else row.position > after)
            ]
        return part(found, query.limit, lambda row: row.position)

    def actions(self, view: LedgerView, query: ActionQuery) -> Rows[AccountAction]:
        """Return those of the actions in flight and the latest failures that pass the filters."""
        found = [row for row in self._actions(view, in_flight=True) if query.takes(row)]
        found.sort(key=query.place, reverse=query.newest_first)
        if query.after is not None:
            after = query.after[1:]
            found = [
                row
                for row in found
                if (query.place(row) < after if query.newest_first else query.place(row) > after)
            ]
        total = len(found) if query.counted else None
        return replace(part(found[query.skip :], query.limit, query.position), total=total)

    def complete_since(
        self, _view: LedgerView, _account: str | None = None, _bulk_id: str | None = None
    ) -> float | None:
        """Return None: most actions that ended are not kept."""
        return None

    def failures(self, view: LedgerView, query: FailureQuery) -> Rows[AccountAction]:
        """Return the latest failures that pass the filters."""
        wanted = ("account", "action_type", "status", "reason_class", "reason", "sim_card_id")
        found = [
            row
            for row in self._actions(view, in_flight=False)
            if all(getattr(query, name) in {None, getattr(row, name)} for name in wanted)
        ]
        found.sort(key=_failure_position, reverse=True)
        if query.after is not None:
            found = [row for row in found if _failure_position(row) < query.after]
        return part(found, query.limit, _failure_position)

    def failure_reasons(self, _view: LedgerView, _since: float) -> tuple[ReasonCount, ...]:
        """Raise StateError: the latest failures are fewer than those of a day."""
        raise StateError("the state is kept in memory, where not all failures of a day are kept")

    def sim_card(
        self,
        view: LedgerView,
        sim_card_id: str,
        after: ActionPosition | None = None,
        limit: int | None = None,
    ) -> SimCardHistory:
        """Return what is known of a SIM card."""
        return SimCardHistory(
            cards={
                each.name: each.sim_cards[sim_card_id]
                for each in self._shown(view)
                if sim_card_id in each.sim_cards
            },
            problems=self.problems(view, ProblemQuery(sim_card_id=sim_card_id)).rows,
            actions=self.actions(
                view, ActionQuery(sim_card_id=sim_card_id, after=after, limit=limit)
            ),
        )

    def _shown(self, view: LedgerView) -> Iterator[AccountSnapshot]:
        names = set(view.names)
        return (each for each in self._views if each.name in names)

    def _actions(self, view: LedgerView, *, in_flight: bool) -> Iterator[AccountAction]:
        for each in self._shown(view):
            yield from (_failed(each, row, view.classify(row.reason)) for row in each.failures)
            if in_flight:
                yield from (_open(each, row, view.classify(None)) for row in each.in_flight)


def _failure_position(row: AccountAction) -> tuple[float, str, str]:
    return row.seen_end or 0.0, row.action_id, row.account


def _classified(view: LedgerView, problem: Problem) -> Problem:
    """Return a problem with the class that its reason has by the rules of today."""
    reason_class = problem.reason_class and view.classify(problem.reason)
    return msgspec.structs.replace(problem, reason_class=reason_class)


def _failed(view: AccountSnapshot, row: EndedAction, reason_class: str) -> AccountAction:
    ended = row.updated_at if row.updated_at is not None else row.created_at or 0.0
    return AccountAction(
        account=view.name,
        action_id=row.action_id,
        sim_card_id=row.sim_card_id,
        action_type=row.action_type,
        status=row.status,
        reason=row.reason,
        reason_class=reason_class,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.created_at if row.created_at is not None else ended,
        seen_end=ended,
        stuck=False,
        sim_card=view.sim_cards.get(row.sim_card_id),
    )


def _open(view: AccountSnapshot, row: InFlightAction, reason_class: str) -> AccountAction:
    return AccountAction(
        account=view.name,
        action_id=row.action_id,
        sim_card_id=row.sim_card_id,
        action_type=row.action_type,
        status=Status.IN_PROGRESS,
        reason="",
        reason_class=reason_class,
        created_at=row.created_at,
        updated_at=None,
        started_at=row.created_at,
        seen_end=None,
        stuck=row.stuck,
    )
