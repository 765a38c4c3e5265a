"""What a user reads when the database cannot be used: what is wrong and what helps, no secret."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from demo_stack.programs import free_port
from exporter.errors import StateError
from exporter.ledger.store.lease_table import PostgresqlLeaseTable
from exporter.ledger.store.postgresql import PostgresqlDatabase, PostgresqlStore, open_postgresql
from exporter.ledger.store.postgresql_connections import Connections
from exporter.ledger.store.postgresql_reader import PostgresqlReader
from tests.ledger.store.contract import Holder, a_bare_unit, emptied
from tests.support.postgresql import PASSWORD, Cluster

pytestmark = pytest.mark.program("postgres")


def load(url: str, password_file: str | None) -> None:
    """Open the ledger as a replica does first, by its leases; raises StateError."""
    table = PostgresqlLeaseTable(Connections(url, password_file), ttl=1.0)
    try:
        table.exchange("a", [], None)
    finally:
        table.close()


@pytest.fixture
def new_database(cluster: Cluster) -> Iterator[str]:
    """Create a database for one test."""
    name = cluster.new_database()
    yield name
    cluster.drop_database(name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda url: url.replace("@127.0.0.1", "@nowhere.invalid"), "check the host in state.url"),
        (lambda url: f"{url}_", '_" does not exist; create it, or correct its name'),
        (lambda url: url.replace("exporter@", "nobody@"), "check the user in state.url"),
        (lambda url: f"{url}?sslmode=verify-full", "does not support SSL.*; turn TLS on"),
        (lambda url: f"{url}?sslmode=nonsense", "invalid sslmode"),
    ],
    ids=["host", "database", "user", "TLS", "parameter"],
)
def test_a_wrong_address(
    cluster: Cluster, database: str, change: Callable[[str], str], message: str
) -> None:
    """Each part of the URL that may be wrong."""
    with pytest.raises(StateError, match=message) as caught:
        load(change(cluster.url(database)), cluster.password_file)
    assert "\n" not in str(caught.value)


def test_nobody_listens(cluster: Cluster, database: str) -> None:
    """The server is not started, or the port is wrong; the name of the database is said."""
    url = cluster.url(database, free_port())
    with pytest.raises(StateError, match="refused; start the server, or check host and port") as e:
        load(url, cluster.password_file)
    assert url.replace("exporter@", "") in str(e.value)


def test_no_secret_is_told(cluster: Cluster, database: str, tmp_path: Path) -> None:
    """Whether the password is in the URL or in a file, and right or wrong."""
    port = f":{cluster.port}/"
    for user in (f"exporter:{'wrong-secret'}", "exporter:wrong-secret%zz"):
        url = f"postgresql://{user}@127.0.0.1{port}{database}"
        with pytest.raises(StateError, match=r"check the user in state.url and its password") as e:
            load(url, None)
        assert "secret" not in str(e.value)
    with pytest.raises(StateError, match="is not a URL") as e:
        Connections("postgresql://user:wrong-secret@host:port/name")
    assert "secret" not in f"{e.value}{e.value.__cause__}"
    store = open_postgresql(
        cluster.url(database), cluster.password_file, fence=Holder("postgresql://h/d", "none")
    )
    assert PASSWORD not in repr(vars(store))
    for file, what in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(StateError, match=f"state.password_file: {file}: .*{what}"):
            load(cluster.url(database), str(file))


def test_a_role_that_may_not_create_tables(cluster: Cluster) -> None:
    """As in a database that somebody else owns."""
    name = cluster.new_database()
    cluster.execute(f'ALTER DATABASE "{name}" OWNER TO postgres')
    with pytest.raises(StateError, match=r"permission denied .*; make the role .* the owner"):
        load(cluster.url(name), cluster.password_file)
    cluster.drop_database(name)


def test_the_tables_of_another_program(cluster: Cluster, new_database: str) -> None:
    """Nothing is made beside them."""
    cluster.execute("CREATE TABLE other (id int)", new_database)
    with pytest.raises(StateError, match=r"created by another program .*'other'"):
        load(cluster.url(new_database), cluster.password_file)
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert cluster.execute(tables, new_database) == [("other",)]


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_an_encoding_that_lacks_characters(cluster: Cluster, encoding: str) -> None:
    """Said at once, not when the first of them comes."""
    name = f"encoded_{encoding.lower()}"
    cluster.execute(
        f"CREATE DATABASE {name} OWNER exporter TEMPLATE template0"
        f" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    with pytest.raises(StateError, match=rf"encoding is {encoding}, .* with ENCODING 'UTF8'"):
        load(cluster.url(name), cluster.password_file)
    cluster.drop_database(name)


def test_an_empty_database_has_nothing_to_read(cluster: Cluster, new_database: str) -> None:
    """Readers make no tables."""
    reader = PostgresqlReader(cluster.url(new_database), cluster.password_file)
    with pytest.raises(StateError, match="no tables of this release; start the exporter"):
        reader.state("main")
    reader.close()


def test_too_many_connections(cluster: Cluster, database: str) -> None:
    """The limit of the server, or of the role."""
    cluster.execute("ALTER ROLE exporter CONNECTION LIMIT 0")
    try:
        with pytest.raises(StateError, match=r"too many connections .*; end other clients"):
            load(cluster.url(database), cluster.password_file)
    finally:
        cluster.execute("ALTER ROLE exporter CONNECTION LIMIT -1")


@pytest.fixture
def store(cluster: Cluster, database: str) -> Iterator[PostgresqlStore]:
    """Open a store on an empty ledger, of which no statement may take long."""
    emptied(cluster, database)
    url = cluster.url(database)
    fence = Holder(url, cluster.password_file)
    connections = Connections(url, cluster.password_file)
    made = PostgresqlStore(PostgresqlDatabase(connections, fence, statement=1.0))
    yield made
    made.close()
    fence.table.close()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("RAISE 'no space' USING ERRCODE = '53100'", "no space; free disk space on the database"),
        ("RAISE 'no memory' USING ERRCODE = '53200'", "no memory; give the database's server"),
        ("RAISE 'not now' USING ERRCODE = '57P03'", "not now; the server is restarting"),
        ("RAISE 'going' USING ERRCODE = '57P01'", "going; the server is restarting"),
        ("RAISE 'no order' USING ERRCODE = '40001'", "no order; it is tried again"),
        ("RAISE 'damaged' USING ERRCODE = 'XX001'", "damaged; restore a backup"),
        ("PERFORM pg_sleep(20)", "statement timeout; it took too long; check the load"),
    ],
    ids=["disk", "memory", "starting", "stopping", "serialization", "corrupt", "slow"],
)
def test_a_commit_that_the_server_refuses(
    store: PostgresqlStore, cluster: Cluster, database: str, body: str, message: str
) -> None:
    """It says what helps, writes nothing, and the same is written once that helped."""
    mine = store.load("main").account_id
    cluster.execute(
        f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN {body}; RETURN NEW; END $$;
        CREATE TRIGGER refusing BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
        database,
    )
    try:
        with pytest.raises(StateError, match=message) as caught:
            store.commit(mine, a_bare_unit(baseline_at=1.0), {})
    finally:
        cluster.execute("DROP FUNCTION refuse CASCADE", database)
    assert "UPDATE" not in str(caught.value)
    store.commit(mine, a_bare_unit(baseline_at=2.0), {})
    assert store.load("main").baseline_at == 2.0


def test_a_table_that_is_locked(store: PostgresqlStore, cluster: Cluster, database: str) -> None:
    """Somebody has it for himself, as a backup does not."""
    mine = store.load("main").account_id
    connections = Connections(cluster.url(database), cluster.password_file)
    with connections.connected(30) as other:
        other.execute(text("BEGIN"))
        other.execute(text("LOCK TABLE accounts"))
        with pytest.raises(StateError, match="lock timeout; another transaction holds a lock"):
            store.commit(mine, a_bare_unit(baseline_at=1.0), {})
        other.execute(text("ROLLBACK"))
    connections.close()
    store.commit(mine, a_bare_unit(baseline_at=2.0), {})


def test_a_server_that_became_read_only(store: PostgresqlStore, cluster: Cluster) -> None:
    """As after a failover: the connection is dropped, and the next one waits for a primary."""
    mine = store.load("main").account_id
    read_only = "ALTER SYSTEM SET default_transaction_read_only = {}"
    for value in ("on", "off"):
        cluster.execute(read_only.format(value))
        cluster.reload()
        if value == "off":
            break
        for _ in range(1000):  # until the session has read its settings again
            try:
                store.commit(mine, a_bare_unit(baseline_at=1.0), {})
            except StateError as exc:
                first = str(exc)
                break
            store.load("main")
        with pytest.raises(StateError, match=r"read-only; point state.url at the primary"):
            store.load("main")
    assert "point state.url at the primary server" in first
    cluster.execute("ALTER SYSTEM RESET default_transaction_read_only")
    cluster.reload()
    store.load("main")
    store.commit(mine, a_bare_unit(baseline_at=2.0), {})


@pytest.fixture
def certificate(cluster: Cluster, program_path: Callable[[str], str]) -> Iterator[Path]:
    """Let the server use TLS, with a certificate for 127.0.0.1 that nobody vouches for."""
    made, key = cluster.folder / "server.crt", cluster.folder / "server.key"
    subprocess.run(  # noqa: S603 # a fixed command
        [
            *(program_path("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-subj", "/CN=server", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(made)),
        ],
        check=True,
        capture_output=True,
    )
    if os.getuid() == 0:
        shutil.chown(key, "postgres", "postgres")
    cluster.execute(f"ALTER SYSTEM SET ssl_cert_file = '{made}'")
    cluster.execute(f"ALTER SYSTEM SET ssl_key_file = '{key}'")
    cluster.execute("ALTER SYSTEM SET ssl = on")
    cluster.reload()
    while cluster.execute("SHOW ssl") != [("on",)]:
        cluster.execute("SELECT pg_sleep(0.01)")
    yield made
    cluster.execute("ALTER SYSTEM RESET ALL")
    cluster.reload()
    while cluster.execute("SHOW ssl") != [("off",)]:
        cluster.execute("SELECT pg_sleep(0.01)")


@pytest.mark.program("openssl")
def test_the_server_is_verified(cluster: Cluster, database: str, certificate: Path) -> None:
    """By the authorities that the system trusts, or by that which the URL names."""
    url = f"{cluster.url(database)}?sslmode=verify-full"
    for mode in ("full", "ca"):
        with pytest.raises(StateError, match=r"certificate verify failed; .* set sslrootcert"):
            load(url.replace("full", mode), cluster.password_file)
    load(f"{url}&sslrootcert={certificate}", cluster.password_file)
    other = url.replace("127.0.0.1", "localhost")
    with pytest.raises(StateError, match=r"does not match host name .*; check the host"):
        load(f"{other}&sslrootcert={certificate}", cluster.password_file)
