"""What one poll has seen: the unit of work that observations go into, and its commits.

It must not ask the API anything, nor decide what to ask.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from exporter.clock import Clock
from exporter.domain import Action
from exporter.ledger.ledger import Ledger, PageContext, PageResult, SeenPage
from exporter.ledger.records import ListCursor, ListFilter, TrackedAction
from exporter.ledger.unit_of_work import UnitOfWork

CHECKPOINT_REQUESTS = 40
"""Requests after which a checkpoint commits what they brought."""


class Recorder:
    """Records observations of one poll in units of work, each ended by a commit or a discard.

    ``unit`` is the one that is open, ``followed`` how many open actions were seen again. ``absent``
    are the ids that the API did not know when it was
    asked for them last.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, absent: Iterable[str] = ()) -> None:
        """Begin a unit of work; ``absent`` is that of the poll before."""
        self._ledger = ledger
        self._clock = clock
        self._absent_before = frozenset(absent)
        self._absent: set[str] = set()
        self._found: set[str] = set()
        self._seen: set[str] = set()
        self._requests = 0
        self.followed = 0
        self.unit: UnitOfWork = ledger.begin(clock.now())

    @property
    def absent(self) -> frozenset[str]:
        """Return the ids that the API did not know, in this poll or in those before."""
        return (self._absent_before - self._found) | self._absent

    async def commit(self) -> None:
        """Commit the unit of work, and begin the next."""
        await self._ledger.commit(self.unit)
        self.discard()

    async def conclude(self) -> None:
        """Commit, and publish what is known then."""
        await self._ledger.conclude(self.unit, self._clock.now())
        self.discard()

    async def checkpoint(self, requests: int) -> None:
        """Count requests, and commit after some, so that a long poll that fails was not in vain.

        Only for what is true action by action, whatever else the poll finds.
        """
        self._requests += requests
        if self._requests >= CHECKPOINT_REQUESTS:
            await self.commit()

    def discard(self) -> None:
        """Give up what was recorded since the last commit, and begin a new unit of work."""
        self._requests = 0
        self.unit = self._ledger.begin(self._clock.now())

    def cursor(self, list_filter: ListFilter) -> ListCursor | None:
        """Return what is known of a list, this unit of work included."""
        return self.unit.cursors.get(list_filter) or self._ledger.state.cursors.get(list_filter)

    def set_cursor(self, list_filter: ListFilter, cursor: ListCursor) -> None:
        """Replace what is known of a list."""
        self.unit.cursors[list_filter] = cursor

    def open_actions(self, action_type: str | None) -> Iterator[TrackedAction]:
        """Yield the open actions (of one type), this unit of work included."""
        return self._ledger.state.open_after(self.unit, action_type)

    def unseen(self, rows: Iterable[TrackedAction]) -> list[TrackedAction]:
        """Return those that this poll has not seen yet, nor asked for by id."""
        return [row for row in rows if row.id not in self._seen]

    def forget_seen(self) -> None:
        """Take every action as not yet seen, so that it is asked for again."""
        self._seen.clear()

    async def record(self, actions: Sequence[Action], context: PageContext) -> PageResult:
        """Record actions that were seen; returns what they brought."""
        (result,) = await self.record_pages([(actions, context)])
        return result

    async def record_pages(self, pages: Sequence[SeenPage]) -> Sequence[PageResult]:
        """Record pages that were read together; returns what each brought."""
        results = await self._ledger.record_pages(self.unit, pages)
        self.saw(action.id for action in chain.from_iterable(actions for actions, _ in pages))
        return results

    def saw(self, ids: Iterable[str]) -> None:
        """Take note that the actions with these ids were seen."""
        # By the ids that are held anyway, not by copies of them: there may be 100,000.
        known, new, seen = self._ledger.state.open, self.unit.rows, self._seen
        for id_ in ids:
            if id_ not in seen:
                row = known.get(id_)
                self.followed += row is not None
                row = row or new.get(id_)
                seen.add(id_ if row is None else row.id)

    async def unknown(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Return those of the actions that nobody knows; nothing is recorded."""
        return await self._ledger.unknown(self.unit, actions)

    def asked_for(self, row: TrackedAction, *, exists: bool | None) -> None:
        """Record that an action was asked for by its id, and whether it exists; None: unknown.

        One that does not exist in two polls in a row is gone.
        """
        self.followed += row.id not in self._seen
        self._seen.add(row.id)
        if exists is False:
            self._absent.add(row.id)
            if row.id in self._absent_before:
                self.unit.mark_gone(row)
        elif exists:
            self._found.add(row.id)
