"""Lists failures by their index, in the SQL of SQLite and PostgreSQL.

The index has them in the order in which they were seen, and what most filters compare. SQLite,
which has no statistics, is told to use it. It must not write.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from exporter.ledger.queries import AccountScope, FailureQuery
from exporter.ledger.store.action_search import ReasonHashes
from exporter.ledger.store.conditions import BoundValues, shown_actions
from exporter.ledger.store.schema import FAILED, reason_hash


def failures(connection: Connection, index: str = "actions_failed") -> str:
    """Return what failures are selected from."""
    return f"actions INDEXED BY {index}" if connection.dialect.name == "sqlite" else "actions"


def shown_failures(scopes: Mapping[int, AccountScope], values: BoundValues) -> Sequence[str]:
    """Return the conditions of the failures that are shown.

    What had failed before the baseline is history, of which only a part is remembered.
    """
    return (
        FAILED,
        "failure_status <> ''",
        "ended_at IS NOT NULL",
        shown_actions(scopes, values, indexed=True),
    )


def failure_keys(
    connection: Connection,
    scopes: Mapping[int, AccountScope],
    query: FailureQuery,
    reasons: ReasonHashes | None,
    values: BoundValues,
) -> str:
    """Return the statement of the keys of the failures that pass, the latest first."""
    given = {name: getattr(query, name) for name in ("action_type", "status", "sim_card_id")}
    conditions = [
        *shown_failures(scopes, values),
        *(f"{name} = {values.bind(each)}" for name, each in given.items() if each is not None),
    ]
    if query.reason is not None:
        hashed = reason_hash(query.reason)
        conditions.append("reason = ''" if hashed is None else f"reason_hash = {hashed}")
    index = "actions_failed" if query.sim_card_id is None else "actions_by_sim_card"
    if reasons is not None:
        conditions.append(reasons.condition("reason_hash"))
    if query.after is not None:
        ended_at, action_id, account = query.after
        ids = {scope.name: id_ for id_, scope in scopes.items()}
        place = ", ".join(map(values.bind, (ended_at, action_id, ids.get(account, 0))))
        conditions.append(f"(ended_at, id, account_id) < ({place})")
    limit = "" if query.limit is None else f"LIMIT {query.limit + 1}"
    return (
        f"SELECT id, account_id, ended_at AS k FROM {failures(connection, index)} "  # noqa: S608 # values are bound
        f"WHERE {' AND '.join(conditions)} "
        f"ORDER BY ended_at DESC, id DESC, account_id DESC {limit}"
    )
