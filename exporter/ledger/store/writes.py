"""What a commit writes, as values: changes of rows, table by table, in the order of their writing.

Pure: each store has its own way to carry out a plan. It must not reach a database.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Executable, Table, delete, update

from exporter.domain import BulkAction, BulkCounts, Problem, types_of
from exporter.ledger.records import SumKey, TrackedAction
from exporter.ledger.state import RESOLVED_SHOWN
from exporter.ledger.store.schema import (
    accounts,
    actions,
    bulk_actions,
    bulk_members,
    drift,
    list_cursors,
    outbox,
    problems,
    reason_hash,
    resolved_problems,
    sim_cards,
    sums,
    sweeps,
)
from exporter.ledger.unit_of_work import UnitOfWork

Row = tuple[object, ...]
T = TypeVar("T")

ACTION_COLUMNS = tuple(TrackedAction.__struct_fields__)
"""The columns of an action, in the order of its fields."""

PROBLEM_COLUMNS = tuple(name for name in Problem.__struct_fields__ if name != "retrying")
"""The fields of a problem that are kept; whether it is retried follows from what is open."""

BULK_COLUMNS = tuple(name for name in BulkAction.__struct_fields__ if name != "counts")
"""The fields of a bulk action but for the counts of its members."""

COUNT_COLUMNS = tuple(BulkCounts.__struct_fields__)
"""The counts of the members of a bulk action."""

AT_ONCE = 1000
"""Actions per change: a hundred thousand would take much memory at once."""


class Insert(NamedTuple):
    """Rows that are new, each with a value for each of the columns."""

    table: Table
    columns: Sequence[str]
    rows: Sequence[Row]


class Replace(NamedTuple):
    """Rows that are written whole: they replace those with the same primary key, if any."""

    table: Table
    columns: Sequence[str]
    rows: Sequence[Row]


class Delete(NamedTuple):
    """Rows that end, by the first columns of their primary key; they need not exist."""

    table: Table
    columns: Sequence[str]
    rows: Sequence[Row]


class Run(NamedTuple):
    """A statement that has no rows, for what depends on what is stored."""

    statement: Executable


Change = Insert | Replace | Delete | Run


def plan_unit(account_id: int, unit: UnitOfWork, after: Mapping[SumKey, float]) -> Iterator[Change]:
    """Yield what writes a unit of work; ``after`` has the new values of the sums that it changes.

    No key is in a change twice. The account comes last.
    """
    yield from _plan_actions(account_id, unit)
    yield Replace(
        sums,
        (
            *("account_id", "metric", "action_type", "label", "value"),
            *("exemplar_action_id", "exemplar_sim_card_id", "exemplar_at"),
        ),
        [(account_id, *key, value, *_exemplar(unit, key)) for key, value in after.items()],
    )
    by_type = ("account_id", "action_type", "status")
    yield Replace(
        list_cursors,
        (
            *(*by_type, "sort_order", "seen_count", "baseline_cutoff"),
            *("high_watermark", "dropped", "baseline_time"),
        ),
        [
            (
                account_id,
                list_filter.action_type or "",
                list_filter.status or "",
                cursor.order,
                cursor.seen_count,
                cursor.baseline_cutoff,
                cursor.high_watermark,
                cursor.dropped,
                cursor.baseline_time,
            )
            for list_filter, cursor in unit.cursors.items()
        ],
    )
    yield Replace(
        drift,
        (*by_type, "difference"),
        [(account_id, *key, difference) for key, difference in unit.drift.items()],
    )
    ended = [(account_id, *key) for key, sweep in unit.sweeps.items() if sweep is None]
    kept = [(account_id, *key, *sweep) for key, sweep in unit.sweeps.items() if sweep is not None]
    yield Delete(sweeps, by_type, ended)
    yield Replace(sweeps, (*by_type, "next_page", "missing"), kept)
    yield Insert(
        outbox,
        ("account_id", "kind", "body"),
        [(account_id, event.event_type, _json(event)) for event in unit.events],
    )
    yield from _plan_problems(account_id, unit)
    yield Replace(
        sim_cards,
        ("account_id", "id", "looked_up_at", "body", "iccid"),
        [
            (account_id, card.id, card.looked_up_at, _json(card), card.iccid)
            for card in unit.sim_cards.values()
        ],
    )
    yield from _plan_bulks(account_id, unit)
    times = {
        "baseline_at": unit.baseline_at,
        "audit_at": unit.audit_at,
        "sim_card_total": unit.sim_card_total,
        "bulks_at": unit.bulks_at,
        "bulks_since": unit.bulks_since,
    }
    if known := {name: value for name, value in times.items() if value is not None}:
        yield Run(update(accounts).where(accounts.c.id == account_id).values(known))


def _plan_actions(account_id: int, unit: UnitOfWork) -> Iterator[Change]:
    """Yield the changes of actions: sorted like the table, as each is on another page otherwise."""
    columns = (*ACTION_COLUMNS, "account_id", "reason_hash")
    old = sorted(unit.rows.keys() - unit.added)
    for kind, of_kind in ((Replace, old), (Insert, sorted(unit.added))):
        for part in parts(of_kind, AT_ONCE):
            rows = map(unit.rows.__getitem__, part)
            values = [(*astuple(row), account_id, reason_hash(row.reason)) for row in rows]
            yield kind(actions, columns, values)


def _plan_problems(account_id: int, unit: UnitOfWork) -> Iterator[Change]:
    key = ("account_id", "sim_card_id", "concern")
    ended = [(account_id, *name) for name, problem in unit.problems.items() if problem is None]
    yield Delete(problems, key, ended)
    yield Replace(
        problems,
        ("account_id", *PROBLEM_COLUMNS),
        [
            (account_id, *name, *(getattr(problem, column) for column in PROBLEM_COLUMNS[2:]))
            for name, problem in unit.problems.items()
            if problem is not None
        ],
    )
    told = {
        (each.problem.sim_card_id, each.problem.concern, each.problem.status): each
        for each in unit.resolved
    }
    yield Replace(
        resolved_problems,
        (*key, "status", "resolved_at", "body"),
        [(account_id, *name, each.resolved_at, _json(each.problem)) for name, each in told.items()],
    )
    if told:
        yield Run(
            delete(resolved_problems).where(
                resolved_problems.c.account_id == account_id,
                resolved_problems.c.resolved_at < unit.now - RESOLVED_SHOWN,
            )
        )
    for card, concern in unit.forgotten:
        yield Run(
            update(actions)
            .where(
                actions.c.account_id == account_id,
                actions.c.sim_card_id == card,
                actions.c.action_type.in_(types_of(concern)),
            )
            .values(failure_at=None, failure_status="")
        )


def _plan_bulks(account_id: int, unit: UnitOfWork) -> Iterator[Change]:
    known = [each for each in unit.bulks.values() if each is not None]
    yield Replace(
        bulk_actions,
        ("account_id", *BULK_COLUMNS, *COUNT_COLUMNS),
        [
            (
                account_id,
                *(getattr(each, name) for name in BULK_COLUMNS),
                *astuple(each.counts),
            )
            for each in known
        ],
    )
    yield Replace(
        bulk_members,
        ("account_id", "bulk_id", "action_id"),
        [
            (account_id, bulk_id, action_id)
            for bulk_id, ids in unit.bulk_members.items()
            for action_id in dict.fromkeys(ids)
        ],
    )
    yield from plan_forget_bulks(
        account_id, [bulk_id for bulk_id, each in unit.bulks.items() if each is None]
    )


def plan_forget_bulks(account_id: int, ids: Sequence[str]) -> Iterator[Change]:
    """Yield what forgets bulk actions, and which actions were their members."""
    if not ids:
        return
    yield Delete(bulk_actions, ("account_id", "id"), [(account_id, each) for each in ids])
    # By the front of their key.
    yield Delete(bulk_members, ("account_id", "bulk_id"), [(account_id, each) for each in ids])


def parts(values: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Yield values in parts of a size, the last of which may be smaller."""
    left = iter(values)
    while part := tuple(islice(left, size)):
        yield part


def _exemplar(unit: UnitOfWork, key: SumKey) -> Row:
    exemplar = unit.exemplars.get(key)
    if exemplar is None:
        return None, None, None
    return exemplar.action_id, exemplar.sim_card_id, exemplar.timestamp


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
