"""Looks up the addresses of names, on threads of its own: a look-up that hangs holds up no other.

It must not connect, and must use no thread that others wait for.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from exporter.clock import Clock
from exporter.errors import DeliveryError

T = TypeVar("T")

INTERVAL = 30.0
"""Seconds for which addresses are used before they are looked up again."""

TIMEOUT = 5.0
"""Seconds that a look-up is waited for. It goes on, and until it ends there is no second one."""

MOST = 100
"""Names that are remembered; redirects lead anywhere."""

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host and port; raises OSError."""


async def in_thread(name: str, call: Callable[[], T]) -> T:
    """Return the result of ``call``, which may block for ever, from a thread of its own.

    The thread does not prevent the process from exiting. Raises DeliveryError if none can be
    started, else what ``call`` raises.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type] # without an error it is a T

    def run() -> None:
        value, error = None, None
        try:
            value = call()
        except Exception as exc:  # noqa: BLE001 # raised where it is awaited
            error = exc
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, value, error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as exc:
        text = "no thread can be started; raise the limit on threads"
        raise DeliveryError(text) from exc
    return await result


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the system resolves it; raises OSError."""
    found = await in_thread(
        f"looking up {host}", lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(slots=True, eq=False)
class _Name:
    looking_up: "asyncio.Task[Sequence[str]] | None" = None
    began: float = 0.0
    found: tuple[str, ...] = ()


class Names:
    """The addresses of names, each looked up again in turn."""

    def __init__(self, clock: Clock, resolver: Resolver) -> None:
        """Know none yet."""
        self._clock = clock
        self._resolver = resolver
        self._names: dict[tuple[str, int], _Name] = {}

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return at least one address, in the order in which to try them.

        Those known before are used while a new look-up hangs or fails. Raises DeliveryError.
        """
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return (host,)
        known = self._remembered(host, port)
        now = self._clock.monotonic()
        idle = known.looking_up is None or known.looking_up.done()
        if idle and (not known.found or now >= known.began + INTERVAL):
            known.looking_up = asyncio.ensure_future(self._resolver(host, port))
            known.began = now
        task = known.looking_up
        if task is not None and now < known.began + TIMEOUT:
            await asyncio.wait({task}, timeout=known.began + TIMEOUT - now)
        if task is not None and task.done() and not task.cancelled():
            if known.looking_up is task:  # taken over once, so that the preferred order stays
                known.looking_up = None
            error = task.exception()
            if error is None:
                # The HTTP library cannot connect to an address with a zone.
                found = tuple(each for each in task.result() if "%" not in each)
                known.found = found or known.found
            elif not known.found:
                if isinstance(error, (OSError, UnicodeError, DeliveryError)):
                    text = f"the look-up of {host} failed ({error})"
                    raise DeliveryError(text) from error
                raise error
        if known.found:
            return known.found
        reason = "has no address" if task and task.done() else "does not answer"
        raise DeliveryError(f"the look-up of {host} {reason}; check the target and DNS")

    def prefer(self, host: str, port: int, address: str) -> None:
        """Try an address first from now on, as it was connected to."""
        known = self._names.get((host, port))
        if known is not None and address in known.found:
            rest = (each for each in known.found if each != address)
            known.found = (address, *rest)

    def close(self) -> None:
        """Wait for no look-up any more."""
        for each in self._names.values():
            if each.looking_up is not None:
                each.looking_up.cancel()

    def _remembered(self, host: str, port: int) -> _Name:
        if (host, port) not in self._names and len(self._names) >= MOST:
            self._names = {
                key: each
                for key, each in self._names.items()
                if each.looking_up is not None and not each.looking_up.done()
            }
            if len(self._names) >= MOST:
                raise DeliveryError("too many look-ups do not answer; check DNS")
        return self._names.setdefault((host, port), _Name())
