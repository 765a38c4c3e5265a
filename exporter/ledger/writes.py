"""The statements that put a draft into the tables, within a transaction of the store's.

Rows are written whole: what stood under the same key is replaced. It must not commit.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, insert, update

from exporter.ledger.draft import Draft
from exporter.ledger.model import SumKey
from exporter.ledger.schema import accounts, actions, listings, outbox, sums

Values = dict[str, object]


def write_draft(
    connection: Connection, account_id: int, draft: Draft, after: Mapping[SumKey, float]
) -> None:
    """Write all that a draft holds; ``after`` are the sums that it changes, as they become."""
    mine: Values = {"account_id": account_id}
    replaced = {id_ for id_ in draft.rows if id_ not in draft.added}
    delete_rows(connection, account_id, replaced)
    _insert(connection, actions, [mine | msgspec.structs.asdict(r) for r in draft.rows.values()])
    _replace(connection, sums, [mine | _sum_values(draft, key, after[key]) for key in after])
    _replace(
        connection,
        listings,
        [
            mine
            | {
                "action_type": scope.action_type or "",
                "status": scope.status or "",
                "sort_order": listing.order,
                "accounted": listing.accounted,
                "horizon": listing.horizon,
                "frontier": listing.frontier,
                "pruned": listing.pruned,
            }
            for scope, listing in draft.listings.items()
        ],
    )
    _insert(
        connection,
        outbox,
        [
            mine
            | {
                "kind": event.kind,
                "body": msgspec.json.encode(event).decode(),
                "logged": False,
            }
            for event in draft.events
        ],
    )
    times = {"baseline_at": draft.baseline_at, "audit_at": draft.audit_at}
    if known := {name: value for name, value in times.items() if value is not None}:
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(known))


def delete_rows(connection: Connection, account_id: int, ids: Collection[str]) -> None:
    """Delete actions by their ids."""
    if ids:
        statement = delete(actions).where(
            actions.c.account_id == account_id, actions.c.id == bindparam("gone")
        )
        connection.execute(statement, [{"gone": id_} for id_ in ids])


def _sum_values(draft: Draft, key: SumKey, value: float) -> Values:
    exemplar = draft.exemplars.get(key)
    return {
        **key._asdict(),
        "value": value,
        "exemplar_action_id": exemplar.action_id if exemplar else None,
        "exemplar_sim_card_id": exemplar.sim_card_id if exemplar else None,
        "exemplar_at": exemplar.timestamp if exemplar else None,
    }


def _insert(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _replace(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, in place of those with the same primary key."""
    if not rows:
        return
    keys = {f"key_{column.name}": column for column in table.primary_key}
    connection.execute(
        delete(table).where(*(column == bindparam(name) for name, column in keys.items())),
        [{name: row[column.name] for name, column in keys.items()} for row in rows],
    )
    _insert(connection, table, rows)
