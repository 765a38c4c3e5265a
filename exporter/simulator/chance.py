"""Repeatable chance: the same seed, stream and number always give the same rolls.

It holds no position, so what is rolled for one thing never depends on how many other things
were rolled for before it. It must not be used for anything that has to be unguessable.
"""

import hashlib
import struct
from collections.abc import Sequence
from itertools import accumulate

_ROLLS = struct.Struct("<8Q")


class Chance:
    """Rolls by number, from one seed and one named stream."""

    def __init__(self, seed: int, stream: str) -> None:
        """Start the ``stream`` of ``seed``; streams are independent of each other."""
        self._hash = hashlib.blake2b(f"{seed}/{stream}/".encode(), digest_size=_ROLLS.size)

    def rolls(self, number: int) -> tuple[float, ...]:
        """Return the eight rolls of ``number``, each above 0 and below 1."""
        digest = self._hash.copy()
        digest.update(b"%d" % number)
        # 52 bits and a half: the nearest to 0 and to 1 are then never rounded onto them.
        return tuple(((word >> 12) + 0.5) / 2**52 for word in _ROLLS.unpack(digest.digest()))

    def roll(self, number: int) -> float:
        """Return the first roll of ``number``."""
        return self.rolls(number)[0]

    def bits(self, number: int, width: int) -> int:
        """Return ``width`` bits, at most 512, of ``number``."""
        digest = self._hash.copy()
        digest.update(b"%d" % number)
        return int.from_bytes(digest.digest(), "little") >> (8 * _ROLLS.size - width)


def choose(roll: float, weighted: Sequence[tuple[str, float]]) -> str:
    """Return the name on which ``roll`` (0 to 1) falls, each as wide as its weight."""
    bounds = list(accumulate(weight for _, weight in weighted))
    target = roll * bounds[-1]
    for (name, _), bound in zip(weighted, bounds, strict=True):
        if target < bound:
            return name
    return weighted[-1][0]
