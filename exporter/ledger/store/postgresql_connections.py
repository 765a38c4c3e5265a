"""Connections to a PostgreSQL database: how they are opened, bounded in time, and given up.

Nothing is kept in a session of the server, so a pooler of transactions may stand between. It must
not know tables. Every error becomes a StateError at this boundary, without the password.
"""

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import certifi
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from exporter.config import read_password_file
from exporter.errors import StateError

try:
    import psycopg
    from psycopg.pq import TransactionStatus

    from exporter.ledger.store.postgresql_errors import ENDING, error_text, sqlstate
except ImportError as exc:
    raise StateError(
        "state.url: PostgreSQL needs a driver; run: pip install 'telnyx-sim-exporter[postgres]'"
    ) from exc

SETTINGS: Mapping[str, object] = {
    "application_name": "telnyx-sim-exporter",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    # After a failover, the server that was the primary may still be there, to be read only.
    "target_session_attrs": "read-write",
}
"""Parameters of a connection that state.url may replace."""

PARAMETERS: Mapping[str, object] = {
    "autocommit": True,  # transactions are begun here, with all they need, in one round trip
    "prepare_threshold": None,  # a prepared statement is of a session
}
"""Parameters of the driver."""

SYSTEM_FILES = ("/etc/pki/tls/cert.pem", "/etc/ssl/certs/ca-certificates.crt")

Driver = psycopg.Connection[Any]


class Connections:
    """At most ``size`` connections to the database at a URL; an idle one is used again.

    For any thread; each gets a connection of its own.
    """

    def __init__(
        self, url: str, password_file: str | Path | None = None, *, size: int = 1, wait: float = 5.0
    ) -> None:
        """Store the URL; nothing is opened yet. Raises StateError if it is invalid.

        ``password_file`` is read for each new connection. ``wait`` is in seconds: for one of the
        connections to be free.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):  # they quote the URL, which may hold a password
            raise StateError(
                "state.url: is not a URL; use postgresql://USER@HOST/DATABASE"
            ) from None
        # As it is shown: without what may be secret.
        self.name = URL.create(
            "postgresql", host=parsed.host, port=parsed.port, database=parsed.database
        ).render_as_string()
        self._password_file = password_file
        self._local = threading.local()
        self._running: set[_Deadline] = set()
        self._engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={**_settings(parsed), **PARAMETERS},
            isolation_level="AUTOCOMMIT",
            pool_size=size,
            max_overflow=0,
            pool_timeout=wait,
            pool_reset_on_return=None,  # `connected` leaves none that is in a transaction
            hide_parameters=True,
            use_native_hstore=False,
        )
        event.listen(self._engine, "do_connect", self._connect)
        event.listen(self._engine, "checkout", _refuse_ended)

    @contextmanager
    def connected(self, seconds: float) -> Iterator[Connection]:
        """Give a connection outside of any transaction, for at most ``seconds``.

        After an error, what was begun is rolled back; where that is not possible, the connection
        is given up, and the next call opens another one. Raises StateError for errors of the
        database, and if it does not answer in time.
        """
        deadline = self._local.deadline = _Deadline(seconds)
        self._running.add(deadline)
        try:
            with deadline, self._engine.connect() as connection:
                driver = driver_of(connection)
                deadline.watch(driver)
                try:
                    yield connection
                except BaseException as exc:
                    _undo(connection, driver, exc)
                    raise
        except (SQLAlchemyError, psycopg.Error, OSError) as exc:
            text = error_text(exc)
            if deadline.passed:
                text = f"no answer within {seconds:g} s; check the database's server and the pooler"
            raise StateError(f"state database {self.name}: {text}") from exc
        finally:
            self._running.discard(deadline)

    def interrupt(self) -> None:
        """End the calls that run now, on whichever threads, with StateError; raises nothing."""
        for deadline in [*self._running]:
            deadline.end()

    def close(self) -> None:
        """Close the connections that are idle; raises nothing."""
        with suppress(SQLAlchemyError, psycopg.Error):
            self._engine.dispose()

    def _connect(
        self, _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]
    ) -> Driver:
        if self._password_file is not None:
            parameters["password"] = _password(self._password_file)
        driver: Driver = psycopg.connect(**parameters)
        encoding = driver.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            driver.close()
            raise StateError(
                f"state database {self.name}: its encoding is {encoding}, which lacks characters; "
                "create it with ENCODING 'UTF8' TEMPLATE template0"
            )
        self._local.deadline.watch(driver)
        return driver


class _Deadline:
    """Ends a connection that is waited for too long.

    The system knows when a peer is gone, but not that a process that was stopped never answers.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self.end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._replace(None)

    def watch(self, driver: Driver) -> None:
        """End this connection from now on, and none of those before."""
        # A descriptor of our own: the number of the other may soon be that of another socket.
        self._replace(socket.socket(fileno=os.dup(driver.fileno())))

    def _replace(self, new: socket.socket | None) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = new
        if self.passed:
            self.end()

    def end(self) -> None:
        """End the connection that is watched, and any that is from now on."""
        with self._lock:
            self.passed = True
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def driver_of(connection: Connection) -> Driver:
    """Return the driver's connection of a connection."""
    driver: Driver | None = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 # it is connected
    return driver


def execute_all(driver: Driver, statements: str, *parameters: object) -> list[list[Any]]:
    """Execute several statements in one round trip; returns the rows of each that has rows.

    The parameters are written into the statements by the driver. Raises the driver's errors.
    """
    found = []
    with psycopg.ClientCursor(driver) as cursor:
        # The statements are this program's own.
        cursor.execute(statements.encode(), parameters)
        while True:
            if cursor.description is not None:
                found.append(cursor.fetchall())
            if not cursor.nextset():
                return found


READ_ONLY = "ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""The mode of a transaction that sees one committed state, and keeps nobody from anything."""


def begin(
    *,
    statement: float,
    mode: str = "ISOLATION LEVEL READ COMMITTED",
    idle: float | None = None,
) -> str:
    """Return the statements that begin a transaction; each may take ``statement`` seconds.

    It waits for a lock half as long. A transaction whose client is silent for as long as that, or
    for ``idle`` seconds, ends: it may keep others from the account.
    """
    silent = statement / 2 if idle is None else idle
    return (
        f"BEGIN {mode}; SET LOCAL statement_timeout = {statement * 1000:.0f};"
        f" SET LOCAL lock_timeout = {statement * 500:.0f};"
        f" SET LOCAL idle_in_transaction_session_timeout = {silent * 1000:.0f};"
    )


@contextmanager
def selecting(connection: Connection, *, statement: float) -> Iterator[None]:
    """Let each SELECT be a transaction of its own, in one round trip; times as in `begin`.

    One that only this side gives up would go on to wait for a lock, and hold a connection.
    """

    class Bounded(psycopg.ClientCursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
            super().execute(f"{begin(statement=statement)} {query}; COMMIT", params, **options)
            while self.description is None:
                self.nextset()
            return self

    driver = driver_of(connection)
    before, driver.cursor_factory = driver.cursor_factory, Bounded
    try:
        yield
    finally:
        driver.cursor_factory = before


def _undo(connection: Connection, driver: Driver, exc: BaseException) -> None:
    """Leave the connection outside of a transaction, or give it up."""
    try:
        if sqlstate(exc) not in ENDING and not driver.closed:
            if driver.info.transaction_status is not TransactionStatus.IDLE:
                driver.rollback()
            return
    except psycopg.Error:
        pass
    with suppress(SQLAlchemyError):
        connection.invalidate()


def _refuse_ended(driver: Driver, _record: object, _proxy: object) -> None:
    """Let the pool open another connection if the server has ended this one, as at its restart."""
    try:
        for _ in range(2):  # first what it said at the end, then the end itself
            driver.pgconn.consume_input()
    except psycopg.Error as exc:
        raise DisconnectionError from exc


def _settings(url: URL) -> dict[str, object]:
    settings = {name: value for name, value in SETTINGS.items() if name not in url.query}
    mode = url.query.get("sslmode")
    if mode in {"verify-ca", "verify-full"} and "sslrootcert" not in url.query:
        # Not "system": the library that comes with the driver looks in a folder that no system has.
        known = ssl.get_default_verify_paths().cafile
        files = filter(None, (known, *SYSTEM_FILES, certifi.where()))
        settings["sslrootcert"] = next(each for each in files if Path(each).is_file())
    return settings


def _password(file: str | Path) -> str:
    try:
        return read_password_file(str(file))
    except ValueError as exc:
        raise StateError(f"state.password_file: {file}: {exc}") from exc
