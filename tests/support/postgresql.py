"""A PostgreSQL server of the tests' own, in a temporary folder, on loopback.

It must not know what the exporter keeps in it.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg

from demo_stack.programs import free_port

PASSWORD = "sesam-öffne/dich:1"  # made up; with characters that URLs must escape
"""The password of the role `exporter`."""

_FAST = (
    "fsync=off",
    "full_page_writes=off",
    "max_connections=60",
    "shared_buffers=16MB",
    "autovacuum=off",
    "log_min_messages=warning",
)


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs: Debian keeps its server off the PATH."""
    of_debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(of_debian[-1]) if of_debian else shutil.which(name) or f"/usr/sbin/{name}"


def as_postgres() -> dict[str, str]:
    """Return the options of `subprocess` that run a program as the user postgres if this is root.

    PostgreSQL's server refuses to run as root.
    """
    return {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}


@dataclass
class Cluster:
    """A server: its folder and port, and how it is started and stopped.

    The superuser is `postgres`, without a password; the role `exporter` has `PASSWORD`.
    """

    folder: Path
    port: int
    settings: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = [each for setting in (*_FAST, *self.settings) for each in ("-c", setting)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 # a fixed command
                [
                    program("postgres"),
                    *("-D", str(self.folder / "data")),
                    *("-p", str(self.port)),
                    *("-k", str(self.folder)),
                    *("-h", "127.0.0.1"),
                    *options,
                ],
                stdout=log,
                stderr=log,
                **as_postgres(),  # type: ignore[call-overload]
            )
        self.wait()

    def wait(self) -> None:
        """Wait until the server answers."""
        for _ in range(200):
            if self.process is not None and self.process.poll() is not None:
                break
            with suppress(psycopg.OperationalError):
                self.execute("SELECT 1")
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop the server: SIGTERM when all have left, SIGINT at once, SIGQUIT like a crash."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None

    def cpu(self) -> float:
        """Return the seconds of CPU that the server has taken: all its processes, also past ones.

        A process counts those of its own that ended as soon as they did.
        """
        assert self.process is not None
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if self.process.pid in {int(fields[1]), int(stat.parent.name)}:
                    ticks += sum(map(int, fields[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute a statement as the superuser; returns its rows, if it has any."""
        with psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5",
            autocommit=True,
        ) as connection:
            # The statements are those of tests.
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def reload(self) -> None:
        """Let the server read its settings again; sessions that begin from now on have them.

        TimeoutError if it does not within ten seconds.
        """
        before = self.execute("SELECT pg_conf_load_time()")
        self.execute("SELECT pg_reload_conf()")
        end = time.monotonic() + 10
        # The server process reads them when it gets to it, and tells those that it starts then.
        while self.execute("SELECT pg_conf_load_time()") == before:
            if time.monotonic() > end:
                raise TimeoutError("the server did not read its settings again")

    def lock(self, database: str, table: str, mode: str = "ACCESS EXCLUSIVE") -> Callable[[], None]:
        """Lock a table of a database; returns what releases it.

        Nobody can read it then, or with ACCESS SHARE, as in a backup, change its definition.
        """
        connection = psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=postgres dbname={database} connect_timeout=5"
        )
        # The names are those of a test.
        connection.execute(f"LOCK TABLE {table} IN {mode} MODE".encode())
        return connection.close

    def new_database(self) -> str:
        """Create an empty database that belongs to the role `exporter`; returns its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}" OWNER exporter')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and end the connections to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def url(self, database: str, port: int | None = None) -> str:
        """Return the URL of a database for the role `exporter`, without its password."""
        return f"postgresql://exporter@127.0.0.1:{port or self.port}/{database}"

    @property
    def password_file(self) -> str:
        """The path of a file with the password of the role `exporter`."""
        return str(self.folder / "password")


@dataclass
class Pooler:
    """A PgBouncer before a server, which gives a connection for each transaction."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 # a fixed command
                [program("pgbouncer"), str(self.folder / "pgbouncer.ini")],
                stdout=log,
                stderr=log,
                **as_postgres(),  # type: ignore[call-overload]
            )
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def send(self, number: int) -> None:
        """Send it a signal that does not end it."""
        if self.process is not None:
            self.process.send_signal(number)

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it by a signal: SIGTERM ends it at once too, connections and all."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


@contextmanager
def new_pooler(cluster: Cluster, pool_size: int = 5) -> Iterator[Pooler]:
    """Make and start a pooler before a server.

    ``pool_size`` is how many connections it has to the server for each database.
    """
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=cluster.folder))
    quoted = PASSWORD.replace('"', '""')
    (folder / "users").write_text(f'"exporter" "{quoted}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"""
        [databases]
        * = host=127.0.0.1 port={cluster.port}
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = {port}
        unix_socket_dir =
        auth_type = scram-sha-256
        auth_file = {folder}/users
        pool_mode = transaction
        default_pool_size = {pool_size}
        server_login_retry = 1
        """
    )
    if os.getuid() == 0:
        for each in (folder, *folder.iterdir()):
            shutil.chown(each, "postgres", "postgres")
    pooler = Pooler(folder, port)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()


@contextmanager
def new_cluster(*settings: str) -> Iterator[Cluster]:
    """Make and start a server; it is stopped and removed at the end.

    ``settings`` are like `max_connections=10`. Connections over TCP need a password, but for the
    superuser's.
    """
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    cluster = Cluster(folder, free_port(), settings)
    try:
        subprocess.run(  # noqa: S603 # a fixed command
            [
                program("initdb"),
                *("-D", str(folder / "data")),
                *("--username", "postgres"),
                *("--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C.UTF-8"),
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            **as_postgres(),  # type: ignore[call-overload]
        )
        (folder / "data" / "pg_hba.conf").write_text(
            "local all all trust\n"
            "host all postgres 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        (folder / "password").write_text(f"{PASSWORD}\n")
        cluster.start()
        quoted = PASSWORD.replace("'", "''")
        cluster.execute(f"CREATE ROLE exporter LOGIN PASSWORD '{quoted}'")
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)
