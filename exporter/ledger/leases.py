"""Leases as values: who may poll an account and write its ledger. Pure.

It must not decide who should hold what (`scheduling.lease_rules`), nor reach a database.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one process to poll an account and to write its ledger.

    ``holder`` is unique for each start of a process. ``epoch`` rises each time that the lease of
    the account is given to somebody, so an earlier lease of the same holder is another one.
    """

    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as the database has it; ``holder`` is empty if it was let go.

    ``expires_at`` is in seconds since the epoch by the clock of the database.
    """

    holder: str
    epoch: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Replica:
    """A process that shares the ledger, as it announced itself: its place in the order of all.

    ``started_at`` is when it came, ``expires_at`` when it counts as dead unless it is heard of
    before, both in seconds since the epoch by the clock of the database.
    """

    holder: str
    started_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class LeaseView:
    """Leases and replicas, also expired ones, as the database had them at ``now`` of its clock.

    ``leases`` are by the name of the account, and only of accounts that were asked for.
    ``generation`` is the random ID of the ledger: another one means another database.
    """

    now: float
    generation: str
    replicas: Collection[Replica]
    leases: Mapping[str, LeaseRow]


class LeaseTable(Protocol):
    """The leases in the database that the replicas share.

    Each method is one short transaction on a connection that nobody else uses; it raises
    StateError, and the next call opens the connection anew. Expiry is by the database's clock.
    For one thread at a time.
    """

    def exchange(
        self, holder: str, accounts: Collection[str], renewed: Mapping[str, int] | None
    ) -> LeaseView:
        """Read the leases of ``accounts``; renew those given, and the heartbeat of ``holder``.

        ``renewed`` has the epoch of each lease to renew, by account; a lease that is not that any
        more stays as it is, as the view then shows. None renews nothing, not the heartbeat either.
        Accounts that are new get a row that is expired, with epoch 0.
        """
        ...

    def claim(self, holder: str, accounts: Collection[str]) -> Mapping[str, Lease]:
        """Take those leases of ``accounts`` that are expired; returns what was taken, by account.

        One whose ledger is being written at this moment is left out: it can be claimed later.
        """
        ...

    def release(self, leases: Mapping[str, Lease]) -> None:
        """Let go of leases, by account, so that others can take them at once."""
        ...

    def leave(self, holder: str) -> None:
        """Let go of all leases of ``holder``, and remove its heartbeat."""
        ...

    def close(self) -> None:
        """Close the connection; raises nothing."""
        ...
