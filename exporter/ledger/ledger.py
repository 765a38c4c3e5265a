"""The ledger of one account: observations in, committed state and its snapshot out.

The shell around the pure parts: it runs the database and everything that grows with the account
in the worker thread that all accounts share, off the event loop. It must not talk to Telnyx or
decide what to ask. Methods raise StateError; after one the state is read again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from math import inf
from typing import Any, ParamSpec, TypeVar

import msgspec

from exporter.domain import Action, Event, SimCard, Status
from exporter.errors import LeaseLostError, StateError
from exporter.ledger.bulks import forgettable, since_after
from exporter.ledger.problem_tracking import forget_problems, note_problems
from exporter.ledger.reasons import Reasons
from exporter.ledger.records import ListCursor, MemberCounts, TrackedAction
from exporter.ledger.rules import ended_status, is_history, observe
from exporter.ledger.snapshot import (
    AccountSnapshot,
    SnapshotOptions,
    build,
    empty_snapshot,
    with_counters,
)
from exporter.ledger.state import LedgerState
from exporter.ledger.store.protocol import LedgerStore
from exporter.ledger.unit_of_work import UnitOfWork

PRUNED_AT_ONCE = 500
"""How many actions are deleted at once: some 20 ms, as each is on a database page of its own."""

EVENTS_AT_ONCE = 100
"""How many events are taken from the outbox, and delivered to a sink, at once."""

SETTLED = (Status.COMPLETED, Status.FAILED)
"""Statuses of actions that are not searched for any more, so that no position is kept."""

NOT_OPENED = "the state database was not opened"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageContext:
    """Where a number of actions was seen.

    ``cursor`` has the baseline cutoff to judge by; None: every unknown action is history, as before
    the baseline. ``first`` is the position of the first action, counted from the old end, None
    where it is not known, and ``step`` the difference to the next. ``spare`` is how many actions
    are unseen yet, by the totals: without any, an action with no time of creation is history.
    """

    cursor: ListCursor | None
    first: int | None = None
    step: int = 0
    spare: int = 0


SeenPage = tuple[Sequence[Action], PageContext]
"""Actions that were seen, and where."""


@dataclass(frozen=True, slots=True)
class PageResult:
    """What recording some actions brought.

    ``new`` counts the actions that were unknown and are not history, ``changed`` those with
    another status than before; ``ends_known`` says that the last one was known before this unit
    of work, or is history.
    """

    new: int
    changed: int
    ends_known: bool


class Ledger:
    """What is known of one account."""

    def __init__(
        self,
        *,
        name: str,
        store: LedgerStore,
        worker: ThreadPoolExecutor,
        reasons: Reasons,
        options: SnapshotOptions,
        sinks: Collection[str] = (),
        on_events: Callable[["Ledger"], None] = lambda _: None,
        is_held: Callable[[], bool] = lambda: True,
    ) -> None:
        """Keep the parts; nothing is read before `open`.

        Events are kept until each of ``sinks`` was delivered them. ``on_events`` is called on the
        event loop when there may be some to deliver: once what they are about is published, and
        when the state was read. ``is_held`` tells whether this process may write the account.
        """
        self._name = name
        self._store = store
        self._worker = worker
        self._reasons = reasons
        self._options = options
        self._sinks = tuple(sinks)
        self._on_events = on_events
        self._is_held = is_held
        self._unannounced = False
        # SIM cards of events that are not announced yet, in order.
        self._in_events: dict[str, None] = {}
        self._state: LedgerState | None = None
        # What of the account was published by this process, None if nothing was.
        self._seen: Mapping[str, float | None] | None = None
        self._error = NOT_OPENED
        self._calls: set[Future[Any]] = set()
        self._session = 0
        self._snapshot = self._announced = empty_snapshot(name, options)

    @property
    def name(self) -> str:
        """The name of the account."""
        return self._name

    @property
    def held(self) -> bool:
        """Whether this process may write the account, and tell the sinks of it."""
        return self._is_held()

    @property
    def snapshot(self) -> AccountSnapshot:
        """The snapshot that was published last."""
        return self._snapshot

    @property
    def announced(self) -> AccountSnapshot:
        """The snapshot as it was when `announce` was called last, so SIM cards have their names."""
        return self._announced

    @property
    def state(self) -> LedgerState:
        """What is committed; `open` comes first."""
        if self._state is None:
            raise StateError(self._error)
        return self._state

    async def open(self, now: float) -> None:
        """Read the account's state unless that is done; publish it if there is a baseline."""
        if self._session != self._store.session:
            self._state = None
        # A poll that was cancelled may have left a call behind, which changes the state yet.
        if self._state is None or self._calls or not self._is_held():
            await self.in_worker(self._open, now)
        self.announce()

    def go_on_from(self, earlier: "Ledger") -> None:
        """Take over what the ledger of the account before a reload has published; before `open`."""
        if earlier._options.always_shown == self._options.always_shown:  # noqa: SLF001 - of its class
            self._seen = earlier._seen  # noqa: SLF001

    async def leave(self) -> None:
        """Forget the state, as another process changes it from now on; `open` reads it anew."""
        self._snapshot = self._announced = empty_snapshot(self._name, self._options)
        # In the worker, where a call of a poll that was cancelled may still run, and publish.
        await asyncio.get_running_loop().run_in_executor(self._worker, self._leave)

    def begin(self, now: float) -> UnitOfWork:
        """Begin a unit of work at ``now``."""
        self.state.forget_uncommitted_types()
        return UnitOfWork(
            self._name, self._reasons, self.state.label, now, self._options.duration_buckets
        )

    async def record(
        self, unit: UnitOfWork, actions: Sequence[Action], context: PageContext
    ) -> PageResult:
        """Record actions that were seen in a unit of work."""
        (result,) = await self.record_pages(unit, [(actions, context)])
        return result

    async def record_pages(
        self, unit: UnitOfWork, pages: Sequence[SeenPage]
    ) -> Sequence[PageResult]:
        """Record pages of one list, looked up at once; ``spare`` of each is as before them all."""
        return await self.in_worker(self._record_pages, unit, pages)

    async def unknown(self, unit: UnitOfWork, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Return those of the actions that are unknown; nothing is recorded."""
        return await self.in_worker(self._unknown, unit, actions)

    async def commit(self, unit: UnitOfWork) -> None:
        """Commit a unit of work; it must not be used any more."""
        if not unit.empty or unit.positions:
            await self.in_worker(self._commit, unit)

    async def conclude(self, unit: UnitOfWork, now: float) -> None:
        """Commit a unit of work, with what time alone brings, and publish as `publish` does.

        Time brings actions that are stuck, and problems to be forgotten.
        """
        self._publish(await self.in_worker(self._conclude, unit, now), now)

    async def publish(self, now: float) -> None:
        """Publish a snapshot of what is committed, as it is at ``now``."""
        self._publish(await self.in_worker(build, self.state, self._options, now), now)

    def _publish(self, snapshot: AccountSnapshot, now: float) -> None:
        # An equal one stays the same object, so that what was rendered of it need not be again.
        self._snapshot = self._snapshot if snapshot == self._snapshot else snapshot
        if self._state is not None:
            self._state.published(now)

    async def publish_counters(self, now: float) -> None:
        """Publish the counters of what is committed, while a poll is under way."""
        self._publish(
            await self.in_worker(with_counters, self._snapshot, self.state, self._options, now), now
        )

    def announce(self) -> None:
        """Let the sinks be told of what was committed and published; until then it is held back.

        To be called once the SIM cards have their names, or cannot get them now.
        """
        self._announced = self._snapshot
        self._in_events = {}
        if self._unannounced:
            self._unannounced = False
            self._on_events(self)

    async def unnamed(self, before: float) -> Sequence[str]:
        """Return the SIM cards to look up: never looked up, or last ``before`` that time.

        Those never looked up come first, those of events that are not announced yet before those
        with problems; then those looked up longest ago.
        """
        if not (self._in_events or self.state.problems):
            return ()
        return await self.in_worker(self._unnamed, before)

    async def interrupted(self, action_type: str | None, limit: int) -> Sequence[TrackedAction]:
        """Return interrupted actions (of one type), the latest first."""
        return await self.in_worker(
            self._store.interrupted, self.state.account_id, action_type, limit
        )

    async def count_members(self, bulk_id: str) -> MemberCounts:
        """Count the members of a bulk action that are known."""
        return await self.in_worker(self._store.count_members, self.state.account_id, bulk_id)

    async def forget(self, before: float) -> int:
        """Forget some actions that ended before ``before``; returns how many."""
        return await self.in_worker(self._forget, before)

    async def undelivered(self, sink: str) -> Sequence[tuple[int, Event]]:
        """Return the oldest events that ``sink`` was not delivered yet, each with its number.

        None while what was committed is not announced.
        """
        return await self.in_worker(self._undelivered, sink)

    async def delivered(self, sink: str, seq: int) -> None:
        """Note that ``sink`` was delivered all events up to the number ``seq``."""
        await self.in_worker(self._store.delivered, self.state.account_id, sink, seq)

    async def in_worker(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that takes long on the ledger's thread, beside the event loop."""

        def guarded() -> T:
            try:
                self._check_held()
                self._check_session()
                return call(*args, **kwargs)
            except Exception as exc:
                # The database has the last word: the state is read from it again.
                self._state = None
                # A delivery may meet it first: the poll that goes on says what it was.
                self._error = str(exc) if isinstance(exc, StateError) else NOT_OPENED
                raise

        future = self._worker.submit(guarded)
        self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        return await asyncio.wrap_future(future)

    def _check_held(self) -> None:
        # Before the database is asked: calls may wait in line when it does not answer.
        if not self._is_held():
            raise LeaseLostError(f"account {self._name!r} is not held by this process any more")

    def _check_session(self) -> None:
        if self._state is not None and self._session != self._store.session:
            # Another account met an error, so memory may not match the database any more.
            raise StateError(
                "the state database was closed after an error in another account; it is reopened"
            )

    def _leave(self) -> None:
        self._state = self._seen = None  # another process may publish it meanwhile
        self._error = NOT_OPENED
        self._snapshot = self._announced = empty_snapshot(self._name, self._options)
        self._unannounced = False
        self._in_events = {}

    def _open(self, now: float) -> None:
        if self._state is not None:
            return
        state = self._store.load(self._name)
        state.classify_problems(self._reasons.classify)
        if self._seen is not None:
            state.go_on_from(self._seen)
        self._seen = state.seen
        self._store.attach_sinks(state.account_id, self._sinks)
        self._state = state
        self._session = self._store.session
        if self._state.baseline_at is not None or not self._snapshot.readable:
            self._snapshot = build(self._state, self._options, now)
        self._unannounced = True

    def _record_pages(self, unit: UnitOfWork, pages: Sequence[SeenPage]) -> Sequence[PageResult]:
        recalled = self._recall(unit, chain.from_iterable(actions for actions, _ in pages))
        results: list[PageResult] = []
        for actions, context in pages:
            spare = context.spare - sum(result.new for result in results)
            results.append(_record(unit, actions, replace(context, spare=spare), recalled))
        return results

    def _unknown(self, unit: UnitOfWork, actions: Sequence[Action]) -> tuple[Action, ...]:
        known = self._recall(unit, actions)
        return tuple(action for action in actions if action.id not in known)

    def _recall(self, unit: UnitOfWork, actions: Iterable[Action]) -> dict[str, TrackedAction]:
        """Return what is known of actions, this unit of work included."""
        state = self.state
        found: dict[str, TrackedAction] = {}
        asked = []
        for action in actions:
            row = unit.rows.get(action.id) or state.open.get(action.id)
            if row is None:
                asked.append(action.id)
            else:
                found[action.id] = row
        if asked:
            found.update(self._store.find(state.account_id, asked))
        return found

    def _commit(self, unit: UnitOfWork) -> None:
        if unit.empty:
            # A file that was replaced begins anew: the sooner that is seen, the less is missed.
            self._store.check()
            self.state.apply(unit, {})
            return
        mine = self.state.account_id
        note_problems(unit, self.state, self._options, partial(self._store.find_by_sim_cards, mine))
        after = self._store.commit(mine, unit, self.state.sums)
        self.state.apply(unit, after)
        self._in_events.update((each.sim_card_id, None) for each in unit.events if each.sim_card_id)
        # Here, as whoever waits for the commit may have given up.
        self._unannounced = self._unannounced or bool(unit.events)

    def _conclude(self, unit: UnitOfWork, now: float) -> AccountSnapshot:
        if unit.rows or self.state.open or self.state.problems:
            self._note_time(unit)
        self._commit(unit)
        return build(self.state, self._options, now)

    def _note_time(self, unit: UnitOfWork) -> None:
        found = [
            row
            for row in self.state.open_after(unit)
            if not row.stuck and self._options.is_stuck(row, unit.now)
        ]
        for row in found:
            unit.stuck(row, self._options.stuck_at(row))
        forget_problems(unit, self.state, self._options, unit.now - self._options.forget_after)

    def _unnamed(self, before: float) -> Sequence[str]:
        state = self.state
        needed = state.needed_sim_cards()
        problems = {card for card, _ in state.problems}
        known = {id_: state.sim_cards[id_] for id_ in needed if id_ in state.sim_cards}
        wanted = dict.fromkeys((*self._in_events, *(id_ for id_ in needed if id_ in problems)))
        unknown = [id_ for id_ in (*needed, *wanted) if id_ not in known]
        if unknown:
            known |= self._store.sim_cards(state.account_id, unknown)
        state.sim_cards = known
        times = {id_: card.looked_up_at for id_, card in state.sim_cards.items()}
        unnamed = [id_ for id_ in wanted if times.get(id_, -inf) < before]
        return sorted(unnamed, key=lambda id_: times.get(id_, -inf))

    def _undelivered(self, sink: str) -> Sequence[tuple[int, Event]]:
        if self._unannounced:
            return ()
        mine = self.state.account_id
        events = self._store.undelivered(mine, sink, EVENTS_AT_ONCE)
        if not events:
            return ()
        cards = self._store.sim_cards(mine, {event.sim_card_id for _, event in events})
        return tuple((seq, _named(event, cards.get(event.sim_card_id))) for seq, event in events)

    def _forget(self, before: float) -> int:
        mine = self.state.account_id
        self._forget_bulks(before)
        count, baseline_cutoff = self._store.prune(mine, before, PRUNED_AT_ONCE)
        self.state.dropped(count, baseline_cutoff)
        if count:  # without an old action there is no SIM card that only an old one named
            self.state.sim_cards_known -= self._store.prune_sim_cards(mine, before)
        return count

    def _forget_bulks(self, before: float) -> None:
        """Forget what nobody needs of bulk actions: all of it while they are not read.

        Whoever reads them again begins anew: what ended meanwhile is history.
        """
        state = self.state
        since = None
        ids = tuple(state.bulks)
        if self._options.shows_bulks:
            ids = forgettable(state.bulks.values(), before)
            since = since_after(state.bulks_since, (state.bulks[each] for each in ids))
        if ids or since != state.bulks_since:
            self._store.forget_bulks(state.account_id, ids, since)
            state.bulks_since = since
            for bulk_id in ids:
                del state.bulks[bulk_id]


def _record(
    unit: UnitOfWork,
    actions: Sequence[Action],
    context: PageContext,
    recalled: Mapping[str, TrackedAction],
) -> PageResult:
    """Record what was seen; ``recalled`` is what was known of it."""
    new = changed = 0
    ends_known = True
    spare = context.spare
    baseline = context.cursor is None
    baseline_time = None if context.cursor is None else context.cursor.baseline_time
    for index, action in enumerate(actions):
        # The unit of work comes first: an action may stand twice on one page.
        known = unit.rows.get(action.id) or recalled.get(action.id)
        history = False
        if known is None:
            history = context.cursor is None or is_history(
                action, context.cursor, missing=spare > 0
            )
        found = observe(
            known,
            action,
            history=history,
            now=unit.now,
            keep=baseline,
            baseline_time=baseline_time,
        )
        if found.row is not None:
            counted = not (baseline and known is None and ended_status(action.status) is not None)
            unit.apply(found, new_row=known is None, counted=counted)
            came = known is None and not history
            new += came
            spare -= came
            changed += found.left is not None
        if context.first is not None and action.status not in SETTLED:
            _note_position(unit, action.id, context.first + context.step * index)
        ends_known = (known is not None and action.id not in unit.added) or history
    return PageResult(new, changed, ends_known)


def _named(event: Event, card: SimCard | None) -> Event:
    if card is None:
        return event
    return msgspec.structs.replace(
        event, iccid=card.iccid, sim_card_group=card.group, tags=card.tags
    )


def _note_position(unit: UnitOfWork, id_: str, position: int) -> None:
    """Note where an action was seen: on its row where that is written anyway."""
    row = unit.rows.get(id_)
    if row is not None:
        row.position = position
    unit.positions[id_] = position
