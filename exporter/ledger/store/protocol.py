"""What the ledger, and whoever counts on it or reads it, ask of a store. No behaviour.

A store keeps the committed state of any number of accounts, and the outbox of each. It decides
nothing about what it keeps.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.domain import Event, SimCard
from exporter.ledger.queries import (
    AccountAction,
    AccountProblem,
    ActionPosition,
    ActionQuery,
    FailureQuery,
    LedgerView,
    ProblemQuery,
    ReasonCount,
    Rows,
    SimCardHistory,
)
from exporter.ledger.records import MemberCounts, SumKey, TrackedAction
from exporter.ledger.state import LedgerState
from exporter.ledger.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class StateFacts:
    """What a state is like: sizes in bytes, and how many processes use it.

    ``exists`` is false for a file that is not there yet; ``writable`` is for this user.
    ``users`` is None if that cannot be told.
    """

    exists: bool
    writable: bool
    users: int | None
    database: int = 0
    log: int = 0


class LedgerStore(Protocol):
    """The durable side of the ledger.

    Each method is one transaction: others see all of it or nothing, and on return it survives a
    crash and a power loss. Accounts share nothing; an ``account_id`` is what `load` returned.

    Every method may raise StateError, which names the cause and a remedy, and nothing else that
    stands in the environment. Usually nothing was written then, but a write may have taken place
    whose confirmation was lost, so callers `load` that account before they go on. The next call
    opens the store anew: it recovers when its disk or its server does. A store that several
    processes share raises LeaseLostError for an account that this one does not hold (any more).

    Calls block; a store is used by one thread at a time.
    """

    @property
    def session(self) -> int:
        """Changes when what was read before may be stale, of whichever account.

        So it does when the store is closed; after an error only if the store does not find out by
        itself what is stale.
        """
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Bytes on this machine's disk, by part; empty where there are none, or before any call.

        Measured at the last transaction: it reads nothing, and raises nothing.
        """
        ...

    def close(self) -> None:
        """End the session; the next call opens the store anew. Raises nothing."""
        ...

    def interrupt(self) -> None:
        """End a call that waits for a server, with StateError; for any thread, raises nothing."""
        ...

    def check(self) -> None:
        """Find out whether what was written is lost, as far as this machine's disk tells."""
        ...

    def load(self, name: str) -> LedgerState:
        """Read the state of the account ``name``; one never heard of is created empty.

        Raises StateError also for what cannot be made into today's values.
        """
        ...

    def find(self, account_id: int, ids: Collection[str]) -> Mapping[str, TrackedAction]:
        """Return the actions among ``ids`` that are remembered, open or not, by id.

        There may be any number of ids.
        """
        ...

    def find_by_sim_cards(
        self, account_id: int, sim_card_ids: Collection[str], *, failures: bool = False
    ) -> Mapping[str, Sequence[TrackedAction]]:
        """Return the remembered actions that completed or went wrong, by the id of the SIM card.

        Wrong: failed, interrupted or stuck after the baseline; ``failures``: only those.
        """
        ...

    def sim_cards(self, account_id: int, ids: Collection[str]) -> Mapping[str, SimCard]:
        """Return the SIM cards among ``ids`` that were looked up and are kept, by id."""
        ...

    def prune_sim_cards(self, account_id: int, before: float) -> int:
        """Forget the SIM cards without a problem that were looked up before ``before``.

        Returns how many.
        """
        ...

    def count_members(self, account_id: int, bulk_id: str) -> MemberCounts:
        """Count the members of a bulk action."""
        ...

    def forget_bulks(self, account_id: int, ids: Sequence[str], since: float | None) -> None:
        """Forget bulk actions, and which actions were their members; ``since`` is to be kept."""
        ...

    def interrupted(
        self, account_id: int, action_type: str | None, limit: int
    ) -> Sequence[TrackedAction]:
        """Return at most ``limit`` interrupted actions (of one type), the latest end first."""
        ...

    def commit(
        self, account_id: int, unit: UnitOfWork, before: Mapping[SumKey, float]
    ) -> dict[SumKey, float]:
        """Write a unit of work; returns the sums that it changes, as they are after it.

        ``before`` are the sums as they are stored: increments are added to them. Rows, cursors,
        drift, problems, SIM cards and bulk actions replace what stood under the same key, a sweep,
        a problem or a bulk action that is None ends, the latter with its members, to which others
        are only added; what the unit does not name stays. The actions of a forgotten problem
        are failures no longer, and problems resolved more than RESOLVED_SHOWN seconds before the
        unit's time need not be kept. Its events are appended to the outbox, in their order.
        """
        ...

    def prune(self, account_id: int, before: float, limit: int) -> tuple[int, float | None]:
        """Forget at most ``limit`` actions that were seen to end before ``before``, oldest first.

        Returns how many, and a time just above the latest creation among them, None for none. The
        cutoffs of every cursor are raised to it, never lowered, so that what was forgotten and is
        still listed is history. Sums and events stay. Actions without any time, or with one that
        is not over at ``before``, are kept: nothing else tells them from new ones. So are the
        action that a problem names, and those created after one of the same SIM card that is still
        open: what becomes of that depends on them.
        """
        ...

    def attach_sinks(self, account_id: int, sinks: Collection[str]) -> None:
        """Keep the positions of ``sinks`` and of no other; repeated, it changes nothing.

        A new sink begins at the present end of the outbox. One that is left out loses its
        position, and holds back no event any more.
        """
        ...

    def undelivered(self, account_id: int, sink: str, limit: int) -> Sequence[tuple[int, Event]]:
        """Return the oldest events, ``limit`` at most, that ``sink`` was not delivered yet.

        They come in the order of their commits, each with its number; numbers rise and are never
        given to another event. A sink that is not attached gets none.
        """
        ...

    def delivered(self, account_id: int, sink: str, seq: int) -> None:
        """Note that ``sink`` was delivered all events up to the number ``seq``.

        A position never goes back: an older number changes nothing. An event is kept until every
        sink was delivered it, the latest `RECENT_FAILURES` failures beyond that, for `load`.
        """
        ...


class LedgerReader(Protocol):
    """The ledger as others read it, while its owner writes or not; it changes nothing.

    Each method sees one committed state. It holds up no writer, unless the state is in memory: then
    it and the owner wait for each other. What is shown of which account is in the ``view``.

    Calls block, from any thread and several at a time. They raise StateError, which names the
    cause and a remedy: QueryTimeoutError for one that takes longer than the reader allows.
    """

    def problems(self, view: LedgerView, query: ProblemQuery) -> Rows[AccountProblem]:
        """Return the open problems that pass the filters, in the order of the query."""
        ...

    def actions(self, view: LedgerView, query: ActionQuery) -> Rows[AccountAction]:
        """Return the remembered actions that pass the filters, in the order of the query.

        Ties are in the order of their ids. A position stays where it is while others come and go.
        """
        ...

    def complete_since(
        self, view: LedgerView, account: str | None = None, bulk_id: str | None = None
    ) -> float | None:
        """Return from when on every action is remembered, of all accounts of the view or of one.

        That is since their baseline, or since what was forgotten last was created; None if one of
        them has no baseline yet. With a bulk action, it is of the account that has it; None unless
        all members are known.
        """
        ...

    def failures(self, view: LedgerView, query: FailureQuery) -> Rows[AccountAction]:
        """Return the actions that failed or were interrupted, by when that was seen, latest first.

        A position stays where it is while new ones come.
        """
        ...

    def failure_reasons(self, view: LedgerView, since: float, /) -> tuple[ReasonCount, ...]:
        """Return why actions failed or were interrupted since a time, the most frequent first."""
        ...

    def sim_card(
        self,
        view: LedgerView,
        sim_card_id: str,
        after: ActionPosition | None = None,
        limit: int | None = None,
    ) -> SimCardHistory:
        """Return what is known of a SIM card; of its actions a part, the newest first."""
        ...


class StateReader(LedgerReader, Protocol):
    """The states of accounts as others read them, whoever holds them; as a `LedgerReader` else."""

    def state(self, name: str) -> LedgerState | None:
        """Return the state of the account ``name``, as `LedgerStore.load` does.

        None if the ledger has no account of that name.
        """
        ...


class ActionReader(StateReader, Protocol):
    """The states of accounts, and single actions of theirs, as others read them."""

    def find(self, account_id: int, ids: Collection[str]) -> Mapping[str, TrackedAction]:
        """Return the actions among ``ids`` that are remembered, as `LedgerStore.find` does."""
        ...
