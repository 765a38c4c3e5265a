"""The actions that ended before the start: any number of them, computed from their index.

Index 0 is the newest. Types, statuses and reasons repeat a pattern and SIM cards a cycle, so
totals and the nth match of any filter are computed: nothing is stored but the pattern.
It must not know what happened since the start. Times are milliseconds since the epoch.
"""

import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from functools import lru_cache

from exporter.domain import Status
from exporter.simulator.actions import ActionFilter, SimulatedAction
from exporter.simulator.ids import IdCodec, IdType
from exporter.simulator.live_actions import CHANGE_RETENTION_SECONDS
from exporter.simulator.random_source import RandomSource, stride_through, weighted_choice
from exporter.simulator.reasons import choose_reason
from exporter.simulator.settings import WorldSettings

_PATTERN_LENGTH = 997  # a prime, so that each SIM card gets actions of every type and status
_COLUMNS = 16
_BLOCK = 64
_MAX_CACHED = 256


@dataclass(frozen=True, slots=True)
class MatchingIndexes:
    """The indexes that match a filter: the same ``offsets`` in every ``period``."""

    period: int
    offsets: tuple[int, ...]

    def below(self, index: int) -> int:
        """Return how many matches are below ``index``."""
        periods, rest = divmod(index, self.period)
        return periods * len(self.offsets) + bisect_left(self.offsets, rest)

    def nth(self, rank: int) -> int:
        """Return the index of the match number ``rank``, from 0."""
        periods, position = divmod(rank, len(self.offsets))
        return periods * self.period + self.offsets[position]


@dataclass(frozen=True, slots=True)
class _Template:
    """What the actions at one position of the pattern have in common."""

    action_type: str
    status: Status
    reason: str | None
    spread: float


class History:
    """The actions that ended before ``start_ms``."""

    def __init__(self, settings: WorldSettings, ids: IdCodec, start_ms: int) -> None:
        """Lay out ``settings.history`` actions, the last of them ended just before the start."""
        self.size = settings.history
        self._earlier_sizes: deque[tuple[float, int]] = deque()
        self._ids = ids
        self._spacing = max(1, round(settings.history_spacing * 1000))
        self._duration = max(1, round(settings.duration * 1000))
        self._newest = start_ms - self._duration - self._spacing
        self._pattern = _pattern(
            settings.seed, settings.weights, settings.failed, settings.interrupted, settings.stuck
        )
        self._sim_cards = settings.sim_cards
        self._stride = stride_through(settings.sim_cards)
        self._matches: dict[ActionFilter, MatchingIndexes] = {}

    def prune(self, count: int, at: float) -> None:
        """Remove the oldest ``count`` actions, or all there are, ``at`` seconds since the epoch."""
        if not (count := min(count, self.size)):
            return
        self._earlier_sizes.append((at, self.size))
        self.size -= count
        while self._earlier_sizes[0][0] < at - CHANGE_RETENTION_SECONDS:
            self._earlier_sizes.popleft()

    def action(self, index: int) -> SimulatedAction:
        """Return the action at ``index``, which is below the size."""
        template = self._pattern[index % len(self._pattern)]
        created = self._newest - index * self._spacing
        sim_card_number = index * self._stride % self._sim_cards
        return SimulatedAction(
            number=index,
            id=self._ids.encode(IdType.HISTORY, index),
            sim_card_number=sim_card_number,
            sim_card_id=self._ids.encode(IdType.SIM_CARD, sim_card_number),
            action_type=template.action_type,
            status=template.status,
            reason=template.reason,
            created_ms=created,
            updated_ms=created + self._duration + int(template.spread * self._spacing),
        )

    def created_after(self, at_ms: int) -> int:
        """Return how many actions were created after ``at_ms``: the indexes below it."""
        return self._clip(-((at_ms - self._newest) // self._spacing))

    def updated_after(self, at_ms: int) -> int:
        """Return how many actions ended after ``at_ms``: the indexes below it."""
        # Durations differ by less than one spacing.
        count = self.created_after(at_ms - self._duration - self._spacing)
        while count and self.action(count - 1).updated_ms <= at_ms:
            count -= 1
        return count

    def _clip(self, count: int) -> int:
        return min(max(count, 0), self.size)

    def count(self, action_filter: ActionFilter) -> int:
        """Return how many actions match."""
        return self.matches(action_filter).below(self.size)

    def count_at(self, action_filter: ActionFilter, at: float) -> int:
        """Return how many actions matched ``at`` seconds since the epoch, not long ago."""
        size = next((size for until, size in self._earlier_sizes if until > at), self.size)
        return self.matches(action_filter).below(size)

    def matches(self, action_filter: ActionFilter) -> MatchingIndexes:
        """Return the indexes that match; they are not limited to the size of the history."""
        if action_filter not in self._matches:
            if len(self._matches) >= _MAX_CACHED:
                self._matches.clear()
            self._matches[action_filter] = self._find(action_filter)
        return self._matches[action_filter]

    def _find(self, action_filter: ActionFilter) -> MatchingIndexes:
        length = len(self._pattern)
        if action_filter.bulk_number is not None:
            return MatchingIndexes(length, ())
        if action_filter.sim_card_number is None:
            period, candidates = length, range(length)
        elif 0 <= action_filter.sim_card_number < self._sim_cards:
            period = math.lcm(length, self._sim_cards)
            first = (
                action_filter.sim_card_number
                * pow(self._stride, -1, self._sim_cards)
                % self._sim_cards
            )
            candidates = range(first, period, self._sim_cards)
        else:
            return MatchingIndexes(length, ())
        return MatchingIndexes(
            period,
            tuple(
                index
                for index in candidates
                if action_filter.status
                in {None, (template := self._pattern[index % length]).status}
                and action_filter.action_type in {None, template.action_type}
            ),
        )


def shuffled(rank: int, total: int) -> int:
    """Return which of ``total`` ranks is at position ``rank`` of a list without an order.

    Ranks are dealt into columns and swapped within blocks: no run of a page's length is in
    order, and in a list that loses its last ranks the others hardly move.
    """
    block, position = divmod(rank, _BLOCK)
    if (block + 1) * _BLOCK <= total:
        rank = block * _BLOCK + (position * 37 + 11) % _BLOCK
    for column in range(_COLUMNS):
        first_rank = column * 7 % _COLUMNS
        height = (total - first_rank + _COLUMNS - 1) // _COLUMNS
        if rank < height:
            return rank * _COLUMNS + first_rank
        rank -= height
    raise IndexError(f"there are only {total} ranks")


@lru_cache(maxsize=1)
def _pattern(
    seed: int,
    weights: tuple[tuple[str, float], ...],
    failed: float,
    interrupted: float,
    stuck: float,
) -> tuple[_Template, ...]:
    """Draw the pattern; the last one is kept, because it takes longer than all else at a start."""
    random = RandomSource(seed, "history")
    fractions = (
        (Status.FAILED.value, failed),
        (Status.INTERRUPTED.value, interrupted),
        (Status.COMPLETED.value, max(0.0, 1 - failed - interrupted - stuck)),
    )
    templates = []
    for position in range(_PATTERN_LENGTH):
        type_value, outcome, reason, spread, *_ = random.uniforms(position)
        status = Status(weighted_choice(outcome, fractions))
        templates.append(
            _Template(
                weighted_choice(type_value, weights), status, choose_reason(status, reason), spread
            )
        )
    return tuple(templates)
