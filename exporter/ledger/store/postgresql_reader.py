"""A `LedgerReader` of a PostgreSQL database: read-only, on a few connections of its own.

It must not write, nor create tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from psycopg.types.string import StrDumper
from sqlalchemy import Connection

from exporter.errors import QueryTimeoutError, StateError
from exporter.ledger.store.postgresql_connections import (
    READ_ONLY,
    Connections,
    begin,
    driver_of,
    execute_all,
)
from exporter.ledger.store.postgresql_errors import CHANGED_TABLES, sqlstate
from exporter.ledger.store.postgresql_schema import VERSION, refuse_version
from exporter.ledger.store.protocol import StateFacts
from exporter.ledger.store.sql_reader import SqlReader

TIMEOUT = 2.0
"""Seconds that a query may take."""

SIZE = 2
"""Connections: as many queries run at a time, further ones wait."""

_PLANS = "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off;"
"""To start workers for a query, or to compile it, takes longer than most queries do."""

_CANCELED = "57014"

_FACTS = """
SELECT pg_database_size(current_database()),
    has_table_privilege('actions', 'INSERT') AND NOT pg_is_in_recovery(),
    (SELECT count(*) FROM replicas WHERE expires_at > extract(epoch FROM clock_timestamp()));
"""


class PostgresqlReader(SqlReader):
    """A `LedgerReader` of the database at a state URL."""

    def __init__(
        self, url: str, password_file: str | Path | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """Store the URL; nothing is opened yet. ``timeout`` is in seconds.

        Raises StateError if the URL is invalid.
        """
        self._connections = Connections(url, password_file, size=SIZE, wait=timeout)
        self._timeout = timeout

    def close(self) -> None:
        """Close the connections; raises nothing."""
        self._connections.close()

    def facts(self) -> StateFacts:
        """Return what the database is like, and how many replicas use it; raises StateError."""
        with self.reading() as connection:
            ((size, writable, users),) = connection.exec_driver_sql(_FACTS).all()
        return StateFacts(exists=True, writable=writable, users=users, database=size)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one committed state; raises StateError."""
        try:
            # A query is several statements, and to open a connection may take longer than one.
            whole = 5 + 2 * self._timeout
            with self._connections.connected(whole) as connection:
                driver = driver_of(connection)
                driver.adapters.register_dumper(str, _Cleaned)
                (versions,) = execute_all(
                    driver,
                    # It keeps nobody from anything, so a busy client may take all of its time.
                    begin(statement=self._timeout, mode=READ_ONLY, idle=whole) + _PLANS + VERSION,
                )
                refuse_version(versions[0][0] if versions else None)
                yield connection
                driver.commit()
        except StateError as exc:
            code = exc.__cause__ and sqlstate(exc.__cause__)
            if code == _CANCELED:
                raise QueryTimeoutError(
                    f"the query takes longer than {self._timeout:g} s; narrow the filters"
                ) from exc
            if code in CHANGED_TABLES:
                raise StateError(
                    f"state database {self._connections.name}: it has no tables of this release; "
                    "start the exporter of this release first, or correct state.url"
                ) from exc
            raise
        except (ValueError, msgspec.MsgspecError) as exc:
            raise StateError(
                f"state database {self._connections.name} contains values that this release cannot"
                f" read ({exc}); run the release that wrote it"
            ) from exc


class _Cleaned(StrDumper):
    """Looks for NUL as what it is stored as: PostgreSQL's text has none, a query's may have."""

    def dump(self, obj: str) -> bytes | bytearray | memoryview | None:
        return super().dump(obj.replace("\0", "\ufffd"))
