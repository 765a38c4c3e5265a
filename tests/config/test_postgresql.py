import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.engine import make_url

from exporter.config import State, read_password_file

Mistakes = Callable[[str], list[str]]

DATABASES = {
    "postgresql://exporter@db.example.org/telnyx": {
        "user": "exporter",
        "host": "db.example.org",
        "dbname": "telnyx",
    },
    "postgresql://db/telnyx?sslmode=verify-full&sslrootcert=/etc/db.pem": {
        "host": "db",
        "dbname": "telnyx",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/db.pem",
    },
    "postgresql://a%40b:p%2F%3A%23@[2001:db8::1]:5433/my%2Ddb": {
        "user": "a@b",
        "password": "p/:#",
        "host": "2001:db8::1",
        "port": "5433",
        "dbname": "my-db",
    },
    "postgresql://exporter@/telnyx?host=/run/postgresql": {
        "user": "exporter",
        "host": "/run/postgresql",
        "dbname": "telnyx",
    },
    "postgresql://u@/d?host=a.example.org,b.example.org&port=5432,5433": {
        "user": "u",
        "host": "a.example.org,b.example.org",
        "port": "5432,5433",
        "dbname": "d",
    },
    "postgresql://u@/d?host=a,b": {"user": "u", "host": "a,b", "dbname": "d"},
}
"""URLs, and what they say to libpq."""


@pytest.mark.parametrize("url", DATABASES)
def test_postgresql_databases_are_taken(url: str) -> None:
    """What is accepted, the library and libpq read alike, and the state is shared."""
    state = State(url=url)
    assert state.url == url
    assert state.shared
    _, words = dialect().create_connect_args(make_url(url))  # type: ignore[no-untyped-call]
    read = {name: str(value) for name, value in words.items() if value != ","}  # no ports
    assert read == DATABASES[url]
    assert psycopg.conninfo.conninfo_to_dict(url) == DATABASES[url]


def test_the_short_name_of_the_scheme_is_the_same_database() -> None:
    """Some services hand it out, and libpq takes it."""
    assert State(url="postgres://u:p@h/d").url == "postgresql://u:p@h/d"


def test_a_state_in_a_file_is_not_shared() -> None:
    """Nor is one in memory."""
    assert not State().shared
    assert not State(url="sqlite://").shared


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql+psycopg2://u@h/d", "names a driver"),
        ("postgres+asyncpg://u@h/d", "names a driver"),
        ("postgresql:h/d", "is not a URL of PostgreSQL"),
        ("postgresql://u@h:0/d", "is not a URL of PostgreSQL"),
        ("postgresql://u@h:65536/d", "is not a URL of PostgreSQL"),
        ("postgresql://u@[::1/d", "is not a URL of PostgreSQL"),
        ("postgresql://u:a@b@h/d", "percent-encode special characters"),
        ("postgresql://u:a/b@h/d", "percent-encode special characters"),
        ("postgresql://u:1/b@h/d", "percent-encode special characters"),
        ("postgresql://u:a#b@h/d", "percent-encode special characters"),
        ("postgresql://u@h/d#x", "contains #"),
        ("postgresql://u@h", "does not name a database"),
        ("postgresql://u@h/", "does not name a database"),
        ("postgresql://u@h/d/e", "in the name of the database"),
        ("postgresql:///d", "does not name a host"),
        ("postgresql://u@/d", "does not name a host"),
        ("postgresql://u@a,b/d", "has an invalid host name; .*host=HOST,HOST&port=5432,5432"),
        ("postgresql://u@%2Frun%2Fpostgresql/d", "has an invalid host name"),
        ("postgresql://u@h/d?host=/run", "keep one of the two"),
        ("postgresql://u@/d?host=a,,b", "has an invalid host; "),
        ("postgresql://u@/d?host=a,b&port=5432", "one port for each host"),
        ("postgresql://u@/d?host=a&port=http", "one port for each host"),
        ("postgresql://h/d?user=u", "has the parameter user; write postgresql://USER:PASSWORD"),
        (
            "postgresql://u@h/d?timeout=5",
            "has the parameter timeout, .*did you mean connect_timeout",
        ),
        ("postgresql://u@h/d?pool=5", "has the parameter pool, .*; remove it"),
        ("postgresql://u@h/d?ssl_mode=require", "did you mean sslmode"),
        ("postgresql://u@h/d?sslmode=require&sslmode=disable", "has the parameter sslmode twice"),
        ("postgresql://u@h/d?sslmode=verify_full", "unknown sslmode; did you mean verify-full"),
        ("postgresql://u@h/d?sslmode", "has a parameter without ="),
        ("postgresql://u@h/d?sslrootcert=", "sslrootcert without a value"),
    ],
)
def test_other_databases_are_refused(mistakes: Mistakes, url: str, why: str) -> None:
    """What would be read in two ways, or fail at each poll, is a mistake with a remedy."""
    (told,) = mistakes(f"accounts: [{{api_key: x}}]\nstate: {{url: '{url}'}}\n")
    assert "state.url: " in told
    assert re.search(why, told), told
    assert ";" in told


@pytest.mark.parametrize("content", ["se cret", "se cret\n", "se cret\r\n"])
def test_the_password_is_what_the_file_holds(tmp_path: Path, content: str) -> None:
    """Without the line break that editors add, and with blanks, which passwords may have."""
    file = tmp_path / "password"
    file.write_text(content, encoding="utf-8", newline="")
    assert read_password_file(str(file)) == "se cret"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"secret\n\n", "more than one line"),
        (b"user:secret\nother\n", "more than one line"),
        (b"\xff\xfes\x00", "is not text"),
        (b"x" * 4097, "is longer than 4096 bytes"),
    ],
)
def test_a_file_without_a_password_is_a_mistake(
    mistakes: Mistakes, tmp_path: Path, content: bytes, why: str
) -> None:
    """It is told when the configuration is checked, and nothing of the file is."""
    file = tmp_path / "password"
    file.write_bytes(content)
    state = f"state: {{url: 'postgresql://u@h/d', password_file: {file}}}"
    (told,) = mistakes(f"accounts: [{{api_key: x}}]\n{state}\n")
    assert why in told
    assert "secret" not in told


def test_one_password_is_enough(mistakes: Mistakes, tmp_path: Path) -> None:
    """Nobody would know which of two is used."""
    file = tmp_path / "password"
    file.write_text("secret", encoding="utf-8")
    state = f"state: {{url: 'postgresql://u:p@h/d', password_file: {file}}}"
    (told,) = mistakes(f"accounts: [{{api_key: x}}]\n{state}\n")
    assert "cannot be combined with a password in state.url" in told


@pytest.mark.parametrize(("url", "code"), [("postgresql://u@h/d", 1), ("sqlite:///x.db", 0)])
def test_without_the_driver_the_extra_is_named(tmp_path: Path, url: str, code: int) -> None:
    """And those who keep the state in SQLite need none."""
    (tmp_path / "psycopg.py").write_text("raise ImportError\n", encoding="utf-8")
    file = tmp_path / "config.yaml"
    file.write_text(f"accounts: [{{api_key: x}}]\nstate: {{url: '{url}'}}\n", encoding="utf-8")
    path = f"{tmp_path}:{Path(__file__).parents[2]}"
    run = subprocess.run(  # noqa: S603 # the test's own words
        [sys.executable, "-m", "exporter", "check-config", str(file)],
        env={"PYTHONPATH": path, "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stderr
    assert ("install telnyx-sim-exporter[postgres]" in run.stderr) is (code == 1)
