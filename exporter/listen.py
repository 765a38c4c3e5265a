"""Opens the listening sockets of a server: for all of its addresses, or none.

It must not serve, or parse addresses.
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
    """Return a listening socket for each address, in the same order.

    Raises UsageError, which names the address, if one cannot be opened; then none is.
    """
    with contextlib.ExitStack() as opened:
        sockets = []
        for address in addresses:
            try:
                bound = opened.enter_context(await _bind(address))
            except OSError as exc:
                raise UsageError(_message(address, exc)) from exc
            # Inherited by connections. Without it, each response on a persistent connection waits
            # some 40 ms for an acknowledgement; asyncio only sets it on sockets with a protocol.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(bound)
        opened.pop_all()
        return sockets


def bound_address(address: ListenAddress, bound: socket.socket) -> ListenAddress:
    """Return ``address`` with the port that the system selected."""
    port: int = bound.getsockname()[1]
    return ListenAddress(address.host, port)


async def _bind(address: ListenAddress) -> socket.socket:
    # `::` alone would exclude IPv4; programs in Go, like most exporters, use it for both.
    if address.host in {"", "::"}:
        return _bind_everywhere(address.port)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise socket.gaierror(socket.EAI_NONAME, str(exc)) from exc
    # For localhost prefer 127.0.0.1, like other exporters.
    family, _, _, _, place = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(place[:2], family=family)


def _bind_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as exc:
            # IPv6 can be compiled in but disabled.
            if exc.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
    return socket.create_server(("", port))


def _message(address: ListenAddress, exc: OSError) -> str:
    if exc.errno == errno.EADDRINUSE:
        reason = "the address is in use by another process or another --web.listen-address"
        remedy = "stop that process, or use another address"
    elif exc.errno == errno.EACCES:
        reason, remedy = "permission denied", "use a port of 1024 or higher"
    elif isinstance(exc, socket.gaierror):
        reason, remedy = "the host name cannot be resolved", "use an address of this machine"
    else:
        reason = os.strerror(exc.errno or errno.EINVAL)
        remedy = "use an address of this machine"
    return f"cannot listen on {address}: {reason}; {remedy} (--web.listen-address)"
