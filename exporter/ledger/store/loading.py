"""Reads the whole state of an account, in SQL that both SQLite and PostgreSQL support.

Within a transaction of the caller's. It must not write, but for the row of a new account.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, func, insert, select
from sqlalchemy import Row as Record

from exporter.domain import (
    FAILURE_EVENTS,
    BulkAction,
    BulkCounts,
    Event,
    Problem,
    ProblemStatus,
    ResolvedProblem,
    SimCard,
    Status,
)
from exporter.errors import StateError
from exporter.ledger.records import (
    Exemplar,
    ListCursor,
    ListFilter,
    SortOrder,
    SumKey,
    SumName,
    Sweep,
    TrackedAction,
)
from exporter.ledger.state import RECENT_FAILURES, LedgerState
from exporter.ledger.store.file_lock import RESTORE
from exporter.ledger.store.schema import (
    accounts,
    actions,
    bulk_actions,
    drift,
    list_cursors,
    outbox,
    problems,
    resolved_problems,
    sim_cards,
    sums,
    sweeps,
)
from exporter.ledger.store.writes import (
    ACTION_COLUMNS,
    BULK_COLUMNS,
    COUNT_COLUMNS,
    PROBLEM_COLUMNS,
    parts,
)

IDS_AT_ONCE = 500
"""Ids per SELECT: old versions of SQLite accept at most 999 parameters."""

ROW_COLUMNS = [actions.c[name] for name in ACTION_COLUMNS]


@contextmanager
def decoding() -> Iterator[None]:
    """Turn values that cannot be decoded into a StateError."""
    try:
        yield
    except (ValueError, msgspec.MsgspecError) as exc:
        raise StateError(
            f"the state database contains values that this release cannot read ({exc}); {RESTORE}"
        ) from exc


def account_number(connection: Connection, name: str) -> int:
    """Return the number of the account ``name``; a new one is given one."""
    query = select(accounts.c.id).where(accounts.c.name == name)
    found: int | None = connection.execute(query).scalar_one_or_none()
    if found is not None:
        return found
    connection.execute(insert(accounts).values(name=name))
    new: int = connection.execute(query).scalar_one()
    return new


def load_sim_cards(
    connection: Connection, account_id: int, ids: Iterable[str]
) -> dict[str, SimCard]:
    """Return the stored SIM cards among ``ids``, by id."""
    bodies = (
        body
        for part in parts(ids, IDS_AT_ONCE)
        for body in connection.execute(
            select(sim_cards.c.body).where(
                sim_cards.c.account_id == account_id, sim_cards.c.id.in_(part)
            )
        ).scalars()
    )
    cards = (msgspec.json.decode(body, type=SimCard) for body in bodies)
    return {card.id: card for card in cards}


def load_actions(
    connection: Connection, account_id: int, ids: Iterable[str]
) -> dict[str, TrackedAction]:
    """Return the remembered actions among ``ids``, by id."""
    rows: dict[str, TrackedAction] = {}
    for part in parts(ids, IDS_AT_ONCE):
        query = select(*ROW_COLUMNS).where(
            actions.c.account_id == account_id, actions.c.id.in_(part)
        )
        rows |= _rows(connection.execute(query))
    return rows


def load_state(connection: Connection, name: str) -> LedgerState | None:
    """Return the state of the account ``name``; None if the ledger has none of that name."""
    record = connection.execute(select(accounts).where(accounts.c.name == name)).first()
    if record is None:
        return None
    mine = record.id
    total = select(func.count()).select_from(actions).where(actions.c.account_id == mine)
    open_rows = select(*ROW_COLUMNS).where(
        actions.c.account_id == mine, actions.c.ended_at.is_(None)
    )
    latest = (
        select(outbox.c.body)
        .where(outbox.c.account_id == mine, outbox.c["kind"].in_(FAILURE_EVENTS))
        .order_by(outbox.c.seq.desc())
        .limit(RECENT_FAILURES)
    )
    kept_sums = _of_account(connection, sums, mine)
    known_cards = select(func.count()).select_from(sim_cards).where(sim_cards.c.account_id == mine)
    state = LedgerState(
        name=name,
        account_id=mine,
        baseline_at=record.baseline_at,
        audit_at=record.audit_at,
        tracked=connection.execute(total).scalar_one(),
        cursors={
            ListFilter(
                each.action_type or None, Status(each.status) if each.status else None
            ): ListCursor(
                SortOrder(each.sort_order),
                each.seen_count,
                each.baseline_cutoff,
                each.high_watermark,
                each.dropped,
                each.baseline_time,
            )
            for each in _of_account(connection, list_cursors, mine)
        },
        open=_rows(connection.execute(open_rows)),
        sums={_sum_key(each): each.value for each in kept_sums},
        drift={
            (each.action_type, Status(each.status)): each.difference
            for each in _of_account(connection, drift, mine)
        },
        sweeps={
            (each.action_type, Status(each.status)): Sweep(each.next_page, each.missing)
            for each in _of_account(connection, sweeps, mine)
        },
        exemplars={
            _sum_key(each): Exemplar(
                each.exemplar_action_id, each.exemplar_sim_card_id, each.exemplar_at
            )
            for each in kept_sums
            if each.exemplar_action_id is not None
        },
        failures=tuple(
            msgspec.json.decode(body, type=Event) for body in connection.execute(latest).scalars()
        ),
        problems={
            (each.sim_card_id, each.concern): _problem(each)
            for each in _of_account(connection, problems, mine)
        },
        resolved=tuple(
            ResolvedProblem(msgspec.json.decode(each.body, type=Problem), each.resolved_at)
            for each in _of_account(connection, resolved_problems, mine)
        ),
        sim_cards_known=connection.execute(known_cards).scalar_one(),
        sim_card_total=record.sim_card_total,
        bulks={each.id: _bulk(each) for each in _of_account(connection, bulk_actions, mine)},
        bulks_at=record.bulks_at,
        bulks_since=record.bulks_since,
    )
    state.sim_cards = load_sim_cards(connection, mine, state.needed_sim_cards())
    return state


def _problem(record: Record[Any]) -> Problem:
    fields = {name: getattr(record, name) for name in PROBLEM_COLUMNS}
    return Problem(**fields | {"status": ProblemStatus(record.status), "retrying": False})


def _bulk(record: Record[Any]) -> BulkAction:
    fields = {name: getattr(record, name) for name in BULK_COLUMNS}
    counts = BulkCounts(*(getattr(record, name) for name in COUNT_COLUMNS))
    return BulkAction(**fields, counts=counts)


def _of_account(
    connection: Connection, table: Table, account_id: int
) -> Sequence[Record[tuple[Any, ...]]]:
    return connection.execute(select(table).where(table.c.account_id == account_id)).all()


def _rows(records: Iterable[Any]) -> dict[str, TrackedAction]:
    """Return the records as actions; equal texts share one object to save memory."""
    alike: dict[str, str] = {}
    rows: dict[str, TrackedAction] = {}
    for record in records:
        row = TrackedAction(*record)
        row.action_type = alike.setdefault(row.action_type, row.action_type)
        row.status = alike.setdefault(row.status, row.status)
        rows[row.id] = row
    return rows


def _sum_key(record: Record[tuple[object, ...]]) -> SumKey:
    return SumKey(SumName(record.metric), record.action_type, record.label)
