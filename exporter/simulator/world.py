"""The account as it lives in simulated time: actions arrive, change their status and end.

What happens follows from the settings and the time alone, not from how often it is advanced.
It reads no clock, knows no HTTP, and must only be used from one thread.
"""

import heapq
import math
from collections.abc import Sequence
from enum import Enum, auto

from exporter.domain import Status
from exporter.errors import UsageError
from exporter.simulator.action import Action, Bulk, Filter
from exporter.simulator.book import Book
from exporter.simulator.fate import Fate, Turn
from exporter.simulator.history import History
from exporter.simulator.ids import Ids, Kind
from exporter.simulator.listing import Listing
from exporter.simulator.record import Record, Recorder
from exporter.simulator.settings import Order, WorldSettings

_BULK_TYPE = "set_public_ip"


class _Due(Enum):
    """What an event of the agenda is."""

    ARRIVAL = auto()
    BULK = auto()
    TURN = auto()


class World:
    """One account. Times are seconds since the epoch; ``now`` is how far it has lived."""

    def __init__(self, settings: WorldSettings, now: float) -> None:
        """Start the account at ``now``, with its history and its stuck actions."""
        self.settings = settings
        self.now = now
        self.order = Order(settings.order)
        self.ids = Ids(settings.seed)
        self._fate = Fate(settings)
        self._book = Book()
        self._history = History(settings, self.ids, _ms(now))
        self._listing = Listing(self._book, self._history, settings.seed)
        self._recorder = Recorder()
        self._bulks: list[Bulk] = []
        self._agenda: list[tuple[float, int, _Due, int, Turn | None, int]] = []
        self._scheduled = self._numbered = self._arrivals = self._season = 0
        self._past_counts: tuple[int, dict[tuple[str, Status], int]] | None = None
        for number in range(settings.stuck_at_start):
            kind = self._fate.arrival_type(-1 - number)
            created = now - settings.stuck_age
            self._recorder.found(self._add(kind, _ms(created), None, at=-math.inf))
        self._open()

    def advance(self, now: float) -> None:
        """Let everything happen that is due up to ``now``; a time that has passed does nothing."""
        while self._agenda and self._agenda[0][0] <= now:
            due, _, what, number, turn, version = heapq.heappop(self._agenda)
            self.now = due
            if what is _Due.TURN and turn is not None:
                self._take_turn(number, turn, version)
            elif number == self._season:
                self._arrive(due, what)
        self.now = max(self.now, now)

    def pause(self) -> None:
        """Let nothing new arrive; what is in flight still ends."""
        self._season += 1

    def resume(self) -> None:
        """Let actions arrive again from now on."""
        self.pause()
        self._open()

    def create(
        self,
        count: int = 1,
        *,
        action_type: str | None = None,
        created_at: float | None = None,
        bulk: bool = False,
        lives: bool = False,
    ) -> list[str]:
        """Add ``count`` actions, as one bulk or singly, and return their ids.

        They stay in progress until they are finished by hand, or, if ``lives``, take the
        course of those that arrive by themselves. They count as created now, however long ago
        ``created_at`` is. Without an ``action_type``, a bulk gets one type and single
        actions the account's mix.
        """
        created_ms = _ms(self.now if created_at is None else created_at)
        number = None
        if bulk:
            action_type = action_type or _BULK_TYPE
            number = len(self._bulks)
            self._bulks.append(
                Bulk(number, action_type, created_ms, self._numbered, count, self.now)
            )
        ids = []
        for _ in range(count):
            kind = action_type or self._fate.arrival_type(-1 - self._numbered)
            action = self._add(kind, created_ms, number, at=self.now)
            self._recorder.created(action)
            if lives:
                self._schedule(action, self._fate.first_turn(action.number))
            ids.append(action.id)
        return ids

    def finish(
        self,
        action_id: str,
        status: Status,
        reason: str | None = None,
        *,
        at: float | None = None,
    ) -> Action:
        """Move a live action to ``status``, any but its own, now or ``at``; it stays there.

        Raises UsageError if there is no such action or it has that status already.
        """
        action = self._live(action_id)
        if action.status is status:
            raise UsageError(f"{action_id}: the action is {status.value} already")
        return self._move(action, status, reason, _ms(self.now if at is None else at))

    def delete(self, action_ids: Sequence[str]) -> None:
        """Take live actions off the list. Raises UsageError, and takes none, if one is unknown."""
        for action in [self._live(each) for each in dict.fromkeys(action_ids)]:
            self._recorder.gone(self._book.drop(action.number, self.now))

    def prune(self, count: int) -> None:
        """Take the oldest ``count`` actions off the list, whatever their status."""
        actions, of_history = self._listing.oldest(count)
        for action in actions:
            self._recorder.gone(self._book.drop(action.number, self.now))
        self._history.forget(of_history, self.now)

    def get(self, action_id: str) -> Action | None:
        """Return the action with this id, live or of the history, or None."""
        number = self.ids.read(Kind.ACTION, action_id)
        if number is not None:
            return self._book.get(number)
        index = self.ids.read(Kind.HISTORY, action_id)
        if index is None or index >= self._history.size:
            return None
        return self._history.action(index)

    def total(self, wanted: Filter, ago: float = 0.0) -> int:
        """Return how many actions the filter ``wanted`` shows, or did ``ago`` seconds ago.

        That is right for at most ``book.KEPT_SECONDS``; before the start there was what there
        is at the start.
        """
        if ago:
            return self._listing.total_at(wanted, self.now - ago)
        return self._listing.total(wanted)

    def page(self, wanted: Filter, offset: int, limit: int) -> list[Action]:
        """Return at most ``limit`` actions from place ``offset`` (from 0) of the list on."""
        return self._listing.page(wanted, self.order, offset, limit)

    @property
    def bulks(self) -> Sequence[Bulk]:
        """Every bulk, by its number."""
        return self._bulks

    def actions_of(self, bulk: Bulk) -> list[Action]:
        """Return the actions of a ``bulk`` that are still listed."""
        found = (self._book.get(each) for each in range(bulk.first, bulk.first + bulk.size))
        return [each for each in found if each is not None]

    def record(self) -> Record:
        """Return what happened since the start, and what is listed now."""
        if self._past_counts is None or self._past_counts[0] != self._history.size:
            counts = {
                (name, status): self._history.count(Filter(status=status, action_type=name))
                for name, _ in self.settings.weights
                for status in Status
            }
            self._past_counts = (self._history.size, counts)
        return self._recorder.record(self._past_counts[1])

    def _open(self) -> None:
        if self.settings.rate > 0:
            self._push(self.now + self._fate.gap(self._arrivals), _Due.ARRIVAL, self._season)
        if self.settings.bulk_every > 0:
            self._push(self.now + self.settings.bulk_every, _Due.BULK, self._season)

    def _arrive(self, due: float, what: _Due) -> None:
        if what is _Due.BULK:
            kind = self._fate.bulk_type(len(self._bulks))
            self.create(self.settings.bulk_size, action_type=kind, bulk=True, lives=True)
            self._push(due + self.settings.bulk_every, what, self._season)
            return
        self.create(action_type=self._fate.arrival_type(self._arrivals), lives=True)
        self._arrivals += 1
        self._push(due + self._fate.gap(self._arrivals), what, self._season)

    def _take_turn(self, number: int, turn: Turn, version: int) -> None:
        action = self._book.get(number)
        if action is None or action.version != version:
            return
        action = self._move(action, turn.status, turn.reason, _ms(self.now))
        if turn.status is Status.INTERRUPTED:
            self._schedule(action, self._fate.resumption(number))
        elif turn.status is Status.IN_PROGRESS:
            self._schedule(action, self._fate.last_turn(number))

    def _add(self, action_type: str, created_ms: int, bulk: int | None, *, at: float) -> Action:
        number, self._numbered = self._numbered, self._numbered + 1
        sim = self._fate.sim(number)
        action = Action(
            number=number,
            id=self.ids.make(Kind.ACTION, number),
            sim=sim,
            sim_card_id=self.ids.make(Kind.SIM_CARD, sim),
            action_type=action_type,
            status=Status.IN_PROGRESS,
            reason=None,
            created_ms=created_ms,
            updated_ms=created_ms,
            bulk=bulk,
        )
        self._book.put(action, at)
        return action

    def _move(self, action: Action, status: Status, reason: str | None, at_ms: int) -> Action:
        moved = action.moved(status, reason, at_ms)
        self._recorder.moved(action, moved)
        self._book.put(moved, self.now)
        return moved

    def _live(self, action_id: str) -> Action:
        number = self.ids.read(Kind.ACTION, action_id)
        action = None if number is None else self._book.get(number)
        if action is None:
            raise UsageError(f"{action_id}: there is no such action since the start")
        return action

    def _schedule(self, action: Action, turn: Turn | None) -> None:
        if turn is not None:
            self._push(self.now + turn.after, _Due.TURN, action.number, turn, action.version)

    def _push(
        self, due: float, what: _Due, number: int, turn: Turn | None = None, version: int = 0
    ) -> None:
        self._scheduled += 1
        heapq.heappush(self._agenda, (due, self._scheduled, what, number, turn, version))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
