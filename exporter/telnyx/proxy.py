"""Which proxy is used for a URL, according to the usual environment variables.

It must only read the environment through its argument, and must not open connections. No error
quotes the URL of a proxy, because it may contain a password.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

import httpx

from exporter.config.hosts import Address, is_this_machine, parse_address
from exporter.errors import ConfigError

HTTPS_PORT = 443
LAST_PORT = 65535

_ENTRY = re.compile(
    r"(?:\[(?P<inner>[^\[\]]+)\](?P<bits>/[0-9]+)?|(?P<bare>[^\[\]:]+|[^\[\]:]*(?::[^\[\]:]*){2,}))"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_NAME = re.compile(r"\.?[\w-]+(\.[\w-]+)*\.?")
_SHORT_RANGE = re.compile(r"([0-9]+(?:\.[0-9]+){0,2})\.?(/[0-9]+)")
"""A range as macOS writes it and curl accepts it: without trailing zeros."""

_NUMBERS = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and the environment variable that names it; ``url`` may contain a password."""

    variable: str
    url: str = field(repr=False)


def find_proxy(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for ``url``; None for a direct connection.

    Only https is proxied, and never to this machine. Variables without effect are not checked.
    Raises ConfigError with one line that names the invalid variable.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or is_this_machine(host):
        return None
    variable, proxy = _variable(environ, "https_proxy")
    if not proxy:
        variable, proxy = _variable(environ, "all_proxy")
    if not proxy or _is_exempt(host, parts.port or HTTPS_PORT, *_variable(environ, "no_proxy")):
        return None
    return Proxy(variable, _proxy_url(variable, proxy))


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the name of a variable as it is set, and its value: lower case has precedence."""
    spelling = name if name in environ else name.upper()
    return spelling, environ.get(spelling, "").strip()


def _proxy_url(variable: str, value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host = httpx.URL(url).host.encode("idna")  # as for the connection
        sound = bool(host) and parts.port != 0 and not re.search(r"\s", url)
    except (ValueError, httpx.InvalidURL):
        parts, sound = SplitResult("", "", "", "", ""), False
    if url.lower().startswith("socks"):
        text = "is a SOCKS proxy, which is not supported; set HTTPS_PROXY to an HTTP proxy"
        raise ConfigError([f"{variable}: {text}, or add the host to NO_PROXY"])
    # With an unescaped / ? or # in the password, the part before it would be taken as the host.
    extra = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in {"http", "https"} or not sound or extra:
        text = "is not a valid proxy URL; use the form http://proxy.example.org:3128"
        raise ConfigError(
            [f"{variable}: {text}, and escape special characters in a password as %XX"]
        )
    return url


def _is_exempt(host: str, port: int, variable: str, value: str) -> bool:
    """Tell whether the entries of ``value`` exempt a host. Raises ConfigError."""
    entries = [entry for entry in re.split(r"[\s,]+", value) if entry]
    exempt = "*" in entries
    for entry in () if exempt else entries:
        try:
            exempt |= _matches(entry, host, port)
        except ValueError:
            text = f"{entry[:80]!r} is not a host name, an IP address or a range"
            raise ConfigError([f"{variable}: {text}; correct or remove it"]) from None
    return exempt


def _matches(entry: str, host: str, port: int) -> bool:
    """Tell whether an entry matches a host. Raises ValueError if the entry is invalid."""
    found = _ENTRY.fullmatch(entry)
    if found is None or not 0 < int(found["port"] or HTTPS_PORT) <= LAST_PORT:
        raise ValueError
    text = f"{found['inner'] or found['bare']}{found['bits'] or ''}"
    address = parse_address(host)
    if "/" in text:
        network = _network(text)
        same = address is not None and address in network
    elif ":" in text or _NUMBERS.fullmatch(text):
        same = address == _address(text)
    elif _NAME.fullmatch(name := text[1:] if text.startswith("*.") else text):
        domain = name.strip(".").encode("idna").decode().lower()
        below = host.lower().removesuffix(".").endswith(f".{domain}")
        same = below or (host.lower().removesuffix(".") == domain and name[0] != ".")
    else:
        raise ValueError
    return same and found["port"] in {None, str(port)}


def _address(text: str) -> Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    short = _SHORT_RANGE.fullmatch(text)
    if short is not None:
        text = f"{short[1]}{'.0' * (3 - short[1].count('.'))}{short[2]}"
    network = ipaddress.ip_network(text, strict=False)
    inner = _address(str(network.network_address))
    before = network.max_prefixlen - inner.max_prefixlen
    if before > network.prefixlen:
        return network
    return ipaddress.ip_network((str(inner), network.prefixlen - before))
