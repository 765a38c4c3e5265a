"""Reproducible random numbers: the same seed, stream and number always give the same values.

It keeps no position, so what is drawn for one thing never depends on how many other things
were drawn before it. It must not be used for anything that has to be unguessable.
"""

import hashlib
import math
import struct
from collections.abc import Sequence
from itertools import accumulate

_DIGEST = struct.Struct("<8Q")


class RandomSource:
    """Random values by number, from one seed and one named stream.

    The names of the streams are part of what a seed produces: with another name, the same seed
    gives another account.
    """

    def __init__(self, seed: int, stream: str) -> None:
        """Open the ``stream`` of ``seed``; streams are independent of each other."""
        self._hash = hashlib.blake2b(f"{seed}/{stream}/".encode(), digest_size=_DIGEST.size)

    def uniforms(self, number: int) -> tuple[float, ...]:
        """Return the eight uniform values of ``number``, each above 0 and below 1."""
        digest = self._hash.copy()
        digest.update(b"%d" % number)
        return tuple(map(_uniform, _DIGEST.unpack(digest.digest())))

    def uniform(self, number: int) -> float:
        """Return the first uniform value of ``number``."""
        digest = self._hash.copy()
        digest.update(b"%d" % number)
        return _uniform(int.from_bytes(digest.digest()[:8], "little"))

    def bits(self, number: int, width: int) -> int:
        """Return ``width`` random bits, at most 512, of ``number``."""
        digest = self._hash.copy()
        digest.update(b"%d" % number)
        return int.from_bytes(digest.digest(), "little") >> (8 * _DIGEST.size - width)


def _uniform(word: int) -> float:
    # 52 bits and a half: the values nearest to 0 and to 1 are then never rounded to them.
    return ((word >> 12) + 0.5) / 2**52


def weighted_choice(uniform: float, weights: Sequence[tuple[str, float]]) -> str:
    """Return the name that ``uniform`` (0 to 1) selects, in proportion to the weights."""
    bounds = list(accumulate(weight for _, weight in weights))
    target = uniform * bounds[-1]
    for (name, _), bound in zip(weights, bounds, strict=True):
        if target < bound:
            return name
    return weights[-1][0]


def stride_through(count: int) -> int:
    """Return a step that visits each of ``count`` places in turn before it repeats one."""
    step = max(1, int(count * 0.618))
    while math.gcd(step, count) != 1:
        step += 1
    return step
