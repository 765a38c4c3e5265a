"""Whether the addresses of a host accept connections; nothing is sent.

It must not resolve names, or speak to whoever accepts.
"""

import asyncio
import errno
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

TIMEOUT = 3.0
"""Seconds until an address that does not answer counts as unreachable."""

_NO_ROUTE = {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


class Reached(StrEnum):
    """What became of a connection to an address."""

    CONNECTED = "connected"
    NO_ROUTE = "no route"
    REFUSED = "refused"
    SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class AddressReached:
    """An address, and whether it accepts connections."""

    address: str
    reached: Reached

    @property
    def family(self) -> str:
        """Return ``IPv4`` or ``IPv6``."""
        return "IPv6" if ":" in self.address else "IPv4"


async def reach(addresses: Sequence[str], port: int) -> tuple[AddressReached, ...]:
    """Connect to each of the addresses, all at a time; TIMEOUT is the longest that it takes."""
    found = await asyncio.gather(*(_reach(address, port) for address in addresses))
    return tuple(map(AddressReached, addresses, found))


async def _reach(address: str, port: int) -> Reached:
    try:
        async with asyncio.timeout(TIMEOUT):
            _, writer = await asyncio.open_connection(address, port)
    except TimeoutError:
        return Reached.SILENT
    except OSError as exc:
        return Reached.NO_ROUTE if exc.errno in _NO_ROUTE else Reached.REFUSED
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Reached.CONNECTED
