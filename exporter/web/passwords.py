"""Check user names and passwords against bcrypt hashes, without holding up anybody else.

A password that was right is remembered, as a keyed digest. Checks run one at a time on a
thread; a name that does not exist costs as much as one that does. It must not speak HTTP.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import bcrypt

MAX_REMEMBERED = 256
"""Right passwords that are remembered; wrong ones cannot crowd them out."""

MAX_WAITING = 32
"""Checks that wait for their turn, at most."""

MAX_WAITING_EACH = 4
"""Of them from one address, so that others have a chance."""

_BYTES = 72
"""bcrypt looks at no more of a password; the library refuses what others cut."""


class Verdict(Enum):
    """What came of a check."""

    RIGHT = "right"
    WRONG = "wrong"
    BUSY = "busy"
    """Too many checks wait already."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client sent."""

    name: bytes
    password: bytes = field(repr=False)


class Passwords:
    """Checks credentials, and remembers which were right."""

    def __init__(self, compare: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        """Compare a password and a hash by ``compare``, which runs on a thread."""
        self._compare = compare
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[bool]] = {}
        self._waiting: Counter[str] = Counter()
        self._turn = asyncio.Lock()

    async def check(self, users: Mapping[bytes, bytes], sent: Credentials, client: str) -> Verdict:
        """Tell whether ``sent`` is right by ``users``, at least one; ``client`` is an address."""
        known = users.get(sent.name)
        expected = self._stand_in(users, sent.name) if known is None else known
        mark = self._digest(sent.name, expected, sent.password)
        if known is not None and mark in self._right:
            self._right.move_to_end(mark)
            return Verdict.RIGHT
        running = self._running.get(mark)
        if running is None:
            if self._waiting.total() >= MAX_WAITING or self._waiting[client] >= MAX_WAITING_EACH:
                return Verdict.BUSY
            running = self._start(mark, sent.password, expected, client)
        # Others may wait for the same answer: who gives up must not end it for them.
        if not await asyncio.shield(running) or known is None:
            return Verdict.WRONG
        self._remember(mark)
        return Verdict.RIGHT

    def _start(
        self, mark: bytes, password: bytes, expected: bytes, client: str
    ) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._compared(password[:_BYTES], expected))
        self._running[mark] = task
        self._waiting[client] += 1

        def release(_: asyncio.Task[bool]) -> None:
            del self._running[mark]
            self._waiting -= Counter((client,))

        task.add_done_callback(release)
        return task

    async def _compared(self, password: bytes, expected: bytes) -> bool:
        async with self._turn:
            return await asyncio.to_thread(self._compare, password, expected)

    def _remember(self, mark: bytes) -> None:
        self._right[mark] = None
        if len(self._right) > MAX_REMEMBERED:
            self._right.popitem(last=False)

    def _digest(self, *parts: bytes) -> bytes:
        lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
        return hmac.digest(self._secret, lengths + b"".join(parts), hashlib.sha256)

    def _stand_in(self, users: Mapping[bytes, bytes], name: bytes) -> bytes:
        """Return the hash to compare with for a name that is none: that of some user.

        It costs what hashes here cost, and the same for a name each time: time tells nothing.
        """
        hashes = sorted(users.values())
        return hashes[int.from_bytes(self._digest(name)[:8], "big") % len(hashes)]
