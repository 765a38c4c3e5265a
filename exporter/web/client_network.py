"""Which addresses count as one client.

Pure. It must not decide what a client is allowed to do.
"""

import ipaddress

_CUSTOMER_BITS = 64


def client_network(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 network of an IPv6 address.

    A customer usually has such a network, and can use any address in it.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _CUSTOMER_BITS), strict=False))
