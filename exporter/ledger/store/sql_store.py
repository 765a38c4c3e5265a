"""Reads and writes the ledger in SQL that both SQLite and PostgreSQL support.

What differs is the database's: how a transaction begins, how many rows are written or found at
once. It must not interpret what it stores. Not for the event loop: calls block on the database.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf, nextafter
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Executable,
    Float,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from exporter.domain import FAILURE_EVENTS, Event, SimCard, Status
from exporter.ledger.records import MemberCounts, SumKey, TrackedAction
from exporter.ledger.state import RECENT_FAILURES, LedgerState
from exporter.ledger.store.loading import (
    ROW_COLUMNS,
    account_number,
    decoding,
    load_sim_cards,
    load_state,
)
from exporter.ledger.store.schema import (
    DECISIVE,
    FAILURES,
    TEXT,
    accounts,
    actions,
    bulk_members,
    list_cursors,
    outbox,
    problems,
    sim_cards,
    sink_positions,
)
from exporter.ledger.store.writes import Change, Delete, plan_forget_bulks, plan_unit
from exporter.ledger.unit_of_work import UnitOfWork, resulting_sums

LAST_SEQ = 2**63 - 1

_ACCOUNT = bindparam("account", type_=BigInteger())
_BEFORE = bindparam("before", type_=Float())
# Made once, as each poll asks for it: to make it takes longer than to answer it.
_CREATED = func.coalesce(actions.c.created_at, actions.c.updated_at)
_OLDER = actions.alias()
_OLDEST = (
    select(actions.c.id, _CREATED.label("created"))
    .where(
        actions.c.account_id == _ACCOUNT,
        actions.c.ended_at < _BEFORE,
        _CREATED <= _BEFORE,
        # What problems are told by: see the protocol.
        actions.c.id.not_in(select(problems.c.action_id).where(problems.c.account_id == _ACCOUNT)),
        ~exists().where(
            _OLDER.c.account_id == _ACCOUNT,
            _OLDER.c.sim_card_id == actions.c.sim_card_id,
            _OLDER.c.sim_card_id != "",
            _OLDER.c.ended_at.is_(None),
            func.coalesce(_OLDER.c.created_at, _OLDER.c.seen_at) < _CREATED,
        ),
    )
    .order_by(actions.c.ended_at)
    .limit(bindparam("most"))
)

# Likewise, as a long catch-up delivers many events, some at a time.
_SINK = bindparam("sink_name", type_=TEXT)
_POSITION = sink_positions.c.account_id == _ACCOUNT, sink_positions.c.sink == _SINK
_UNDELIVERED = (
    select(outbox.c.seq, outbox.c.body)
    .where(
        outbox.c.account_id == _ACCOUNT,
        outbox.c.seq > select(sink_positions.c.seq).where(*_POSITION).scalar_subquery(),
    )
    .order_by(outbox.c.seq)
    .limit(bindparam("most"))
)
_MOVE_POSITION = (
    update(sink_positions)
    .where(*_POSITION, sink_positions.c.seq < bindparam("new_seq", type_=BigInteger()))
    .values(seq=bindparam("new_seq"))
)


def _forget_delivered() -> Executable:
    """Delete the events delivered to every sink, except for the latest failures."""
    floor = select(func.coalesce(func.min(sink_positions.c.seq), LAST_SEQ)).where(
        sink_positions.c.account_id == _ACCOUNT
    )
    delivered = and_(outbox.c.account_id == _ACCOUNT, outbox.c.seq <= floor.scalar_subquery())
    failure = outbox.c["kind"].in_(FAILURE_EVENTS)
    newest = (select(outbox.c.seq).where(delivered, failure).order_by(outbox.c.seq.desc())).limit(
        RECENT_FAILURES
    )
    return delete(outbox).where(delivered, or_(~failure, outbox.c.seq.not_in(newest)))


_FORGET_DELIVERED = _forget_delivered()


class LedgerDatabase(Protocol):
    """A database that has the tables of the ledger; each method raises StateError."""

    @property
    def session(self) -> int:
        """Changes when what was read before may be stale, of whichever account."""
        ...

    def loading(self, name: str, /) -> AbstractContextManager[Connection]:
        """Run the transaction that loads the account ``name``, and creates it if it is new."""
        ...

    def transaction(self, account_id: int, /) -> AbstractContextManager[Connection]:
        """Run a transaction that writes an account: all of it is kept, or nothing."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection for a single SELECT."""
        ...

    def close(self) -> None:
        """Close the database; the next call reopens it."""
        ...


class SqlStore(ABC):
    """A `LedgerStore` in an SQL database."""

    def __init__(self, database: LedgerDatabase) -> None:
        """Store the database; the first call opens it."""
        self._database = database

    @abstractmethod
    def write(self, connection: Connection, plan: Iterable[Change]) -> None:
        """Carry out changes in their order, within a transaction; raises the database's errors."""

    @abstractmethod
    def find_rows(
        self,
        connection: Connection,
        account_id: int,
        column: str,
        values: Collection[str],
        condition: str,
    ) -> Iterable[Any]:
        """Return the actions whose ``column`` is one of any number of values, with a ``condition``.

        Each is a record of ROW_COLUMNS, in which a boolean may be a number.
        """

    @property
    def session(self) -> int:
        """The session of the database; data read in an earlier one may be stale."""
        return self._database.session

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes on this machine's disk: none, unless a database says otherwise."""
        return {}

    def close(self) -> None:
        """Close the database; the next call reopens it."""
        self._database.close()

    def interrupt(self) -> None:
        """End a call that waits for a server: none does, unless a database says otherwise."""
        return

    def check(self) -> None:
        """Find out whether what was written is lost: not here, unless a database says otherwise."""
        return

    def load(self, name: str) -> LedgerState:
        """Return the stored state of the account ``name``; a new account is empty."""
        with self._database.loading(name) as connection, decoding():
            account_number(connection, name)
            state = load_state(connection, name)
        assert state is not None  # noqa: S101 # it is there now
        return state

    def find(self, account_id: int, ids: Collection[str]) -> dict[str, TrackedAction]:
        """Return the stored actions among ``ids``, by id."""
        return {row.id: row for row in self._find(account_id, "id", ids)}

    def find_by_sim_cards(
        self, account_id: int, sim_card_ids: Collection[str], *, failures: bool = False
    ) -> dict[str, list[TrackedAction]]:
        """Return the decisive actions of SIM cards, or only their failures, by the card's id."""
        found: dict[str, list[TrackedAction]] = {}
        condition = FAILURES if failures else DECISIVE
        for row in self._find(account_id, "sim_card_id", sim_card_ids, condition):
            found.setdefault(row.sim_card_id, []).append(row)
        return found

    def sim_cards(self, account_id: int, ids: Collection[str]) -> dict[str, SimCard]:
        """Return the stored SIM cards among ``ids``, by id."""
        with self._database.reading() as connection, decoding():
            return load_sim_cards(connection, account_id, ids)

    def interrupted(
        self, account_id: int, action_type: str | None, limit: int
    ) -> list[TrackedAction]:
        """Return at most ``limit`` interrupted actions (of one type), the latest first."""
        query = select(*ROW_COLUMNS).where(
            actions.c.account_id == account_id, actions.c.status == Status.INTERRUPTED.value
        )
        if action_type is not None:
            # Not by an index of types: that of the interrupted actions has the order.
            query = query.where(actions.c.action_type + "" == action_type)
        query = query.order_by(actions.c.ended_at.desc()).limit(limit)
        with self._database.reading() as connection:
            return [TrackedAction(*record) for record in connection.execute(query)]

    def commit(
        self, account_id: int, unit: UnitOfWork, before: Mapping[SumKey, float]
    ) -> dict[SumKey, float]:
        """Write a unit of work in one transaction; returns the new values of the changed sums.

        ``before`` has the stored sums.
        """
        after = resulting_sums(unit, before)
        with self._database.transaction(account_id) as connection:
            self.write(connection, plan_unit(account_id, unit, after))
        return after

    def attach_sinks(self, account_id: int, sinks: Collection[str]) -> None:
        """Keep only the positions of ``sinks``; a new sink starts at the current end."""
        mine = sink_positions.c.account_id == account_id
        end = select(func.coalesce(func.max(outbox.c.seq), 0)).where(
            outbox.c.account_id == account_id
        )
        names = select(sink_positions.c.sink).where(mine)
        with self._database.reading() as connection:
            known = set(connection.execute(names).scalars())
        if known == set(sinks):  # as at nearly each start
            return
        with self._database.transaction(account_id) as connection:
            if known - set(sinks):
                connection.execute(
                    delete(sink_positions).where(mine, sink_positions.c.sink.not_in(sinks))
                )
                connection.execute(_FORGET_DELIVERED, {"account": account_id})
            if new := set(sinks) - known:
                seq = connection.execute(end).scalar_one()
                rows = [{"account_id": account_id, "sink": sink, "seq": seq} for sink in new]
                connection.execute(insert(sink_positions).values(rows))

    def undelivered(self, account_id: int, sink: str, limit: int) -> tuple[tuple[int, Event], ...]:
        """Return the oldest events not yet delivered to ``sink``, each with its sequence number.

        There are none for a sink that is not attached.
        """
        parameters = {"account": account_id, "sink_name": sink, "most": limit}
        with self._database.reading() as connection, decoding():
            return tuple(
                (seq, msgspec.json.decode(body, type=Event))
                for seq, body in connection.execute(_UNDELIVERED, parameters)
            )

    def delivered(self, account_id: int, sink: str, seq: int) -> None:
        """Record that all events up to ``seq`` were delivered to ``sink``.

        Events delivered to every sink are deleted, except for the latest failures, which are shown
        on the status page.
        """
        with self._database.transaction(account_id) as connection:
            moved = connection.execute(
                _MOVE_POSITION, {"account": account_id, "sink_name": sink, "new_seq": seq}
            )
            if moved.rowcount:
                connection.execute(_FORGET_DELIVERED, {"account": account_id})

    def prune_sim_cards(self, account_id: int, before: float) -> int:
        """Delete the SIM cards without a problem that were looked up before ``before``."""
        with_problems = select(problems.c.sim_card_id).where(problems.c.account_id == account_id)
        with self._database.transaction(account_id) as connection:
            return connection.execute(
                delete(sim_cards).where(
                    sim_cards.c.account_id == account_id,
                    sim_cards.c.looked_up_at < before,
                    sim_cards.c.id.not_in(with_problems),
                )
            ).rowcount

    def count_members(self, account_id: int, bulk_id: str) -> MemberCounts:
        """Count the members of a bulk action: all, those that are stored, the interrupted ones."""
        interrupted = case((actions.c.status == Status.INTERRUPTED.value, 1))
        query = (
            select(func.count(), func.count(actions.c.id), func.count(interrupted))
            .select_from(
                bulk_members.outerjoin(
                    actions,
                    and_(
                        actions.c.id == bulk_members.c.action_id,
                        actions.c.account_id == bulk_members.c.account_id,
                    ),
                )
            )
            .where(bulk_members.c.account_id == account_id, bulk_members.c.bulk_id == bulk_id)
        )
        with self._database.reading() as connection:
            return MemberCounts(*connection.execute(query).one())

    def forget_bulks(self, account_id: int, ids: Sequence[str], since: float | None) -> None:
        """Delete bulk actions, and which actions were their members; keep ``since``."""
        with self._database.transaction(account_id) as connection:
            self.write(connection, plan_forget_bulks(account_id, ids))
            mine = accounts.c.id == account_id
            connection.execute(update(accounts).where(mine).values(bulks_since=since))

    def prune(self, account_id: int, before: float, limit: int) -> tuple[int, float | None]:
        """Delete at most ``limit`` actions that were seen to end before ``before``.

        Returns how many, and the latest creation time among them: actions created up to then count
        as history from now on, because they may still be listed. Actions with no timestamp, or with
        one in the future, are kept: nothing else distinguishes them from new ones.
        """
        # Nearly always there is nothing: to find that out takes no transaction.
        with self._database.reading() as connection:
            found = connection.execute(
                _OLDEST, {"account": account_id, "before": before, "most": limit}
            ).all()
        if not found:
            return 0, None
        # Strictly above, so that no deleted action counts as new.
        baseline_cutoff = nextafter(max(record.created for record in found), inf)
        gone = [(record.id, account_id) for record in found]
        with self._database.transaction(account_id) as connection:
            self.write(connection, [Delete(actions, ("id", "account_id"), gone)])
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

    def _find(
        self, account_id: int, column: str, values: Collection[str], condition: str = "TRUE"
    ) -> list[TrackedAction]:
        if not values:
            return []
        with self._database.reading() as connection:
            found = [
                TrackedAction(*record)
                for record in self.find_rows(connection, account_id, column, values, condition)
            ]
        for row in found:
            row.stuck = bool(row.stuck)
        return found
