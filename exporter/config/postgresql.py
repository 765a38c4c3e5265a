"""The URL of a PostgreSQL database, and the file with its password: what is accepted, and why not.

It takes what libpq takes, less what can be said in two ways. It must not connect, and never
quotes a value.
"""

import re
from urllib.parse import parse_qsl, urlsplit

from exporter.config.mistakes import invalid, redact_long_name, suggestion
from exporter.reading import read_file

SCHEME = "postgresql"

_EXAMPLE = "write it like postgresql://USER@HOST/DATABASE?sslmode=verify-full"
_ENCODE = "percent-encode special characters in user name, password and database name"
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]+")
_PORT = re.compile(r"[0-9]{1,5}")
_LONGEST_PORT = 65535
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ELSEWHERE = ("user", "password", "dbname")
"""Parameters of libpq that have a place of their own in the URL."""

_LONGEST_PASSWORD = 4096


def is_postgresql(url: str) -> bool:
    """Tell whether the valid ``url`` is that of a PostgreSQL database."""
    return url.startswith(f"{SCHEME}:")


def has_password(url: str) -> bool:
    """Tell whether the valid ``url`` has a password in it."""
    return bool(urlsplit(url).password)


def without_secrets(url: str) -> str:
    """Return the valid ``url`` without a password, and without parameters: some are secrets too."""
    if not is_postgresql(url):
        return url
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return f"{SCHEME}://{user.partition(':')[0]}{at}{host}{parts.path}"


def read_postgresql_url(url: str) -> str:
    """Return ``url`` if it names a database on a PostgreSQL server; postgres:// is postgresql://.

    Raises the error of `invalid`, also if the driver is not installed.
    """
    scheme, _, rest = url.partition(":")
    if "+" in scheme:
        raise invalid(f"names a driver; {_EXAMPLE}")
    if "#" in url:
        raise invalid(f"contains #; {_ENCODE}")
    url = f"{SCHEME}:{rest}"
    try:
        parts = urlsplit(url)
        sound = rest.startswith("//") and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc.rpartition("@")[0]:
        raise invalid(f"is not a URL of PostgreSQL; {_EXAMPLE}, and {_ENCODE}")
    database = parts.path.removeprefix("/")
    if not database:
        raise invalid(f"does not name a database; {_EXAMPLE}")
    if re.search("[/@:]", database):
        raise invalid(f"has / @ or : in the name of the database; {_ENCODE}")
    parameters = _parameters(parts.query)
    _check_hosts(parts.hostname, parts.port, parameters)
    mode = parameters.get("sslmode", "prefer")
    if mode not in _SSL_MODES:
        raise invalid(f"has an unknown sslmode; {suggestion(mode, _SSL_MODES)}")
    return url


def read_password_file(path: str) -> str:
    """Return the password in the file, without a line break at its end.

    Raises ValueError with what is wrong; the text quotes neither the password nor the path.
    """
    try:
        text = read_file(path, _LONGEST_PASSWORD).decode()
    except UnicodeDecodeError:
        text = "\0"
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise ValueError("the file is empty; put the password there")
    if not password.isprintable():
        raise ValueError(
            "the file contains more than one line, or is not text; put the password alone there"
        )
    return password


def _parameters(query: str) -> dict[str, str]:
    """Return the parameters of a URL by name, each of which libpq knows."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise invalid("has a parameter without =; write ?NAME=VALUE&NAME=VALUE") from None
    known = _libpq_parameters()
    parameters: dict[str, str] = {}
    for name, value in pairs:
        shown = redact_long_name(name)
        if name in _ELSEWHERE:
            raise invalid(
                f"has the parameter {shown}; write postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        if name not in known:
            near = suggestion(name, known)
            remedy = near if near.startswith("did you") else "remove it"
            raise invalid(f"has the parameter {shown}, which PostgreSQL does not know; {remedy}")
        if name in parameters:
            raise invalid(f"has the parameter {shown} twice; keep one, with commas between hosts")
        if not value:
            raise invalid(f"has the parameter {shown} without a value; set it, or remove it")
        parameters[name] = value
    return parameters


def _check_hosts(host: str | None, port: int | None, parameters: dict[str, str]) -> None:
    """Raise if no server, or one in two ways, is named."""
    listed = parameters.get("host")
    if listed is None and host is None:
        raise invalid(
            "does not name a host, so the driver would choose one; "
            f"{_EXAMPLE}, or ?host=/run/postgresql for a socket"
        )
    if listed is None:
        if not _HOST.fullmatch(host or ""):
            raise invalid(
                f"has an invalid host name; {_EXAMPLE}, "
                "or ?host=HOST,HOST&port=5432,5432 for several"
            )
        return
    if host is not None or port is not None:
        raise invalid("names a host before the database and as a parameter; keep one of the two")
    hosts = listed.split(",")
    if not all(each.startswith("/") or _HOST.fullmatch(each) for each in hosts):
        raise invalid("has an invalid host; write ?host=HOST,HOST, or ?host=/run/postgresql")
    ports = parameters.get("port", "").split(",")
    if "port" in parameters and not (
        len(ports) == len(hosts)
        and all(_PORT.fullmatch(each) and 0 < int(each) <= _LONGEST_PORT for each in ports)
    ):
        raise invalid("does not have one port for each host; write &port=5432,5432")


def _libpq_parameters() -> tuple[str, ...]:
    # Only those who use PostgreSQL have it, and need the time that it takes.
    try:
        from psycopg import pq  # noqa: PLC0415
    except ImportError:
        raise invalid(
            "needs the driver of PostgreSQL; install telnyx-sim-exporter[postgres]"
        ) from None
    return tuple(option.keyword.decode() for option in pq.Conninfo.get_defaults())
