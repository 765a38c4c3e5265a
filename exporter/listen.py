"""Open the sockets that a server listens on: all of its addresses, or none.

It must not serve, or read addresses from text.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Sequence

from exporter.address import ListenAddress
from exporter.errors import UsageError


async def listen(addresses: Iterable[ListenAddress]) -> Sequence[socket.socket]:
    """Return a listening socket for each address, in their order.

    Raises UsageError, which names the address, if one cannot be had; nothing listens then.
    """
    with contextlib.ExitStack() as opened:
        sockets = []
        for address in addresses:
            try:
                bound = opened.enter_context(await _bind(address))
            except OSError as exc:
                raise UsageError(_advice(address, exc)) from exc
            # Connections inherit it. Else each answer on one that is kept waits some 40 ms for an
            # acknowledgement; asyncio does it only where a socket names its protocol.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(bound)
        opened.pop_all()
        return sockets


def bound_address(address: ListenAddress, bound: socket.socket) -> ListenAddress:
    """Return ``address`` with the port that the system chose."""
    port: int = bound.getsockname()[1]
    return ListenAddress(address.host, port)


async def _bind(address: ListenAddress) -> socket.socket:
    # `::` alone would shut out IPv4; programs in Go, as most exporters are, take it for both too.
    if address.host in {"", "::"}:
        return _bind_everywhere(address.port)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise socket.gaierror(socket.EAI_NONAME, str(exc)) from exc
    # localhost is 127.0.0.1 first, as other exporters have it.
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(place[:2], family=family)


def _bind_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as exc:
            # IPv6 can be compiled in and yet be switched off.
            if exc.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
    return socket.create_server(("", port))


def _advice(address: ListenAddress, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        why = "another program, or another address of the list, listens there"
        mend = "stop it, or choose another address"
    elif exc.errno == errno.EACCES:
        why, mend = "it is not allowed", "choose a port from 1024 on"
    elif isinstance(exc, socket.gaierror):
        why, mend = "there is no such host", "write an address of this machine"
    else:
        why, mend = os.strerror(exc.errno or errno.EINVAL), "write an address of this machine"
    return f"cannot listen on {address}: {why}; {mend} (--web.listen-address)"
