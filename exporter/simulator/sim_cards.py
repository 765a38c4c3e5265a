"""The SIM cards of the account and their groups: computed from their numbers, no table is kept.

Besides what names a SIM card they have the personal fields that the API sends unasked, so that a
client can be tested for dropping them. It must not know actions, or what a response looks like.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.simulator.ids import IdCodec, IdType
from exporter.simulator.random_source import RandomSource, weighted_choice

GROUPS = (
    "Fleet north",
    "Fleet south",
    "Vending machines",
    "Smart meters",
    "Cameras",
    "Trackers",
    "Test bench",
)
_TAGS = ("eu", "us", "prepaid", "warehouse", "pilot", "retrofit", "leased", "field-service")
_STATUSES = (("enabled", 70.0), ("disabled", 15.0), ("standby", 15.0))
_ESIMS = 0.2
_TAGLESS = 0.3
# Coprime to every power of ten: neighbours get ICCIDs that do not look alike, and none twice.
_STRIDE = 618_033_988_749_897


@dataclass(frozen=True, slots=True)
class SimCardFilter:
    """Which SIM cards a list shows: part of the ICCID, any of the statuses, all of the tags.

    ``group_number`` is None for any, and -1 for a group that does not exist.
    """

    iccid: str = ""
    statuses: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group_number: int | None = None


@dataclass(frozen=True, slots=True)
class SimulatedSimCard:
    """One SIM card; ``group_number`` is None without a group.

    ``resting_status`` is its status as long as no action says otherwise, ``digits`` are random
    ones for personal numbers.
    """

    number: int
    id: str
    iccid: str
    group_number: int | None
    tags: tuple[str, ...]
    esim: bool
    resting_status: str
    digits: str

    def matches(self, sim_card_filter: SimCardFilter, status: str) -> bool:
        """Tell whether it passes the filter while it has this ``status``."""
        return (
            sim_card_filter.iccid in self.iccid
            and (not sim_card_filter.statuses or status in sim_card_filter.statuses)
            and set(sim_card_filter.tags) <= set(self.tags)
            and sim_card_filter.group_number in {None, self.group_number}
        )


class SimulatedSimCards:
    """The SIM cards of one account; those that were deleted are not listed."""

    def __init__(self, count: int, ids: IdCodec, seed: int) -> None:
        """Compute ``count`` SIM cards from ``seed``."""
        self._count = count
        self._ids = ids
        self._random = RandomSource(seed, "sim cards")
        self._deleted: list[int] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count - len(self._deleted)

    def number_of(self, sim_card_id: str) -> int | None:
        """Return the number of a SIM card, deleted or not; None if it never existed."""
        number = self._ids.decode(IdType.SIM_CARD, sim_card_id)
        return number if number is not None and number < self._count else None

    def find(self, sim_card_id: str) -> SimulatedSimCard | None:
        """Return a SIM card, or None."""
        number = self.number_of(sim_card_id)
        return None if number is None or number in self._deleted else self.card(number)

    def card(self, number: int) -> SimulatedSimCard:
        """Return the SIM card with this number, from 0, deleted or not."""
        esim, tagless, first, second, status, *_ = self._random.uniforms(number)
        chosen = {_TAGS[int(first * len(_TAGS))], _TAGS[int(second * len(_TAGS))]}
        group = number % (len(GROUPS) + 1)
        return SimulatedSimCard(
            number=number,
            id=self._ids.encode(IdType.SIM_CARD, number),
            iccid=iccid(number),
            group_number=group if group < len(GROUPS) else None,
            tags=() if tagless < _TAGLESS else tuple(sorted(chosen)),
            esim=esim < _ESIMS,
            resting_status=weighted_choice(status, _STATUSES),
            digits=f"{self._random.bits(number, 512):0155d}",
        )

    def page(self, offset: int, limit: int) -> list[SimulatedSimCard]:
        """Return at most ``limit`` of those that are listed, starting at ``offset`` (from 0)."""
        first = offset
        for deleted in self._deleted:
            first += deleted <= first
        numbers = range(first, min(first + limit + len(self._deleted), self._count))
        gone = set(self._deleted)
        return [self.card(number) for number in numbers if number not in gone][:limit]

    def __iter__(self) -> Iterator[SimulatedSimCard]:
        """Yield all that are listed."""
        gone = set(self._deleted)
        return (self.card(number) for number in range(self._count) if number not in gone)

    def set_deleted(self, number: int, *, deleted: bool) -> None:
        """Delete a SIM card, or undo that."""
        if deleted and number not in self._deleted:
            insort(self._deleted, number)
        elif not deleted and number in self._deleted:
            self._deleted.remove(number)

    def group_size(self, group_number: int) -> int:
        """Return how many SIM cards are in a group."""
        return len(range(group_number, self._count, len(GROUPS) + 1)) - sum(
            number % (len(GROUPS) + 1) == group_number for number in self._deleted
        )


def iccid(number: int) -> str:
    """Return the ICCID of a SIM card: 19 or 20 digits, of which the last is the check digit."""
    width = 14 + number % 2
    digits = f"8988{(number + 1) * _STRIDE % 10**width:0{width}d}"
    return digits + check_digit(digits)


def check_digit(digits: str) -> str:
    """Return the digit that completes ``digits`` by the Luhn algorithm."""
    doubled = sum(sum(divmod(2 * int(each), 10)) for each in digits[::-2])
    return str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)
