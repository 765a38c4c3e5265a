"""Ids that look random and can be decoded: each UUID encodes a type and an ordinal.

An affine permutation of the 122 free bits of a version 4 UUID, drawn from the seed. Thus no
table of ids is kept, however many there are. It must not know what the ordinals mean.
"""

from enum import IntEnum

from exporter.domain import is_uuid
from exporter.simulator.random_source import RandomSource

_BITS = 122
_MASK = (1 << _BITS) - 1
_ORDINAL_BITS = 64


class IdType(IntEnum):
    """What an id belongs to; actions of the history have a type of their own."""

    ACTION = 1
    HISTORY = 2
    SIM_CARD = 3
    BULK = 4
    SIM_CARD_GROUP = 5


class IdCodec:
    """Encodes and decodes the ids of one account."""

    def __init__(self, seed: int) -> None:
        """Draw the permutation from ``seed``."""
        random = RandomSource(seed, "ids")
        self._factor = random.bits(0, _BITS) | 1
        self._offset = random.bits(1, _BITS)
        self._inverse = pow(self._factor, -1, 1 << _BITS)

    def encode(self, id_type: IdType, ordinal: int) -> str:
        """Return the id of this type for this ``ordinal`` (0 or more)."""
        bits = (((id_type << _ORDINAL_BITS) | ordinal) * self._factor + self._offset) & _MASK
        high, middle, low = bits >> 74, (bits >> 62) & 0xFFF, bits & ((1 << 62) - 1)
        text = f"{high << 80 | 4 << 76 | middle << 64 | 2 << 62 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def decode(self, id_type: IdType, text: str) -> int | None:
        """Return the ordinal in ``text``, or None if it is not an id of this type."""
        if not is_uuid(text):
            return None
        number = int(text.replace("-", ""), 16)
        if (number >> 76) & 0xF != 4 or (number >> 62) & 0b11 != 0b10:  # noqa: PLR2004 - RFC 9562
            return None
        bits = (number >> 80) << 74 | ((number >> 64) & 0xFFF) << 62 | number & ((1 << 62) - 1)
        value = ((bits - self._offset) * self._inverse) & _MASK
        return value & ((1 << _ORDINAL_BITS) - 1) if value >> _ORDINAL_BITS == id_type else None
