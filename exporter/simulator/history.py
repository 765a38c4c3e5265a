"""What had ended before the start: any number of actions, computed from their index.

Index 0 is the newest. Types, statuses and reasons repeat a pattern and SIM cards a cycle, so
totals and the nth match of any filter are arithmetic: nothing is stored but the pattern.
It must not know what happened since the start. Times are milliseconds since the epoch.
"""

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

from exporter.domain import Status
from exporter.simulator.action import Action, Filter
from exporter.simulator.book import KEPT_SECONDS
from exporter.simulator.chance import Chance, choose
from exporter.simulator.ids import Ids, Kind
from exporter.simulator.reasons import reason_of
from exporter.simulator.settings import WorldSettings

_PATTERN = 997  # a prime, so that a SIM card's actions are of all kinds
_COLUMNS = 16
_BLOCK = 64
_CACHED = 256


@dataclass(frozen=True, slots=True)
class Matches:
    """The indexes that match a filter: the same ``places`` in every ``period``."""

    period: int
    places: tuple[int, ...]

    def below(self, index: int) -> int:
        """Return how many matches are below ``index``."""
        periods, rest = divmod(index, self.period)
        return periods * len(self.places) + bisect_left(self.places, rest)

    def nth(self, rank: int) -> int:
        """Return the index of the match number ``rank``, from 0."""
        periods, place = divmod(rank, len(self.places))
        return periods * self.period + self.places[place]


@dataclass(frozen=True, slots=True)
class _Mould:
    """What the actions of one place of the pattern have in common."""

    action_type: str
    status: Status
    reason: str | None
    spread: float


class History:
    """The actions that ended before ``start_ms``."""

    def __init__(self, settings: WorldSettings, ids: Ids, start_ms: int) -> None:
        """Lay out ``settings.history`` actions, the last of them ended just before the start."""
        self.size = settings.history
        self._earlier: deque[tuple[float, int]] = deque()
        self._ids = ids
        self._spacing = max(1, round(settings.history_spacing * 1000))
        self._lasted = max(1, round(settings.duration * 1000))
        self._newest = start_ms - self._lasted - self._spacing
        self._pattern = tuple(_pattern(settings))
        self._sims = settings.sim_cards
        self._stride = _stride(settings.sim_cards)
        self._matches: dict[Filter, Matches] = {}

    def forget(self, count: int, at: float) -> None:
        """Drop the oldest ``count`` actions, or all there are, ``at`` seconds since the epoch."""
        if not (count := min(count, self.size)):
            return
        self._earlier.append((at, self.size))
        self.size -= count
        while self._earlier[0][0] < at - KEPT_SECONDS:
            self._earlier.popleft()

    def action(self, index: int) -> Action:
        """Return the action at ``index``, which is below the size."""
        mould = self._pattern[index % len(self._pattern)]
        created = self._newest - index * self._spacing
        sim = index * self._stride % self._sims
        return Action(
            number=index,
            id=self._ids.make(Kind.HISTORY, index),
            sim=sim,
            sim_card_id=self._ids.make(Kind.SIM_CARD, sim),
            action_type=mould.action_type,
            status=mould.status,
            reason=mould.reason,
            created_ms=created,
            updated_ms=created + self._lasted + int(mould.spread * self._spacing),
        )

    def created_after(self, at_ms: int) -> int:
        """Return how many actions were created after ``at_ms``: the indexes below it."""
        return self._clip(-((at_ms - self._newest) // self._spacing))

    def updated_after(self, at_ms: int) -> int:
        """Return how many actions ended after ``at_ms``: the indexes below it."""
        # An action ends less than one spacing later than the quickest one of its age would.
        count = self.created_after(at_ms - self._lasted - self._spacing)
        while count and self.action(count - 1).updated_ms <= at_ms:
            count -= 1
        return count

    def _clip(self, count: int) -> int:
        return min(max(count, 0), self.size)

    def count(self, wanted: Filter) -> int:
        """Return how many actions match the filter ``wanted``."""
        return self.matches(wanted).below(self.size)

    def count_at(self, wanted: Filter, at: float) -> int:
        """Return how many that match were there ``at`` seconds since the epoch, not long ago."""
        size = next((size for until, size in self._earlier if until > at), self.size)
        return self.matches(wanted).below(size)

    def matches(self, wanted: Filter) -> Matches:
        """Return the indexes that match the filter ``wanted``; mind that they go past the size."""
        if wanted not in self._matches:
            if len(self._matches) >= _CACHED:
                self._matches.clear()
            self._matches[wanted] = self._find(wanted)
        return self._matches[wanted]

    def _find(self, wanted: Filter) -> Matches:
        length = len(self._pattern)
        if wanted.bulk is not None:
            return Matches(length, ())
        if wanted.sim is None:
            period, candidates = length, range(length)
        elif 0 <= wanted.sim < self._sims:
            period = math.lcm(length, self._sims)
            first = wanted.sim * pow(self._stride, -1, self._sims) % self._sims
            candidates = range(first, period, self._sims)
        else:
            return Matches(length, ())
        return Matches(
            period,
            tuple(
                index
                for index in candidates
                if wanted.status in {None, (mould := self._pattern[index % length]).status}
                and wanted.action_type in {None, mould.action_type}
            ),
        )


def shuffled(rank: int, total: int) -> int:
    """Return which of ``total`` ranks comes at place ``rank`` of a list without an order.

    Ranks are dealt into columns and swapped within blocks: no run of a page's length is in
    order, and a list that loses its last ranks keeps the others nearly where they were.
    """
    block, place = divmod(rank, _BLOCK)
    if (block + 1) * _BLOCK <= total:
        rank = block * _BLOCK + (place * 37 + 11) % _BLOCK
    for column in range(_COLUMNS):
        column_at = column * 7 % _COLUMNS
        height = (total - column_at + _COLUMNS - 1) // _COLUMNS
        if rank < height:
            return rank * _COLUMNS + column_at
        rank -= height
    raise IndexError(f"there are only {total} ranks")


def _pattern(settings: WorldSettings) -> list[_Mould]:
    chance = Chance(settings.seed, "history")
    weights = settings.weights
    moulds = []
    for place in range(_PATTERN):
        kind, outcome, why, spread, *_ = chance.rolls(place)
        completed = 1 - settings.failed - settings.interrupted - settings.stuck
        shares = (
            (Status.FAILED.value, settings.failed),
            (Status.INTERRUPTED.value, settings.interrupted),
            (Status.COMPLETED.value, max(0.0, completed)),
        )
        status = Status(choose(outcome, shares))
        moulds.append(_Mould(choose(kind, weights), status, reason_of(status, why), spread))
    return moulds


def _stride(sims: int) -> int:
    """Return a step that visits every one of ``sims`` SIM cards before it repeats one."""
    step = max(1, int(sims * 0.618))
    while math.gcd(step, sims) != 1:
        step += 1
    return step
