"""The leases in PostgreSQL, on a connection of their own: each call is one round trip, or few.

It must not decide who should hold what. All times are by the clock of the database.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from exporter.errors import StateError
from exporter.ledger.leases import Lease, LeaseRow, LeaseView, Replica
from exporter.ledger.store.postgresql import prepare
from exporter.ledger.store.postgresql_connections import (
    Connections,
    begin,
    driver_of,
    execute_all,
)
from exporter.ledger.store.postgresql_schema import VERSION, refuse_version

STATEMENT = 2.0
"""Seconds that a statement may take: less than the time between two renewals."""

CALL = 5.0
"""Seconds that a call may take, beyond which the server counts as gone."""

KEPT = 3600.0
"""Seconds after which the row of a replica that is dead is removed."""

_NOW = "extract(epoch FROM clock_timestamp())::float8"

_RENEW = f"""
UPDATE leases SET expires_at = {_NOW} + %s
FROM unnest(%s::text[], %s::int8[]) AS mine (account, epoch)
WHERE leases.account = mine.account AND leases.epoch = mine.epoch AND leases.holder = %s;
INSERT INTO replicas (holder, started_at, expires_at) VALUES (%s, {_NOW}, {_NOW} + %s)
ON CONFLICT (holder) DO UPDATE SET expires_at = excluded.expires_at;
DELETE FROM replicas WHERE expires_at < {_NOW} - {KEPT};
"""  # noqa: S608 # ours, as all below

_VIEW = f"""
SELECT {_NOW}, (SELECT generation FROM ledger);
SELECT holder, started_at, expires_at FROM replicas;
SELECT account, holder, epoch, expires_at FROM leases WHERE account = ANY(%s);
"""  # noqa: S608

_ADD = """
INSERT INTO leases (account, holder, epoch, expires_at)
SELECT account, '', 0, 0 FROM unnest(%s::text[]) AS new (account) ON CONFLICT DO NOTHING;
"""

_COMMIT = "COMMIT;"
"""Ends a transaction that only reads in the same round trip: it has no need to look first."""

# The lock waits for none: an account whose ledger is being written at this moment is locked.
_CLAIM = f"""
WITH free AS (
    SELECT account FROM leases WHERE account = ANY(%s) AND expires_at <= {_NOW}
    FOR UPDATE SKIP LOCKED
)
UPDATE leases SET holder = %s, epoch = epoch + 1, expires_at = {_NOW} + %s
FROM free WHERE leases.account = free.account
RETURNING leases.account, leases.epoch;
"""  # noqa: S608

_RELEASE = """
UPDATE leases SET holder = '', expires_at = 0
FROM unnest(%s::text[], %s::text[], %s::int8[]) AS mine (account, holder, epoch)
WHERE leases.account = mine.account AND leases.holder = mine.holder
    AND leases.epoch = mine.epoch;
"""

_LEAVE = """
UPDATE leases SET holder = '', expires_at = 0 WHERE holder = %s;
DELETE FROM replicas WHERE holder = %s;
"""


class PostgresqlLeaseTable:
    """A `LeaseTable` in a PostgreSQL database."""

    def __init__(self, connections: Connections, *, ttl: float) -> None:
        """Store the connections, which nobody else uses; ``ttl`` is the time to live in seconds."""
        self._connections = connections
        self._ttl = ttl
        self._prepared = False

    def exchange(
        self, holder: str, accounts: Collection[str], renewed: Mapping[str, int] | None
    ) -> LeaseView:
        """Read the leases of ``accounts``, and renew some: one round trip, two to renew.

        Accounts that are new take two more.
        """
        names = list(accounts)
        renewal: Sequence[object] = ()
        if renewed is not None:
            leased = list(renewed), list(renewed.values())
            renewal = (self._ttl, *leased, holder, holder, self._ttl)
        statements = _VIEW + _COMMIT if renewed is None else _RENEW + _VIEW
        view = self._run(statements, *renewal, names)
        if len(view[2]) < len(set(names)):
            view = self._run(_ADD + _VIEW, names, names)
        ((now, generation),), others, rows = view
        return LeaseView(
            now=now,
            generation=generation,
            replicas=tuple(Replica(*each) for each in others),
            leases={name: LeaseRow(*row) for name, *row in rows},
        )

    def claim(self, holder: str, accounts: Collection[str]) -> Mapping[str, Lease]:
        """Take those leases of ``accounts`` that are expired and not in use; two round trips."""
        (taken,) = self._run(_CLAIM, list(accounts), holder, self._ttl)
        return {name: Lease(holder, epoch) for name, epoch in taken}

    def release(self, leases: Mapping[str, Lease]) -> None:
        """Let go of leases, by account; two round trips."""
        holders = [lease.holder for lease in leases.values()]
        epochs = [lease.epoch for lease in leases.values()]
        self._run(_RELEASE, list(leases), holders, epochs)

    def leave(self, holder: str) -> None:
        """Let go of all leases of ``holder``, and remove its heartbeat; two round trips."""
        self._run(_LEAVE, holder, holder)

    def close(self) -> None:
        """Close the connection; raises nothing."""
        with suppress(StateError):
            self._connections.close()

    def _run(self, statements: str, *parameters: object) -> list[list[Any]]:
        """Run one transaction; returns the rows of each statement that has rows.

        A release whose tables a newer one has migrated can renew nothing: so it lets go.
        """
        if not self._prepared:
            prepare(self._connections)
            self._prepared = True
        try:
            # Read-committed, and rolled back as a whole if the version is not this release's.
            with self._connections.connected(CALL) as connection:
                versions, *found = execute_all(
                    driver_of(connection),
                    begin(statement=STATEMENT) + VERSION + statements,
                    *parameters,
                )
                refuse_version(versions[0][0] if versions else None)
                driver_of(connection).commit()
        except StateError:
            self._prepared = False  # looked at anew: it costs little, and says more
            raise
        return found
