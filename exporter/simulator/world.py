"""The account in simulated time: actions arrive, change their status and end.

What happens depends on the settings and the time alone, not on how often it is advanced.
It reads no clock, knows no HTTP, and must only be used from one thread.
"""

import heapq
import math
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from exporter.domain import Status
from exporter.errors import UsageError
from exporter.simulator.actions import ActionFilter, SimulatedAction, SimulatedBulk
from exporter.simulator.history import History
from exporter.simulator.ids import IdCodec, IdType
from exporter.simulator.lifecycle import Lifecycle, StatusChange
from exporter.simulator.live_actions import LiveActions
from exporter.simulator.pagination import ActionPager
from exporter.simulator.record import ActivityRecord, ActivityRecorder
from exporter.simulator.settings import ListOrder, WorldSettings
from exporter.simulator.sim_cards import SimulatedSimCard, SimulatedSimCards

_DEFAULT_BULK_TYPE = "set_public_ip"

_STATUSES_BEFORE = {
    "enable": "enabling",
    "enable_standby_sim_card": "enabling",
    "disable": "disabling",
    "set_standby": "setting_standby",
}
"""The status of a SIM card while an action of this type is in progress."""

_STATUSES_AFTER = {
    "enable": "enabled",
    "enable_standby_sim_card": "enabled",
    "disable": "disabled",
    "set_standby": "standby",
}
"""The status of a SIM card after an action of this type was completed."""


class _ScheduledEventType(Enum):
    """What a scheduled event does."""

    ARRIVAL = auto()
    BULK = auto()
    STATUS_CHANGE = auto()
    RETRY = auto()


class _ScheduledEvent(NamedTuple):
    """A scheduled event: ordered by time, then as scheduled.

    ``number`` and ``version`` are those of the action that changes. For an arrival, ``number``
    is the count of pauses so far: a pause cancels the arrivals scheduled before it. For a retry,
    ``number`` is the action that failed.
    """

    due: float
    sequence: int
    event_type: _ScheduledEventType
    number: int
    change: StatusChange | None
    version: int


class World:
    """One account. Times are seconds since the epoch; ``now`` is how far it has advanced."""

    def __init__(self, settings: WorldSettings, now: float) -> None:
        """Start the account at ``now``, with its history and its stuck actions."""
        self.settings = settings
        self.now = now
        self.sort_order = ListOrder(settings.order)
        self.ids = IdCodec(settings.seed)
        self.sim_cards = SimulatedSimCards(settings.sim_cards, self.ids, settings.seed)
        self._lifecycle = Lifecycle(settings)
        self._live = LiveActions()
        self._history = History(settings, self.ids, _ms(now))
        self._pager = ActionPager(self._live, self._history, settings.seed)
        self._recorder = ActivityRecorder()
        self._paused = False
        self._latest_connectivity: dict[int, SimulatedAction] = {}
        self._bulks: list[SimulatedBulk] = []
        self._events: list[_ScheduledEvent] = []
        self._scheduled = self._created = self._arrivals = self._pauses = 0
        self._history_counts: tuple[int, dict[tuple[str, Status], int]] | None = None
        for number in range(settings.stuck_at_start):
            action_type = self._lifecycle.arrival_type(-1 - number)
            created = now - settings.stuck_age
            card = self._lifecycle.sim_card_number(number)
            action = self._add(action_type, _ms(created), None, card, at=-math.inf)
            self._recorder.add_listed(action)
        self._schedule_arrivals()

    def advance(self, now: float) -> None:
        """Run every event that is due up to ``now``; does nothing for a time in the past."""
        while self._events and self._events[0].due <= now:
            event = heapq.heappop(self._events)
            self.now = event.due
            if event.change is not None:
                self._apply_change(event.number, event.change, event.version)
            elif event.event_type is _ScheduledEventType.RETRY:
                self._retry(event.number)
            elif event.number == self._pauses:
                self._arrive(event.due, event.event_type)
        self.now = max(self.now, now)

    def pause(self) -> None:
        """Stop arrivals and retries; actions in flight still end."""
        self._pauses += 1
        self._paused = True

    def resume(self) -> None:
        """Start arrivals and retries again from now on."""
        self.pause()
        self._paused = False
        self._schedule_arrivals()

    def create(
        self,
        count: int = 1,
        *,
        action_type: str | None = None,
        created_at: float | None = None,
        bulk: bool = False,
        lives: bool = False,
        sim_card_id: str | None = None,
    ) -> list[str]:
        """Add ``count`` actions, as one bulk action or singly, and return their ids.

        They stay in progress until ``finish`` is called or, if ``lives``, change their status
        as actions that arrive do. The record counts them as created now, even if
        ``created_at`` is long ago. Without an ``action_type``, a bulk action gets a default
        type, and single actions get types from the account's mix. They are of the SIM card
        that is given, or of random ones, those of a bulk action of different ones. Raises
        UsageError if the account has no such SIM card.
        """
        sim_card = None if sim_card_id is None else self._sim_card_number(sim_card_id)
        created_ms = _ms(self.now if created_at is None else created_at)
        bulk_number = None
        if bulk:
            action_type = action_type or _DEFAULT_BULK_TYPE
            bulk_number = len(self._bulks)
            self._bulks.append(
                SimulatedBulk(bulk_number, action_type, created_ms, self._created, count, self.now)
            )
        ids = []
        first = self._created
        for index in range(count):
            each_type = action_type or self._lifecycle.arrival_type(-1 - self._created)
            if sim_card is not None:
                each_card = sim_card
            elif bulk:
                each_card = self._lifecycle.bulk_sim_card_number(first, index)
            else:
                each_card = self._lifecycle.sim_card_number(self._created)
            action = self._add(each_type, created_ms, bulk_number, each_card, at=self.now)
            self._recorder.add_created(action)
            if lives:
                self._schedule_change(action, self._first_change(action))
            ids.append(action.id)
        return ids

    def finish(
        self,
        action_id: str,
        status: Status,
        reason: str | None = None,
        *,
        at: float | None = None,
    ) -> SimulatedAction:
        """Set the ``status`` of a live action, now or ``at``; it does not change by itself after.

        Raises UsageError if there is no such action or it already has that status.
        """
        action = self._live_action(action_id)
        if action.status is status:
            raise UsageError(f"{action_id}: the action is already {status.value}")
        return self._set_status(action, status, reason, _ms(self.now if at is None else at))

    def delete(self, action_ids: Sequence[str]) -> None:
        """Remove live actions. Raises UsageError, and removes none, if one is unknown."""
        for action in [self._live_action(each) for each in dict.fromkeys(action_ids)]:
            self._recorder.remove_listed(self._live.remove(action.number, self.now))

    def prune(self, count: int) -> None:
        """Remove the oldest ``count`` actions, whatever their status."""
        actions, history_count = self._pager.oldest(count)
        for action in actions:
            self._recorder.remove_listed(self._live.remove(action.number, self.now))
        self._history.prune(history_count, self.now)

    def get(self, action_id: str) -> SimulatedAction | None:
        """Return the action with this id, live or of the history, or None."""
        number = self.ids.decode(IdType.ACTION, action_id)
        if number is not None:
            return self._live.get(number)
        index = self.ids.decode(IdType.HISTORY, action_id)
        if index is None or index >= self._history.size:
            return None
        return self._history.action(index)

    def delete_sim_card(self, sim_card_id: str, *, deleted: bool = True) -> None:
        """Delete a SIM card, or undo that; its actions stay. Raises UsageError if it is unknown."""
        self.sim_cards.set_deleted(self._sim_card_number(sim_card_id), deleted=deleted)

    def sim_card_status(self, card: SimulatedSimCard) -> str:
        """Return the status of a SIM card, by the latest action since the start that sets one."""
        action = self._latest_connectivity.get(card.number)
        if action is None:
            return card.resting_status
        if action.status is Status.IN_PROGRESS:
            return _STATUSES_BEFORE[action.action_type]
        if action.status is Status.COMPLETED:
            return _STATUSES_AFTER[action.action_type]
        exceeded = "data limit" in (action.reason or "").lower()
        return "data_limit_exceeded" if exceeded else card.resting_status

    def total(self, action_filter: ActionFilter, ago: float = 0.0) -> int:
        """Return how many actions match, or matched ``ago`` seconds ago.

        ``ago`` is at most ``live_actions.CHANGE_RETENTION_SECONDS``; a time before the start
        gives the total at the start.
        """
        if ago:
            return self._pager.total_at(action_filter, self.now - ago)
        return self._pager.total(action_filter)

    def page(self, action_filter: ActionFilter, offset: int, limit: int) -> list[SimulatedAction]:
        """Return at most ``limit`` actions of the list, starting at ``offset`` (from 0)."""
        return self._pager.page(action_filter, self.sort_order, offset, limit)

    @property
    def bulks(self) -> Sequence[SimulatedBulk]:
        """Every bulk action, by its number."""
        return self._bulks

    def actions_of(self, bulk: SimulatedBulk) -> list[SimulatedAction]:
        """Return the actions of a ``bulk`` action that are still listed."""
        numbers = range(bulk.first, bulk.first + bulk.size)
        return [action for each in numbers if (action := self._live.get(each)) is not None]

    def record(self) -> ActivityRecord:
        """Return what happened since the start, and what is listed now."""
        if self._history_counts is None or self._history_counts[0] != self._history.size:
            counts = {
                (name, status): self._history.count(ActionFilter(status=status, action_type=name))
                for name, _ in self.settings.weights
                for status in Status
            }
            self._history_counts = (self._history.size, counts)
        return self._recorder.record(self._history_counts[1])

    def _schedule_arrivals(self) -> None:
        if self.settings.rate > 0:
            due = self.now + self._lifecycle.seconds_before(self._arrivals)
            self._push(due, _ScheduledEventType.ARRIVAL, self._pauses)
        if self.settings.bulk_every > 0:
            self._push(self.now + self.settings.bulk_every, _ScheduledEventType.BULK, self._pauses)

    def _arrive(self, due: float, event_type: _ScheduledEventType) -> None:
        if event_type is _ScheduledEventType.BULK:
            bulk_type = self._lifecycle.bulk_type(len(self._bulks))
            self.create(self.settings.bulk_size, action_type=bulk_type, bulk=True, lives=True)
            self._push(due + self.settings.bulk_every, event_type, self._pauses)
            return
        self.create(action_type=self._lifecycle.arrival_type(self._arrivals), lives=True)
        self._arrivals += 1
        self._push(due + self._lifecycle.seconds_before(self._arrivals), event_type, self._pauses)

    def _retry(self, number: int) -> None:
        failed = self._live.get(number)
        if failed is not None and not self._paused:
            self.create(action_type=failed.action_type, lives=True, sim_card_id=failed.sim_card_id)

    def _first_change(self, action: SimulatedAction) -> StatusChange | None:
        if self._fails_for_good(action):
            return self._lifecycle.lasting_failure(action.number)
        return self._lifecycle.first_change(action.number)

    def _fails_for_good(self, action: SimulatedAction) -> bool:
        if action.bulk_number != 0:
            return False
        return action.number < self._bulks[0].first + self.settings.bulk_failures

    def _apply_change(self, number: int, change: StatusChange, version: int) -> None:
        action = self._live.get(number)
        if action is None or action.version != version:
            return
        action = self._set_status(action, change.status, change.reason, _ms(self.now))
        if change.status is Status.FAILED and not self._fails_for_good(action):
            after = self._lifecycle.seconds_before_retry(number)
            if after is not None:
                self._push(self.now + after, _ScheduledEventType.RETRY, number)
        if change.status is Status.INTERRUPTED:
            self._schedule_change(action, self._lifecycle.resumption(number))
        elif change.status is Status.IN_PROGRESS:
            self._schedule_change(action, self._lifecycle.final_change(number))

    def _add(
        self,
        action_type: str,
        created_ms: int,
        bulk_number: int | None,
        sim_card_number: int,
        *,
        at: float,
    ) -> SimulatedAction:
        number, self._created = self._created, self._created + 1
        action = SimulatedAction(
            number=number,
            id=self.ids.encode(IdType.ACTION, number),
            sim_card_number=sim_card_number,
            sim_card_id=self.ids.encode(IdType.SIM_CARD, sim_card_number),
            action_type=action_type,
            status=Status.IN_PROGRESS,
            reason=None,
            created_ms=created_ms,
            updated_ms=created_ms,
            bulk_number=bulk_number,
        )
        self._put(action, at)
        return action

    def _put(self, action: SimulatedAction, at: float) -> None:
        self._live.put(action, at)
        if action.action_type in _STATUSES_AFTER:
            latest = self._latest_connectivity.get(action.sim_card_number, action)
            if action.created_ms >= latest.created_ms:
                self._latest_connectivity[action.sim_card_number] = action

    def _set_status(
        self, action: SimulatedAction, status: Status, reason: str | None, at_ms: int
    ) -> SimulatedAction:
        changed = action.with_status(status, reason, at_ms)
        self._recorder.add_change(action, changed)
        self._put(changed, self.now)
        return changed

    def _live_action(self, action_id: str) -> SimulatedAction:
        number = self.ids.decode(IdType.ACTION, action_id)
        action = None if number is None else self._live.get(number)
        if action is None:
            raise UsageError(f"{action_id}: there is no such action since the start")
        return action

    def _sim_card_number(self, sim_card_id: str) -> int:
        number = self.sim_cards.number_of(sim_card_id)
        if number is None:
            raise UsageError(f"{sim_card_id}: there is no such SIM card")
        return number

    def _schedule_change(self, action: SimulatedAction, change: StatusChange | None) -> None:
        if change is not None:
            due = self.now + change.after
            self._push(
                due, _ScheduledEventType.STATUS_CHANGE, action.number, change, action.version
            )

    def _push(
        self,
        due: float,
        event_type: _ScheduledEventType,
        number: int,
        change: StatusChange | None = None,
        version: int = 0,
    ) -> None:
        self._scheduled += 1
        event = _ScheduledEvent(due, self._scheduled, event_type, number, change, version)
        heapq.heappush(self._events, event)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
