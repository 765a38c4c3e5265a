"""The statements that write a unit of work to the tables, within a transaction of the store.

Rows are written whole and replace those with the same key. It must not commit.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter

import msgspec
from sqlalchemy import Connection, Executable, Table, bindparam, delete, insert, update

from exporter.domain import Problem, types_of
from exporter.ledger.records import SumKey, TrackedAction
from exporter.ledger.state import RESOLVED_SHOWN
from exporter.ledger.store.schema import (
    accounts,
    actions,
    drift,
    list_cursors,
    outbox,
    problems,
    resolved_problems,
    sim_cards,
    sums,
    sweeps,
)
from exporter.ledger.unit_of_work import UnitOfWork

Values = dict[str, object]

PROBLEM_COLUMNS = tuple(name for name in Problem.__struct_fields__ if name != "retrying")
"""The fields of a problem that are kept; whether it is retried follows from what is open."""

AT_ONCE = 1000
"""Rows per statement: as dictionaries they take ten times the memory."""


def write_unit(
    connection: Connection, account_id: int, unit: UnitOfWork, after: Mapping[SumKey, float]
) -> None:
    """Write a unit of work; ``after`` has the new values of the sums that it changes."""
    mine: Values = {"account_id": account_id}
    replaced = {id_ for id_ in unit.rows if id_ not in unit.added}
    delete_rows(connection, account_id, replaced)
    _insert_rows(connection, account_id, unit.rows.values())
    _replace(connection, sums, [mine | _sum_values(unit, key, after[key]) for key in after])
    _replace(
        connection,
        list_cursors,
        [
            mine
            | {
                "action_type": list_filter.action_type or "",
                "status": list_filter.status or "",
                "sort_order": cursor.order,
                "seen_count": cursor.seen_count,
                "baseline_cutoff": cursor.baseline_cutoff,
                "high_watermark": cursor.high_watermark,
                "dropped": cursor.dropped,
                "baseline_time": cursor.baseline_time,
            }
            for list_filter, cursor in unit.cursors.items()
        ],
    )
    _replace(
        connection,
        drift,
        [
            mine | {"action_type": label, "status": status, "difference": difference}
            for (label, status), difference in unit.drift.items()
        ],
    )
    changed = [
        (mine | {"action_type": label, "status": status}, sweep)
        for (label, status), sweep in unit.sweeps.items()
    ]
    _delete(connection, sweeps, [key for key, _ in changed])
    _insert(
        connection,
        sweeps,
        [key | sweep._asdict() for key, sweep in changed if sweep is not None],
    )
    _insert(
        connection,
        outbox,
        [
            mine | {"kind": event.event_type, "body": msgspec.json.encode(event).decode()}
            for event in unit.events
        ],
    )
    _write_problems(connection, account_id, unit)
    _replace(
        connection,
        sim_cards,
        [
            mine
            | {
                "id": card.id,
                "looked_up_at": card.looked_up_at,
                "body": msgspec.json.encode(card).decode(),
            }
            for card in unit.sim_cards.values()
        ],
    )
    times = {
        "baseline_at": unit.baseline_at,
        "audit_at": unit.audit_at,
        "sim_card_total": unit.sim_card_total,
    }
    if known := {name: value for name, value in times.items() if value is not None}:
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(known))


def _write_problems(connection: Connection, account_id: int, unit: UnitOfWork) -> None:
    mine: Values = {"account_id": account_id}
    changed = [
        (mine | {"sim_card_id": card, "concern": concern}, problem)
        for (card, concern), problem in unit.problems.items()
    ]
    _delete(connection, problems, [key for key, _ in changed])
    _insert(
        connection,
        problems,
        [
            key | {name: getattr(problem, name) for name in PROBLEM_COLUMNS}
            for key, problem in changed
            if problem is not None
        ],
    )
    told = {
        (each.problem.sim_card_id, each.problem.concern, each.problem.status): each
        for each in unit.resolved
    }
    _replace(
        connection,
        resolved_problems,
        [
            mine
            | {
                "sim_card_id": card,
                "concern": concern,
                "status": status,
                "resolved_at": each.resolved_at,
                "body": msgspec.json.encode(each.problem).decode(),
            }
            for (card, concern, status), each in told.items()
        ],
    )
    if told:
        connection.execute(
            delete(resolved_problems).where(
                resolved_problems.c.account_id == account_id,
                resolved_problems.c.resolved_at < unit.now - RESOLVED_SHOWN,
            )
        )
    for card, concern in unit.forgotten:
        connection.execute(
            update(actions)
            .where(
                actions.c.account_id == account_id,
                actions.c.sim_card_id == card,
                actions.c.action_type.in_(types_of(concern)),
            )
            .values(failure_at=None, failure_status="")
        )


def delete_rows(connection: Connection, account_id: int, ids: Collection[str]) -> None:
    """Delete actions by their ids."""
    if ids:
        statement = delete(actions).where(
            actions.c.account_id == account_id, actions.c.id == bindparam("gone")
        )
        _in_parts(connection, statement, ({"gone": id_} for id_ in ids))


def _sum_values(unit: UnitOfWork, key: SumKey, value: float) -> Values:
    exemplar = unit.exemplars.get(key)
    return {
        **key._asdict(),
        "value": value,
        "exemplar_action_id": exemplar.action_id if exemplar else None,
        "exemplar_sim_card_id": exemplar.sim_card_id if exemplar else None,
        "exemplar_at": exemplar.timestamp if exemplar else None,
    }


def _insert_rows(connection: Connection, account_id: int, rows: Iterable[TrackedAction]) -> None:
    """Insert actions with positional parameters, because named ones take as long as the writing.

    The columns of the table are the fields of a row, with the account after the first one. Rows are
    sorted like the table: in random order, each would touch a different page.
    """
    statement = str(insert(actions).compile(dialect=connection.dialect))
    left = iter(sorted(rows, key=attrgetter("id")))
    while part := [msgspec.structs.astuple(row) for row in islice(left, AT_ONCE)]:
        connection.exec_driver_sql(statement, [(row[0], account_id, *row[1:]) for row in part])


def _insert(connection: Connection, table: Table, rows: Iterable[Values]) -> None:
    _in_parts(connection, insert(table), rows)


def _in_parts(connection: Connection, statement: Executable, parameters: Iterable[Values]) -> None:
    """Execute a statement for each of the parameters, in batches to limit memory."""
    left = iter(parameters)
    while part := list(islice(left, AT_ONCE)):
        connection.execute(statement, part)


def _replace(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, replacing those with the same primary key."""
    _delete(connection, table, rows)
    _insert(connection, table, rows)


def _delete(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Delete rows by their primary keys; other columns may be missing."""
    if not rows:
        return
    keys = {f"key_{column.name}": column for column in table.primary_key}
    connection.execute(
        delete(table).where(*(column == bindparam(name) for name, column in keys.items())),
        [{name: row[column.name] for name, column in keys.items()} for row in rows],
    )
