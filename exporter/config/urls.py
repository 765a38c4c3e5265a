"""Types of settings that locate something: API, database, listening address, file.

It must not open or connect to what they name.
"""

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import idna
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from exporter.address import parse_listen_address
from exporter.config.hosts import is_literally_this_machine
from exporter.config.mistakes import invalid
from exporter.config.postgresql import read_postgresql_url

_LONGEST_LABEL = 63
_LONGEST_HOST = 253
"""Characters, by the domain name system."""

_AFTER_BRACKET = re.compile(r".*\](:[0-9]*)?")
_PLAIN = r"A-Za-z0-9_~!&'()*+,;=:@-"
# Neither "." nor "..", said without a lookahead: the regular expressions of Go have none.
_SEGMENT = rf"(?:\.{{0,2}}[{_PLAIN}]|\.\.\.)[.{_PLAIN}]*"
_PATH = rf"/*(?:{_SEGMENT}(?:/{_SEGMENT})*)?/*"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\.?")


def as_printable_text(value: object) -> str:
    """Return ``value`` if it is text of printable characters, at least one."""
    if value is None or value == "":
        raise invalid("is empty; set a value, or remove the key")
    if not isinstance(value, str):
        raise invalid("must be text; put it in quotes")
    if not value.isprintable():
        raise invalid("contains a control character; remove it")
    return value


def _web_address(url: str, example: str) -> SplitResult:
    """Return the parts of ``url`` if it is http or https to a host."""
    try:
        parts = urlsplit(url)
        sound = parts.port != 0 and not re.search(r"\s", url) and _is_host(parts.hostname or "")
        sound = sound and ("[" not in parts.netloc or bool(_AFTER_BRACKET.fullmatch(parts.netloc)))
    except ValueError:
        parts, sound = SplitResult("", "", "", "", ""), False
    if parts.scheme not in {"http", "https"} or not sound:
        raise invalid(f"is not an http or https URL; write it like {example}")
    return parts


def _bare_address(url: str, example: str) -> SplitResult:
    """Return the parts of a URL to which paths are appended."""
    parts = _web_address(url, example)
    if parts.username is not None or parts.query or parts.fragment:
        raise invalid(f"must not contain a user name, ? or #; write it like {example}")
    return parts


def _base_url(value: object) -> str:
    url = as_printable_text(value)
    example = "https://api.telnyx.com/v2"
    parts = _bare_address(url, example)
    if parts.scheme == "http" and not is_literally_this_machine(parts.hostname or ""):
        raise invalid(
            "could send the API key unencrypted to another host; "
            "use https, or http with localhost, 127.0.0.1 or [::1]"
        )
    if not _is_connectable(parts.hostname or ""):
        raise invalid(f"has an invalid host name; write it like {example}")
    return url.rstrip("/")


def _alertmanager_url(value: object) -> str:
    url = as_printable_text(value)
    example = "http://alertmanager.example.org:9093"
    parts = _bare_address(url, example)
    if not _is_connectable(parts.hostname or ""):
        raise invalid(f"has an invalid host name; write it like {example}")
    path = parts.path.rstrip("/")
    if re.search(r"/api(/v[0-9]+(/alerts)?)?$", path):
        raise invalid(
            f"contains the path of the API, which is added to it; write it like {example}"
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def _link_url(value: object) -> str:
    url = as_printable_text(value)
    parts = _web_address(url, "https://grafana.example.org/d/uid")
    if parts.username is not None:
        raise invalid(
            "contains a user name, which everyone who opens the page would see; remove it"
        )
    return url


def _external_url(value: object) -> str:
    parts = _bare_address(as_printable_text(value), "https://example.org/telnyx/")
    return f"{parts.scheme}://{parts.netloc}{_path(parts.path)}".rstrip("/")


def _route_prefix(value: object) -> str:
    return _path(as_printable_text(value))


def _path(path: str) -> str:
    """Return a path with a leading slash and without a trailing one; ``/`` for the root."""
    if not re.fullmatch(_PATH, path):
        raise invalid("has a path that some proxies would change; write it like /telnyx")
    return f"/{path.strip('/')}"


def is_host(host: str) -> bool:
    """Tell whether ``host`` is a name or an address that can be connected to."""
    return _is_host(host) and _is_connectable(host)


def is_proxy(url: str) -> bool:
    """Tell whether ``url`` is that of an HTTP proxy: no path, perhaps a user name."""
    try:
        parts = _web_address(url, "")
    except PydanticCustomError:
        return False
    extra = parts.path.strip("/") or parts.query or parts.fragment
    return url.isprintable() and not extra and _is_connectable(parts.hostname or "")


def origin_of(url: str) -> tuple[str, str, int, str]:
    """Return what two spellings of a valid URL have in common: scheme, host, port and path."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    if _is_address(host):
        host = ipaddress.ip_address(host).compressed
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, host, port, parts.path.rstrip("/")


def _is_connectable(host: str) -> bool:
    """Tell whether the HTTP library accepts ``host``, which it decodes if it begins with xn--."""
    if not host.lower().startswith("xn--"):
        return True
    try:
        idna.decode(host)
    except UnicodeError:
        return False
    return True


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # the HTTP library cannot connect to an address with a zone


def _is_host(host: str) -> bool:
    # The HTTP library takes four numbers for an address only where each is decimal and in bounds.
    quad = re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host)
    if _is_address(host):
        return True
    short = len(host) <= _LONGEST_HOST and max(map(len, host.split("."))) <= _LONGEST_LABEL
    return bool(_HOST.fullmatch(host)) and ".." not in host and not quad and short


def _state_url(value: object) -> str:
    url = as_printable_text(value)
    if url in {"sqlite://", "sqlite:///:memory:"}:
        return url
    if re.match(r"postgres(ql)?(\+\w*)?:", url):
        return read_postgresql_url(url)
    remedy = "write sqlite:///file.db, or sqlite:////var/lib/file.db for a path from the root"
    if not url.startswith("sqlite:"):
        raise invalid(
            f"is not an SQLite or PostgreSQL URL; {remedy}, or postgresql://USER@HOST/DATABASE"
        )
    if not url.removeprefix("sqlite:///").strip("/") or not url.startswith("sqlite:///"):
        raise invalid(f"does not name a file; {remedy}")
    if "?" in url or url.endswith("/"):
        raise invalid(f"must end with a file name, without ?; {remedy}")
    return url


def _listen_address(value: object) -> str:
    listen = as_printable_text(value)
    try:
        parse_listen_address(listen)
    except ValueError:
        # The parser's own message quotes the value.
        raise invalid("is not HOST:PORT; write it like :10874 or 127.0.0.1:10874") from None
    return listen


def _one_or_more(value: object) -> object:
    """Return the items of a list, or a single text as the only one."""
    if isinstance(value, (list, tuple)):
        if not value:
            raise invalid("is empty; write at least one HOST:PORT")
        return value
    return (_listen_address(value),)


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    parsed = [parse_listen_address(value) for value in values]
    for index, address in enumerate(parsed):
        for before in parsed[:index]:
            if before.covers(address) or address.covers(before):
                raise invalid("overlaps with another address in the list; remove one", at=index)
    return values


FilePath = Annotated[str, BeforeValidator(as_printable_text)]
BaseUrl = Annotated[str, BeforeValidator(_base_url)]
AlertmanagerUrl = Annotated[str, BeforeValidator(_alertmanager_url)]
LinkUrl = Annotated[str, BeforeValidator(_link_url)]
ExternalUrl = Annotated[str, BeforeValidator(_external_url)]
RoutePrefix = Annotated[
    str,
    BeforeValidator(_route_prefix),
    WithJsonSchema({"type": "string", "minLength": 1, "pattern": rf"^{_PATH}$|\$\{{"}),
]
StateUrl = Annotated[str, BeforeValidator(_state_url)]
ListenAddresses = Annotated[
    tuple[Annotated[str, BeforeValidator(_listen_address)], ...],
    BeforeValidator(_one_or_more),
    AfterValidator(_each_once),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ]
        }
    ),
]
