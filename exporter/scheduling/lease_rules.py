"""Who of several replicas should hold which lease, and until when it may be relied on. Pure.

`LeaseSharing` decides from what one replica sees and has seen; the replicas never talk to each
other, so it ends at rest only because every step is bounded: see `OFFERS`. All times are seconds
on the monotonic clock of this replica, except those in a `LeaseView`. It must not claim, renew or
let go of anything itself.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from math import inf

from exporter.ledger.leases import Lease, LeaseRow, LeaseView, Replica

TTL = 15.0
"""Seconds that a lease, or the heartbeat of a replica, lasts from when it is renewed."""

MARGIN = 3.0
"""Seconds before its end at which a holder stops relying on a lease.

For clocks that run at different speeds, and for what has begun to notice and stop.
"""

RENEW_EVERY = TTL / 3
"""Seconds between renewals: one may be lost without any loss of the lease."""

LOOK_EVERY = 1.0
"""Seconds between looks at the leases, which is how long one that was let go lies around."""

UNREACHABLE_AFTER = 120.0
"""Seconds of polls that do not reach Telnyx after which an account is left to others.

Two polls at the default interval, and longer than the restart of a proxy, a failover of the
network or a short outage of Telnyx take, which hit all replicas and are not mended by a move;
shorter than the eight minutes after which the shipped rules tell of polls that fail.
"""

AVOIDED_FOR = 2 * TTL
"""Seconds for which nobody holds an account before one that could not reach it tries again.

Twice what others wait, so that any of them gets it first.
"""

OFFERED_FOR = 5 * LOOK_EVERY
"""Seconds for which a surplus account is left to others before it is taken back."""

OFFER_PAUSE = 60.0
"""Seconds without further offers after one that nobody took."""

OFFERS = 2
"""How often an account is let go of as surplus until another replica comes.

Others may not want it: they are not configured for it, or cannot reach Telnyx, which the leases
do not show. Without a bound such accounts would be let go and taken back for ever. Twice, since
one that was busy may have missed the first offer.
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """Names of accounts: what to claim, in this order, and what to let go of.

    What is let go of is let go of between two polls: ``surplus`` for an even spread,
    ``unreachable`` since Telnyx cannot be reached from here. Each decision replaces the one
    before, also where that was not carried out yet.
    """

    claim: tuple[str, ...] = ()
    surplus: frozenset[str] = frozenset()
    unreachable: frozenset[str] = frozenset()


class LedgerChange(StrEnum):
    """What happened to a ledger that is not the one that was seen before."""

    REPLACED = "replaced"
    WENT_BACK = "went back"


def give_up_at(sent: float) -> float:
    """Return until when a lease may be relied on, if its claim or renewal succeeded.

    ``sent`` is when the request was sent, before its transaction began: it is never later than
    what the database counts from, however long the answer takes.
    """
    return sent + TTL - MARGIN


def lost(view: LeaseView, held: Mapping[str, Lease]) -> frozenset[str]:
    """Return the accounts whose lease in ``held`` is not the one in the database."""
    return frozenset(held.keys() - _confirmed(view, held))


class LedgerWatch:
    """Tells when the database has another ledger, or an older copy of it, than it had before."""

    def __init__(self) -> None:
        """Start without a ledger: the first one is no change."""
        self._generation: str | None = None
        self._epochs: dict[str, int] = {}
        self._rows: Mapping[str, LeaseRow] = {}

    def look(self, view: LeaseView, held: Mapping[str, Lease]) -> LedgerChange | None:
        """Compare with all views before, and with the leases ``held``; tell a change once."""
        known = self._generation
        self._generation = view.generation
        for account, lease in held.items():
            self._epochs[account] = max(lease.epoch, self._epochs.get(account, 0))
        change = None
        if known is not None and known != view.generation:
            change = LedgerChange.REPLACED
        elif any(
            row.epoch < self._epochs.get(account, 0) or _is_older(row, self._rows.get(account))
            for account, row in view.leases.items()
        ):
            change = LedgerChange.WENT_BACK
        if change is not None:
            self._epochs.clear()  # of accounts that are not in this view, too
        self._epochs.update({account: row.epoch for account, row in view.leases.items()})
        self._rows = view.leases
        return change


class LeaseSharing:
    """Decides for one replica what to claim and what to let go of; for one thread at a time."""

    def __init__(self, holder: str) -> None:
        """Begin with no memory, as ``holder``: unique for each start of a process."""
        self._holder = holder
        self._seen: dict[str, float] = {}  # the other live replicas, and since when
        self._settled: set[str] = set()  # those that are there to stay
        self._unheld: dict[str, tuple[int, float]] = {}  # with the epoch, and since when
        # To let go of by the last decision; the surplus with its epoch.
        self._surplus: dict[str, int] = {}
        self._unreachable: frozenset[str] = frozenset()
        # Surplus that was let go of: how often, and with which epoch the last time.
        self._offers: Counter[str] = Counter()
        self._offered: dict[str, int] = {}
        self._next_offer = -inf
        self._failing: dict[str, float] = {}  # since when
        self._avoided: set[str] = set()  # let go of as unreachable, not reached since
        self._cut_off = False  # let go of some, and reached Telnyx with none since

    def polled(self, account: str, *, reached: bool, now: float) -> None:
        """Note the end of a poll; any answer of Telnyx, also one of refusal, is ``reached``."""
        if reached:
            self._failing.pop(account, None)
            self._avoided.discard(account)
            self._unreachable -= {account}
            self._cut_off = False
        else:
            self._failing.setdefault(account, now)

    def decide(self, view: LeaseView, held: Mapping[str, Lease], now: float) -> Decision:
        """Decide on what ``view`` has, the answer to an exchange of just before ``now``.

        ``held`` are the leases that this replica relies on, without those that it gave up or let
        go of. The accounts in ``view`` are those that it is configured for. A replica whose own
        heartbeat has expired decides nothing before it is renewed.
        """
        live = [replica for replica in view.replicas if replica.expires_at > view.now]
        self._remember(view, held, {replica.holder for replica in live}, now)
        if all(replica.holder != self._holder for replica in live):
            self._surplus, self._unreachable = {}, frozenset()
            return Decision()
        counts = Counter(row.holder for row in view.leases.values() if row.expires_at > view.now)
        quotas = _quotas(len(view.leases), live, counts)
        room = quotas[self._holder] - counts[self._holder]
        mine = _confirmed(view, held)
        self._unreachable = self._overdue(mine, now)
        surplus = self._choose_surplus(
            mine - self._unreachable,
            min(
                # Not by the database: it may not know yet of what was let go of a moment ago.
                len(mine) - quotas[self._holder] - len(self._unreachable),
                sum(max(0, quotas[other] - counts[other]) for other in self._settled)
                - len(self._unheld),
            ),
            now,
        )
        self._surplus = {account: held[account].epoch for account in surplus}
        return Decision(self._choose_claims(view, room, now), surplus, self._unreachable)

    def _remember(
        self, view: LeaseView, held: Mapping[str, Lease], live: set[str], now: float
    ) -> None:
        """Take in what happened since the last decision."""
        self._seen = {other: self._seen.get(other, now) for other in live if other != self._holder}
        # One that starts and dies again and again moves nothing.
        settled = {other for other, since in self._seen.items() if now - since >= TTL}
        if settled - self._settled:
            self._offers.clear()
            self._next_offer = -inf
        self._settled = settled

        before = self._unheld
        self._unheld = {}
        for account, row in view.leases.items():
            if row.expires_at <= view.now:
                epoch, since = before.get(account, (row.epoch, now))
                self._unheld[account] = (row.epoch, since if epoch == row.epoch else now)

        gone = {account: self._surplus[account] for account in self._surplus.keys() - held.keys()}
        self._offers.update(gone.keys())
        self._offered.update(gone)
        left = self._unreachable - held.keys()
        self._avoided |= left
        self._cut_off |= bool(left)
        self._failing = {each: since for each, since in self._failing.items() if each in held}

    def _overdue(self, mine: set[str], now: float) -> frozenset[str]:
        """Return what was not reached for too long, if there is anybody else to try."""
        if not self._seen:
            return frozenset()
        return frozenset(
            account
            for account, since in self._failing.items()
            if account in mine - self._avoided and now - since >= UNREACHABLE_AFTER
        )

    def _choose_surplus(self, candidates: set[str], number: int, now: float) -> frozenset[str]:
        """Choose at most ``number`` accounts to offer: the same ones until they are let go of."""
        if number <= 0 or now < self._next_offer:
            return frozenset()
        fresh = [account for account in candidates if self._offers[account] < OFFERS]
        fresh.sort(key=lambda account: (self._offers[account], self._preference(account)))
        return frozenset(fresh[:number])

    def _choose_claims(self, view: LeaseView, room: int, now: float) -> tuple[str, ...]:
        """Choose from what nobody holds: up to ``room``, and what others leave lying."""
        claims = []
        for account in sorted(self._unheld, key=self._preference, reverse=True):
            epoch, since = self._unheld[account]
            offered = self._offered.get(account) == epoch and not view.leases[account].holder
            if not self._seen:
                wanted = True
            elif self._cut_off or account in self._avoided:
                wanted = now - since > AVOIDED_FOR
            elif room > 0:
                wanted = True
                room -= 1
            elif wanted := now - since > (OFFERED_FOR if offered else TTL):
                self._next_offer = now + OFFER_PAUSE
            if wanted:
                claims.append(account)
        return tuple(claims)

    def _preference(self, account: str) -> bytes:
        """Rank ``account`` for this replica: another order for each, so few claim the same."""
        return blake2b(f"{self._holder}\0{account}".encode(), digest_size=8).digest()


def _confirmed(view: LeaseView, held: Mapping[str, Lease]) -> set[str]:
    """Return the accounts whose lease in ``held`` is also the one in the database."""
    return {
        account
        for account, lease in held.items()
        if (row := view.leases.get(account)) is not None
        and (row.holder, row.epoch) == (lease.holder, lease.epoch)
    }


def _is_older(row: LeaseRow, before: LeaseRow | None) -> bool:
    """Tell whether a lease is as it was at an earlier time: its holder can only prolong it."""
    return (
        before is not None
        and (row.holder, row.epoch) == (before.holder, before.epoch)
        and row.expires_at < before.expires_at
    )


def _quotas(accounts: int, live: Collection[Replica], counts: Counter[str]) -> dict[str, int]:
    """Return how many accounts each live replica may hold; together they may hold all.

    What is left over after an even division goes to those who hold the most already, so that
    nothing moves that would make the spread no better.
    """
    order = sorted(live, key=lambda each: (-counts[each.holder], each.started_at, each.holder))
    share, left_over = divmod(accounts, len(order))
    return {each.holder: share + (place < left_over) for place, each in enumerate(order)}
