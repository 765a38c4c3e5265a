"""Reads and writes the ledger: each method is one transaction.

It must not interpret what it stores. Not for the event loop: calls block on the disk.
Every method raises StateError.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from math import inf, nextafter
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy import Row as Record

from exporter.domain import (
    FAILURE_EVENTS,
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
from exporter.ledger.store.database import Database
from exporter.ledger.store.file_lock import RESTORE
from exporter.ledger.store.schema import (
    accounts,
    actions,
    drift,
    list_cursors,
    outbox,
    problems,
    resolved_problems,
    sim_cards,
    sink_positions,
    sums,
    sweeps,
)
from exporter.ledger.store.writes import PROBLEM_COLUMNS, delete_rows, write_unit
from exporter.ledger.unit_of_work import UnitOfWork, resulting_sums

IDS_AT_ONCE = 500
"""Ids per SELECT: old versions of SQLite accept at most 999 parameters."""

ROW_COLUMNS = [actions.c[name] for name in TrackedAction.__struct_fields__]

FIND = str(select(*ROW_COLUMNS).where(actions.c.account_id == literal_column("?"))) + (
    f" AND {actions.c.id} IN"
)
"""Finds actions by id, in the parameter style of SQLite's driver; the ids are appended."""


class SqliteStore:
    """A `LedgerStore` in an SQLite database."""

    def __init__(self, database: Database) -> None:
        """Store the database; the first call opens it."""
        self._database = database

    @property
    def session(self) -> int:
        """The session of the database; data read in an earlier one may be stale."""
        return self._database.session

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes on disk by part, `database` and `log`; empty in memory, or before it is opened."""
        sizes = self._database.sizes
        return {} if sizes is None else sizes._asdict()

    def close(self) -> None:
        """Close the database; the next call reopens it."""
        self._database.close()

    def load(self, name: str) -> LedgerState:
        """Return the stored state of the account ``name``; a new account is empty."""
        with self._database.transaction() as connection, _decoding():
            return _load(connection, name)

    def find(self, account_id: int, ids: Collection[str]) -> dict[str, TrackedAction]:
        """Return the stored actions among ``ids``, by id."""
        found: dict[str, TrackedAction] = {}
        with self._database.transaction() as connection:
            for part in _parts(ids):
                # Bypasses SQLAlchemy's expansion of lists, which takes longer than the query.
                query = FIND + f" ({', '.join('?' * len(part))})"
                for record in connection.exec_driver_sql(query, (account_id, *part)).all():
                    row = found[record[0]] = TrackedAction(*record)
                    row.stuck = bool(row.stuck)  # SQLite has no boolean type
        return found

    def find_by_sim_cards(
        self, account_id: int, sim_card_ids: Collection[str]
    ) -> dict[str, list[TrackedAction]]:
        """Return the stored actions of SIM cards, by the id of the card."""
        found: dict[str, list[TrackedAction]] = {}
        with self._database.transaction() as connection:
            for part in _parts(sim_card_ids):
                query = select(*ROW_COLUMNS).where(
                    actions.c.account_id == account_id, actions.c.sim_card_id.in_(part)
                )
                for record in connection.execute(query):
                    row = TrackedAction(*record)
                    found.setdefault(row.sim_card_id, []).append(row)
        return found

    def sim_cards(self, account_id: int, ids: Collection[str]) -> dict[str, SimCard]:
        """Return the stored SIM cards among ``ids``, by id."""
        with self._database.transaction() as connection, _decoding():
            return _sim_cards(connection, account_id, ids)

    def interrupted(
        self, account_id: int, action_type: str | None, limit: int
    ) -> list[TrackedAction]:
        """Return at most ``limit`` interrupted actions (of one type), the latest first."""
        query = select(*ROW_COLUMNS).where(
            actions.c.account_id == account_id, actions.c.status == Status.INTERRUPTED.value
        )
        if action_type is not None:
            query = query.where(actions.c.action_type == action_type)
        query = query.order_by(actions.c.ended_at.desc()).limit(limit)
        with self._database.transaction() as connection:
            return [TrackedAction(*record) for record in connection.execute(query)]

    def commit(
        self, account_id: int, unit: UnitOfWork, before: Mapping[SumKey, float]
    ) -> dict[SumKey, float]:
        """Write a unit of work in one transaction; returns the new values of the changed sums.

        ``before`` has the stored sums.
        """
        after = resulting_sums(unit, before)
        with self._database.transaction() as connection:
            write_unit(connection, account_id, unit, after)
        return after

    def attach_sinks(self, account_id: int, sinks: Collection[str]) -> None:
        """Keep only the positions of ``sinks``; a new sink starts at the current end."""
        mine = sink_positions.c.account_id == account_id
        end = select(func.coalesce(func.max(outbox.c.seq), 0)).where(
            outbox.c.account_id == account_id
        )
        with self._database.transaction() as connection:
            known = set(connection.execute(select(sink_positions.c.sink).where(mine)).scalars())
            if known - set(sinks):
                connection.execute(
                    delete(sink_positions).where(mine, sink_positions.c.sink.not_in(sinks))
                )
                _forget_delivered(connection, account_id)
            if new := set(sinks) - known:
                seq = connection.execute(end).scalar_one()
                connection.execute(
                    insert(sink_positions),
                    [{"account_id": account_id, "sink": sink, "seq": seq} for sink in new],
                )

    def undelivered(self, account_id: int, sink: str, limit: int) -> tuple[tuple[int, Event], ...]:
        """Return the oldest events not yet delivered to ``sink``, each with its sequence number.

        There are none for a sink that is not attached.
        """
        position = select(sink_positions.c.seq).where(*_position(account_id, sink))
        query = (
            select(outbox.c.seq, outbox.c.body)
            .where(outbox.c.account_id == account_id, outbox.c.seq > position.scalar_subquery())
            .order_by(outbox.c.seq)
            .limit(limit)
        )
        with self._database.transaction() as connection, _decoding():
            return tuple(
                (seq, msgspec.json.decode(body, type=Event))
                for seq, body in connection.execute(query)
            )

    def delivered(self, account_id: int, sink: str, seq: int) -> None:
        """Record that all events up to ``seq`` were delivered to ``sink``.

        Events delivered to every sink are deleted, except for the latest failures, which are shown
        on the status page.
        """
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(sink_positions)
                .where(*_position(account_id, sink), sink_positions.c.seq < seq)
                .values(seq=seq)
            )
            if moved.rowcount:
                _forget_delivered(connection, account_id)

    def prune_sim_cards(self, account_id: int, before: float) -> int:
        """Delete the SIM cards without a problem that were looked up before ``before``."""
        with_problems = select(problems.c.sim_card_id).where(problems.c.account_id == account_id)
        with self._database.transaction() as connection:
            return connection.execute(
                delete(sim_cards).where(
                    sim_cards.c.account_id == account_id,
                    sim_cards.c.looked_up_at < before,
                    sim_cards.c.id.not_in(with_problems),
                )
            ).rowcount

    def prune(self, account_id: int, before: float, limit: int) -> tuple[int, float | None]:
        """Delete at most ``limit`` actions that were seen to end before ``before``.

        Returns how many, and the latest creation time among them: actions created up to then count
        as history from now on, because they may still be listed. Actions with no timestamp, or with
        one in the future, are kept: nothing else distinguishes them from new ones.
        """
        created = func.coalesce(actions.c.created_at, actions.c.updated_at)
        older = actions.alias()
        oldest = (
            select(actions.c.id, created.label("created"))
            .where(
                actions.c.account_id == account_id,
                actions.c.ended_at < before,
                created <= before,
                # What problems are told by: see the protocol.
                actions.c.id.not_in(
                    select(problems.c.action_id).where(problems.c.account_id == account_id)
                ),
                ~exists().where(
                    older.c.account_id == account_id,
                    older.c.sim_card_id == actions.c.sim_card_id,
                    older.c.sim_card_id != "",
                    older.c.ended_at.is_(None),
                    func.coalesce(older.c.created_at, older.c.seen_at) < created,
                ),
            )
            .order_by(actions.c.ended_at)
            .limit(limit)
        )
        with self._database.transaction() as connection:
            found = connection.execute(oldest).all()
            if not found:
                return 0, None
            delete_rows(connection, account_id, [record.id for record in found])
            # Strictly above, so that no deleted action counts as new.
            baseline_cutoff = nextafter(max(record.created for record in found), inf)
            for bound in (list_cursors.c.baseline_cutoff, list_cursors.c.baseline_time):
                connection.execute(
                    update(list_cursors)
                    .where(
                        list_cursors.c.account_id == account_id,
                        or_(bound.is_(None), bound < baseline_cutoff),
                    )
                    .values({bound: baseline_cutoff})
                )
        return len(found), baseline_cutoff


def _parts(ids: Iterable[str]) -> Iterator[tuple[str, ...]]:
    left = iter(ids)
    while part := tuple(islice(left, IDS_AT_ONCE)):
        yield part


def _sim_cards(connection: Connection, account_id: int, ids: Iterable[str]) -> dict[str, SimCard]:
    bodies = (
        body
        for part in _parts(ids)
        for body in connection.execute(
            select(sim_cards.c.body).where(
                sim_cards.c.account_id == account_id, sim_cards.c.id.in_(part)
            )
        ).scalars()
    )
    cards = (msgspec.json.decode(body, type=SimCard) for body in bodies)
    return {card.id: card for card in cards}


def _position(account_id: int, sink: str) -> tuple[ColumnElement[bool], ...]:
    return sink_positions.c.account_id == account_id, sink_positions.c.sink == sink


def _forget_delivered(connection: Connection, account_id: int) -> None:
    """Delete the events delivered to every sink, except for the latest failures."""
    slowest = select(func.min(sink_positions.c.seq)).where(
        sink_positions.c.account_id == account_id
    )
    mine = [outbox.c.account_id == account_id]
    if (floor := connection.execute(slowest).scalar_one()) is not None:
        mine.append(outbox.c.seq <= floor)
    connection.execute(delete(outbox).where(*mine, outbox.c["kind"].not_in(FAILURE_EVENTS)))
    newest = select(outbox.c.seq).where(*mine).order_by(outbox.c.seq.desc()).limit(RECENT_FAILURES)
    connection.execute(delete(outbox).where(*mine, outbox.c.seq.not_in(newest)))


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn values that cannot be decoded into a StateError."""
    try:
        yield
    except (ValueError, msgspec.MsgspecError) as exc:
        raise StateError(
            f"the state database contains values that this release cannot read ({exc}); {RESTORE}"
        ) from exc


def _load(connection: Connection, name: str) -> LedgerState:
    record = connection.execute(select(accounts).where(accounts.c.name == name)).first()
    if record is None:
        connection.execute(insert(accounts).values(name=name))
        record = connection.execute(select(accounts).where(accounts.c.name == name)).one()
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
    )
    state.sim_cards = _sim_cards(connection, mine, state.needed_sim_cards())
    return state


def _problem(record: Record[Any]) -> Problem:
    fields = {name: getattr(record, name) for name in PROBLEM_COLUMNS}
    return Problem(**fields | {"status": ProblemStatus(record.status), "retrying": False})


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
