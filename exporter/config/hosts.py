"""What the host of a URL is, by its spelling: an address, a name, this machine.

It must not resolve names.
"""

import ipaddress
import re
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NUMERIC = re.compile(r"[0-9A-Fa-fXx.]+")


def parse_address(host: str) -> Address | None:
    """Return the address that ``host`` spells, None for a name.

    It takes what the system's resolver takes for an address without asking anybody: ``127.1``
    and ``0x7f000001`` too. An IPv4 address inside an IPv6 one comes out as IPv4.
    """
    host = host.removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _NUMERIC.fullmatch(host):
            return None
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_literally_this_machine(host: str) -> bool:
    """Tell whether ``host`` is ``localhost`` or a loopback address in its usual spelling.

    Whatever else may mean this machine is a name to some resolvers, which decide where it leads.
    ``0.0.0.0`` and ``::`` count, as Linux connects them to this machine.
    """
    if host.lower() == "localhost":
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return is_this_machine(host)


def is_this_machine(host: str) -> bool:
    """Tell whether ``host`` is meant to be this machine, in any spelling.

    It is no promise where a connection to a name leads: `is_literally_this_machine` is stricter.
    """
    address = parse_address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    name = host.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")
