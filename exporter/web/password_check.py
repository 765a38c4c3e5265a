"""Checks user names and passwords against bcrypt hashes, without blocking other requests.

Correct passwords are cached as keyed digests. Checks run one at a time on a thread: those of
unknown addresses use at most half a core, those of addresses that guess at most a quarter. An
unknown user name takes as long as a known one. It must not know HTTP, or decide the order of checks
(`password_queue`).
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

import bcrypt

from exporter.web.client_network import client_network
from exporter.web.connection_limiter import MAX_CONNECTIONS
from exporter.web.password_queue import PasswordQueue, Reputation

MAX_REMEMBERED = 256
"""Correct passwords that are cached; wrong ones cannot displace them."""

SHARE = 4
"""One in this many connections may wait for a check; the same number may share a waiting check.

Without these limits, waiting requests could use up all connections, and everybody would get a 503.
"""

PAUSES = {Reputation.GOOD: 0.0, Reputation.UNKNOWN: 1.0, Reputation.GUESSING: 3.0}
"""Pauses after a wrong password, as multiples of the duration of its check."""

_BYTES = 72
"""bcrypt ignores the rest of a password; the library rejects longer ones."""


class CheckResult(Enum):
    """The result of a check."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"
    """Too many checks are waiting."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user name and password that a client sent."""

    name: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Check:
    """One comparison, shared by concurrent requests of one address with the same credentials."""

    fingerprint: bytes
    password: bytes = field(repr=False)
    expected: bytes = field(repr=False)
    known: bool
    """Whether the user name exists."""
    client: str
    result: asyncio.Future[CheckResult]


class PasswordChecker:
    """Checks credentials, and caches correct ones."""

    def __init__(
        self,
        compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw,
        *,
        connection_limit: Callable[[], int] = lambda: MAX_CONNECTIONS,
    ) -> None:
        """Compare passwords and hashes with ``compare``, which runs on a thread.

        ``connection_limit`` returns how many connections may be open now.
        """
        self._compare = compare
        self._connection_limit = connection_limit
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._checks: dict[tuple[bytes, str], _Check] = {}
        self._queue: PasswordQueue[_Check] = PasswordQueue()
        self._sharing = 0
        self._came = asyncio.Event()
        self._ended = 0.0
        self._took = 0.0
        self._worker: asyncio.Task[None] | None = None

    async def check(
        self, users: Mapping[bytes, bytes], sent: Credentials, client: str
    ) -> CheckResult:
        """Check ``sent`` against ``users``, which must not be empty; ``client`` is an address."""
        known = users.get(sent.name)
        expected = self._stand_in(users, sent.name) if known is None else known
        fingerprint = self._digest(sent.name, expected, sent.password)
        if known is not None and fingerprint in self._right:
            self._right.move_to_end(fingerprint)
            self._queue.record(client, right=True)
            return CheckResult.RIGHT
        check = self._checks.get((fingerprint, client_network(client)))
        if check is None:
            result = asyncio.get_running_loop().create_future()
            password = sent.password[:_BYTES]
            check = _Check(fingerprint, password, expected, known is not None, client, result)
            self._wait(check, sent.name)
            # Shielded, because other requests may wait for the same check.
            return await asyncio.shield(check.result)
        # Limited, because a client may send it, disconnect and send it again.
        if self._sharing >= self._connection_limit() // SHARE:
            return CheckResult.BUSY
        self._sharing += 1
        try:
            return await asyncio.shield(check.result)
        finally:
            self._sharing -= 1

    def _wait(self, check: _Check, name: bytes) -> None:
        self._checks[check.fingerprint, client_network(check.client)] = check
        places = self._connection_limit() // SHARE
        displaced = self._queue.add(check.client, check, places, name=name)
        if displaced is not None:
            self._end(displaced).set_result(CheckResult.BUSY)
        self._came.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="passwords")

    async def _work(self) -> None:
        while self._queue:
            rested = time.monotonic() - self._ended
            left = {reputation: times * self._took - rested for reputation, times in PAUSES.items()}
            check = self._queue.pop(
                max(reputation for reputation in Reputation if left[reputation] <= 0)
            )
            if check is not None:
                await self._compared(check)
                continue
            self._came.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._came.wait(), min(each for each in left.values() if each > 0)
                )

    async def _compared(self, check: _Check) -> None:
        begun = time.monotonic()
        # Another request may have had it checked while this one was waiting.
        same = check.fingerprint in self._right
        if not same:
            found = asyncio.ensure_future(
                asyncio.to_thread(self._compare, check.password, check.expected)
            )
            await asyncio.wait({found})
            if error := found.exception():
                self._end(check).set_exception(error)
                return
            same = found.result()
        right = same and check.known
        if right:
            self._remember(check.fingerprint)
        else:
            self._ended = time.monotonic()
            self._took = self._ended - begun
        self._queue.record(check.client, right=right)
        self._end(check).set_result(CheckResult.RIGHT if right else CheckResult.WRONG)

    def _end(self, check: _Check) -> asyncio.Future[CheckResult]:
        del self._checks[check.fingerprint, client_network(check.client)]
        return check.result

    def _remember(self, fingerprint: bytes) -> None:
        self._right[fingerprint] = None
        if len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)

    def _digest(self, *parts: bytes) -> bytes:
        lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
        return hmac.digest(self._secret, lengths + b"".join(parts), hashlib.sha256)

    def _stand_in(self, users: Mapping[bytes, bytes], name: bytes) -> bytes:
        """Return the hash to compare with for an unknown user name: that of some user.

        The choice is the same for a name each time, so that the duration reveals nothing.
        """
        hashes = sorted(users.values())
        return hashes[int.from_bytes(self._digest(name)[:8], "big") % len(hashes)]
