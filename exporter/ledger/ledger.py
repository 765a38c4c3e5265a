"""The ledger of one account: sightings in, committed state and its view out.

The shell around the pure parts: it keeps the database and everything that grows with the
account off the event loop, in the worker thread that all accounts share. It must not talk to
Telnyx or decide what to ask. Methods raise StateError; after one the state is read anew.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from exporter.errors import StateError
from exporter.ledger.book import Book
from exporter.ledger.draft import Draft
from exporter.ledger.model import Event, Listing, Row
from exporter.ledger.picture import Frame, draw, empty_view
from exporter.ledger.reasons import Reasons
from exporter.ledger.store import Store
from exporter.ledger.transitions import ended, is_history, observe
from exporter.ledger.view import AccountView, Status
from exporter.ledger.wording import keepable
from exporter.telnyx.wire import Action

PRUNED_AT_ONCE = 500
"""How many actions are forgotten at once: some 20 ms, as each stands on a page of its own."""

EVENTS_AT_ONCE = 100
"""How many events are taken from the outbox, and logged, at once: some 5 ms of the event loop."""

SETTLED = (Status.COMPLETED, Status.FAILED)
"""Statuses of actions that are not looked for any more, so that their place does not matter."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sight:
    """How a number of actions came into sight.

    ``listing`` is the listing that the horizon is taken from; None: all that nobody knows is
    history, as before the baseline. ``first`` is the position of the first action, counted from
    the old end, and ``step`` what to add for each further one; None where it is not known.
    ``spare`` is how many actions the totals say are yet unseen: without it, an action that does
    not say when it was created is history.
    """

    listing: Listing | None
    first: int | None = None
    step: int = 0
    spare: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sighting brought.

    ``new`` counts the actions that nobody knew and that are no history, ``changed`` those with
    another status than before; ``ends_known`` says that the last one was known before this unit
    of work, or is history.
    """

    new: int
    changed: int
    ends_known: bool


class Ledger:
    """What is known of one account."""

    def __init__(
        self, *, name: str, store: Store, worker: ThreadPoolExecutor, reasons: Reasons, frame: Frame
    ) -> None:
        """Keep the parts; nothing is read before `open`."""
        self._name = name
        self._store = store
        self._worker = worker
        self._reasons = reasons
        self._frame = frame
        self._book: Book | None = None
        self._session = 0
        self._view = empty_view(name, frame)

    @property
    def view(self) -> AccountView:
        """The picture that was published last."""
        return self._view

    @property
    def book(self) -> Book:
        """What is committed; `open` comes first."""
        if self._book is None:
            raise StateError("the state database was not opened")
        return self._book

    async def open(self, now: float) -> None:
        """Read what is kept of the account, unless that is done; publish it if it is a view."""
        if self._session != self._store.session:
            self._book = None
        await self.in_worker(self._open, now)

    def begin(self, now: float) -> Draft:
        """Begin a unit of work at ``now``."""
        self.book.settle()
        return Draft(self._name, self._reasons, self.book.label, now)

    async def absorb(self, draft: Draft, actions: Sequence[Action], sight: Sight) -> Seen:
        """Take actions that came into sight into a unit of work."""
        return await self.in_worker(self._absorb, draft, actions, sight)

    async def strangers(self, draft: Draft, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Return those of the actions that nobody knows; nothing is taken in."""
        return await self.in_worker(self._strangers, draft, actions)

    async def commit(self, draft: Draft) -> None:
        """Commit a unit of work; it must not be used any more."""
        await self.in_worker(self._commit, draft)

    async def publish(self, now: float) -> None:
        """Draw the view of what is committed, as it is at ``now``."""
        view = await self.in_worker(draw, self.book, self._frame, now)
        # What is the same stays the same object: what was written of it need not be written anew.
        self._view = self._view if view == self._view else view

    async def note_stuck(self, draft: Draft) -> None:
        """Take those that have become stuck into a unit of work, each once."""
        await self.in_worker(self._note_stuck, draft)

    async def interrupted(self, action_type: str | None, limit: int) -> Sequence[Row]:
        """Return interrupted actions (of one type), the latest first."""
        return await self.in_worker(
            self._store.interrupted, self.book.account_id, action_type, limit
        )

    async def forget(self, before: float) -> int:
        """Forget some actions that ended before ``before``; returns how many."""
        return await self.in_worker(self._forget, before)

    async def unlogged(self) -> tuple[tuple[int, Event], ...]:
        """Return the oldest events that were not logged yet, each with its number."""
        return await self.in_worker(self._store.pending, self.book.account_id, EVENTS_AT_ONCE)

    async def logged(self, seqs: Sequence[int]) -> None:
        """Clear events that were logged."""
        await self.in_worker(self._store.logged, self.book.account_id, seqs)

    async def in_worker(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call something that takes long on the ledger's thread, beside the event loop."""

        def guarded() -> T:
            try:
                self._check_session()
                return call(*args, **kwargs)
            except Exception:
                # The disk has the last word: whatever memory says is read anew from it.
                self._book = None
                raise

        return await asyncio.get_running_loop().run_in_executor(self._worker, guarded)

    def _check_session(self) -> None:
        if self._book is not None and self._session != self._store.session:
            # Another account met an error: who knows what stands on the disk by now.
            raise StateError("the state database was closed meanwhile: it is read anew")

    def _open(self, now: float) -> None:
        if self._book is not None:
            return
        self._book = self._store.load(self._name)
        self._session = self._store.session
        if self._book.baseline_at is not None or not self._view.readable:
            self._view = draw(self._book, self._frame, now)

    def _absorb(self, draft: Draft, actions: Sequence[Action], sight: Sight) -> Seen:
        actions = [keepable(action) for action in actions]
        recalled = self._recall(draft, actions)
        new = changed = 0
        ends_known = True
        spare = sight.spare
        baseline = sight.listing is None
        cutoff = None if sight.listing is None else sight.listing.cutoff
        for index, action in enumerate(actions):
            # The draft comes first: an action may stand twice on one page.
            known = draft.rows.get(action.id) or recalled.get(action.id)
            history = False
            if known is None:
                history = sight.listing is None or is_history(
                    action, sight.listing, missing=spare > 0
                )
            found = observe(
                known, action, history=history, now=draft.now, keep=baseline, cutoff=cutoff
            )
            if found.row is not None:
                counted = not (baseline and known is None and ended(action.status) is not None)
                draft.apply(found, new_row=known is None, counted=counted)
                came = known is None and not history
                new += came
                spare -= came
                changed += found.left is not None
            if sight.first is not None and action.status not in SETTLED:
                _place(draft, action.id, sight.first + sight.step * index)
            ends_known = (known is not None and action.id not in draft.added) or history
        return Seen(new, changed, ends_known)

    def _strangers(self, draft: Draft, actions: Sequence[Action]) -> tuple[Action, ...]:
        kept = [keepable(action) for action in actions]
        known = self._recall(draft, kept)
        return tuple(a for a, k in zip(actions, kept, strict=True) if k.id not in known)

    def _recall(self, draft: Draft, actions: Sequence[Action]) -> dict[str, Row]:
        """Return what is remembered of actions, this unit of work included."""
        book = self.book
        found: dict[str, Row] = {}
        asked = []
        for action in actions:
            row = draft.rows.get(action.id) or book.open.get(action.id)
            if row is None:
                asked.append(action.id)
            else:
                found[action.id] = row
        if asked:
            found.update(self._store.find(book.account_id, asked))
        return found

    def _commit(self, draft: Draft) -> None:
        if draft.empty:
            self.book.apply(draft, {})
            return
        after = self._store.commit(self.book.account_id, draft, self.book.sums)
        self.book.apply(draft, after)

    def _note_stuck(self, draft: Draft) -> None:
        found = [
            row
            for row in self.book.open_after(draft)
            if not row.stuck and self._frame.is_stuck(row, draft.now)
        ]
        for row in found:
            draft.stuck(row)

    def _forget(self, before: float) -> int:
        count, horizon = self._store.prune(self.book.account_id, before, PRUNED_AT_ONCE)
        self.book.pruned(count, horizon)
        return count


def _place(draft: Draft, id_: str, position: int) -> None:
    """Note where an action was seen: on its row where that is written anyway."""
    row = draft.rows.get(id_)
    if row is not None:
        row.position = position
    draft.positions[id_] = position
