"""Says what an error of PostgreSQL, or on the way to it, means and what helps. No I/O."""

import re

import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from exporter.ledger.store.file_lock import RESTORE

_AGAIN = "it is tried again"
_PRIMARY = "point state.url at the primary server"
_LOGIN = "check the user in state.url and its password in state.password_file"
_CREATE = "create it, or correct its name in state.url"
_STOPPING = "the server is restarting; it is tried again"
_CONNECTIONS = "end other clients, or raise max_connections or the pool's size"
_CERTIFICATE = (
    "check the host in state.url and that the server's certificate has not expired, "
    "or set sslrootcert in state.url to the PEM file of its CA"
)
_TABLES = (
    "another release, or another program, has changed its tables; run the release that did, "
    "or set state.url to another database"
)

_REMEDIES = {
    "08P01": "check the pooler, and that it pools transactions or sessions",
    "23505": _AGAIN,
    "25006": _PRIMARY,
    "25P03": _AGAIN,
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": _CREATE,
    "3F000": "create the schema, or correct the role's search_path",
    "40001": _AGAIN,
    "40P01": _AGAIN,
    "42501": "make the role of state.url the owner of its database, or grant it what it lacks",
    "42703": _TABLES,
    "42P01": _TABLES,
    "53100": "free disk space on the database's server",
    "53200": "give the database's server more memory",
    "53300": _CONNECTIONS,
    "55P03": "another transaction holds a lock for long; end it if it does not",
    "57014": "it took too long; check the load of the database's server",
    "57P01": _STOPPING,
    "57P02": _STOPPING,
    "57P03": _STOPPING,
    "58030": "check the disk of the database's server",
    "XX001": RESTORE,
    "XX002": RESTORE,
}
"""The remedy for each SQLSTATE."""

ENDING = {"25006", "57P01", "57P02", "57P03"}
"""The states after which a connection is of no use: the server is stopping, or not the primary."""

CHANGED_TABLES = {"42703", "42P01"}
"""The states of a database whose tables are not those that were there before."""

_PHRASES = (
    (r"password authentication failed|no password supplied|SASL|role .* does not exist", _LOGIN),
    (r"no pg_hba\.conf entry|no such user", "allow the user and host in the server's pg_hba.conf"),
    (r"database .* does not exist|no such database", _CREATE),
    (r"too many (?:clients|connections)|connection slots|no more connections", _CONNECTIONS),
    (r"read-only|not read.write|hot standby", _PRIMARY),
    (r"system is (?:starting up|shutting down|in recovery)|not yet accepting", _STOPPING),
    (r"certificate verify failed|does not match host name|root certificate", _CERTIFICATE),
    (r"private key file", "check sslkey, and sslpassword, in state.url"),
    (r"does not support SSL", "turn TLS on in the server, or choose another sslmode"),
    (r"refused", "start the server, or check host and port in state.url"),
    (r"(?:translate|resolve) host name|Name or service", "check the host in state.url"),
    (r"time(?:out expired|d out)|unreachable|No route", "check the network and the server"),
    (r"pgbouncer|server_login|query_wait_timeout", "check the pooler and the server behind it"),
    (r"permission denied|must be owner", _REMEDIES["42501"]),
    (r"server closed the connection|connection (?:is closed|was|reset|lost)|EOF", _AGAIN),
)
"""Remedies for errors without an SQLSTATE, as all are while connecting."""

_ADDRESS = re.compile(r"^(?:connection failed: )?(?:connection to server at .*? failed: )?")
_SEVERITY = re.compile(r"^(?:FATAL|ERROR|PANIC):\s+")


def sqlstate(exc: BaseException) -> str | None:
    """Return the SQLSTATE of an error of the driver, which SQLAlchemy may have wrapped."""
    original = getattr(exc, "orig", None) or exc
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def error_text(exc: BaseException) -> str:
    """Return the error and its remedy in one line, without the statement and its parameters."""
    if isinstance(exc, PoolTimeoutError):
        return "too many queries at once; it is free again in a moment"
    original = getattr(exc, "orig", None) or exc
    code = sqlstate(exc)
    diagnostics = original.diag.message_primary if isinstance(original, psycopg.Error) else None
    line = diagnostics or str(original).strip().partition("\n")[0]
    line = _SEVERITY.sub("", _ADDRESS.sub("", line)) or type(original).__name__
    remedy = _REMEDIES.get(code or "") or next(
        (remedy for phrase, remedy in _PHRASES if re.search(phrase, str(original))), None
    )
    return f"{line}; {remedy}" if remedy else line
