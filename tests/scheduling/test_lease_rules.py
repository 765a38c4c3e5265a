"""Leases in a model world: any interleaving is safe, and ends with every account held.

The world has one database and replicas whose requests to it are delayed, lost, or answered in
vain, and which are stopped, killed and started anew.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from exporter.ledger.leases import Lease, LeaseRow, LeaseView, Replica
from exporter.scheduling.lease_rules import (
    AVOIDED_FOR,
    OFFER_PAUSE,
    OFFERED_FOR,
    OFFERS,
    RENEW_EVERY,
    TTL,
    UNREACHABLE_AFTER,
    Decision,
    LeaseSharing,
    LedgerChange,
    LedgerWatch,
    give_up_at,
    lost,
)

ACCOUNTS = tuple("abcdef")
TICK = 1.0
"""Seconds between two looks."""

SLOW_TICK = RENEW_EVERY
"""The same where a world has to run for long: as seldom as the renewals allow."""

SLACK = 4 * TICK
"""Seconds for a few looks: one to see, one to claim, and one more each for a lost race."""

QUIET = TTL + SLACK
"""Seconds without a claim or a release after which a world where all polls succeed is at rest."""


class LeaseDatabase:
    """Keeps leases and heartbeats as a `LeaseTable` does; ``now`` is its clock."""

    def __init__(self) -> None:
        """Start empty."""
        self.now = 1e9
        self.rows: dict[str, LeaseRow] = {}
        self.replicas: dict[str, Replica] = {}

    def exchange(
        self, holder: str, accounts: Collection[str], renewed: Mapping[str, int] | None
    ) -> LeaseView:
        """Renew what is still so, and show what was asked for."""
        for account in accounts:
            self.rows.setdefault(account, LeaseRow("", 0, 0.0))
        if renewed is not None:
            started = self.replicas.get(holder, Replica(holder, self.now, 0.0)).started_at
            self.replicas[holder] = Replica(holder, started, self.now + TTL)
            for account, epoch in renewed.items():
                row = self.rows[account]
                if (row.holder, row.epoch) == (holder, epoch):
                    self.rows[account] = LeaseRow(holder, epoch, self.now + TTL)
        leases = {account: self.rows[account] for account in accounts}
        return LeaseView(self.now, "one", list(self.replicas.values()), leases)

    def claim(self, holder: str, accounts: Collection[str]) -> dict[str, Lease]:
        """Give what is expired."""
        taken = {}
        for account in accounts:
            row = self.rows[account]
            if row.expires_at <= self.now:
                taken[account] = Lease(holder, row.epoch + 1)
                self.rows[account] = LeaseRow(holder, row.epoch + 1, self.now + TTL)
        return taken

    def release(self, leases: Mapping[str, Lease]) -> None:
        """Let go of what is still so."""
        for account, lease in leases.items():
            row = self.rows[account]
            if (row.holder, row.epoch) == (lease.holder, lease.epoch):
                self.rows[account] = LeaseRow("", row.epoch, self.now)

    def leave(self, holder: str) -> None:
        """Let go of all that ``holder`` has."""
        del self.replicas[holder]
        for account, row in self.rows.items():
            if row.holder == holder:
                self.rows[account] = LeaseRow("", row.epoch, self.now)

    def has(self, account: str, lease: Lease) -> bool:
        """Tell whether the fence lets a transaction with ``lease`` pass."""
        row = self.rows[account]
        return (row.holder, row.epoch) == (lease.holder, lease.epoch)


@dataclass
class Request:
    """A request on its way: ``apply`` does it in the database, ``answer`` tells what came of it."""

    apply: Callable[[], None]
    answer: Callable[[], None] | None = None


@dataclass
class Process:
    """A replica, as a program that does what the rules say; its clock is its own."""

    database: LeaseDatabase
    holder: str
    accounts: Collection[str]
    clock: float
    rate: float = 1.0
    paused: bool = False
    cut_off: bool = False
    unreachable: Collection[str] = ()
    held: dict[str, Lease] = field(default_factory=dict)
    deadlines: dict[str, float] = field(default_factory=dict)
    renewed_at: float = float("-inf")
    decision: Decision = field(default_factory=Decision)
    todo: list[Callable[[], Request]] = field(default_factory=list)
    moves: int = 0
    given: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Begin without any memory."""
        self.sharing = LeaseSharing(self.holder)

    def relies_on(self, account: str) -> bool:
        """Tell whether it would write ``account`` now."""
        return account in self.held and self.clock < self.deadlines[account]

    def keep(self, leases: Mapping[str, Lease], sent: float) -> None:
        """Rely on ``leases``, claimed or renewed by a request of ``sent``."""
        self.held.update(leases)
        self.deadlines.update(dict.fromkeys(leases, give_up_at(sent)))

    def drop(self, accounts: Collection[str]) -> dict[str, Lease]:
        """Stop relying on ``accounts``."""
        return {each: self.held.pop(each) for each in list(accounts) if each in self.held}

    def next_request(self) -> Request:
        """Make the request that is due: what was decided, else a look, which may renew."""
        self.drop([each for each in self.held if not self.relies_on(each)])
        return self.todo.pop(0)() if self.todo else self.look()

    def look(self) -> Request:
        """Ask for the leases; a poll of each account has just ended."""
        for account in self.held:
            self.sharing.polled(account, reached=account not in self.unreachable, now=self.clock)
        sent, renewed = self.clock, None
        if sent >= self.renewed_at + RENEW_EVERY:
            renewed = {account: lease.epoch for account, lease in self.held.items()}

        def apply() -> None:
            view = self.database.exchange(self.holder, self.accounts, renewed)
            request.answer = partial(self.saw, view, sent, renewed)

        request = Request(apply)
        return request

    def saw(self, view: LeaseView, sent: float, renewed: Mapping[str, int] | None) -> None:
        """Take in a view, and decide."""
        self.drop(lost(view, self.held))
        if renewed is not None:
            self.renewed_at = sent
            self.keep({each: lease for each, lease in self.held.items() if each in renewed}, sent)
        self.decision = self.sharing.decide(view, self.held, self.clock)
        self.todo = []
        if self.decision.claim:
            self.todo.append(partial(self.claim, self.decision.claim))
        if self.decision.surplus or self.decision.unreachable:
            self.todo.append(partial(self.release, self.decision))

    def claim(self, accounts: Collection[str]) -> Request:
        """Ask for what was decided."""
        self.moves += 1
        sent = self.clock

        def apply() -> None:
            taken = self.database.claim(self.holder, accounts)
            request.answer = partial(self.keep, taken, sent)

        request = Request(apply)
        return request

    def release(self, decision: Decision) -> Request:
        """Let go, first in its own mind; ``given`` and ``left`` count why."""
        self.moves += 1
        self.given.update(decision.surplus)
        self.left.update(decision.unreachable)
        leases = self.drop(decision.surplus | decision.unreachable)

        def apply() -> None:
            self.database.release(leases)
            request.answer = lambda: None

        request = Request(apply)
        return request

    def whole_look(self) -> None:
        """Look, and do all that is decided, at once; alone if it cannot reach the database."""
        while True:
            request = self.next_request()
            if self.cut_off:
                return
            request.apply()
            assert request.answer is not None
            request.answer()
            if not self.todo:
                return


class World:
    """Time, the database and the living replicas."""

    def __init__(self) -> None:
        """Start empty."""
        self.tick_time = TICK
        self.database = LeaseDatabase()
        self.processes: list[Process] = []
        self.started = 0

    def start(self, accounts: Collection[str], clock: float = 0.0, rate: float = 1.0) -> Process:
        """Start a replica."""
        self.started += 1
        process = Process(self.database, f"r{self.started}", accounts, clock, rate)
        self.processes.append(process)
        return process

    def pass_time(self, seconds: float) -> None:
        """Let all clocks run."""
        self.database.now += seconds
        for process in self.processes:
            process.clock += seconds * process.rate

    def tick(self) -> None:
        """Let all that can look, in turn."""
        self.pass_time(self.tick_time)
        for process in self.processes:
            if not process.paused:
                process.whole_look()

    def run(self, seconds: float) -> None:
        """Let them all look every second."""
        for _ in range(round(seconds / self.tick_time)):
            self.tick()

    def holders(self, account: str) -> list[str]:
        """Return who relies on ``account``, also those that are stopped at this moment."""
        return [each.holder for each in self.processes if each.relies_on(account)]

    def moves(self) -> int:
        """Return how many claims and releases there were."""
        return sum(each.moves for each in self.processes)

    def run_to_rest(self, seconds: float, quiet: float = QUIET) -> None:
        """Run until nothing moves for ``quiet``; fail if that takes longer than ``seconds``."""
        rest = 0.0
        while rest < quiet:
            assert seconds > 0, "accounts are claimed and let go of for ever"
            before = self.moves()
            self.tick()
            rest = rest + self.tick_time if self.moves() == before else 0.0
            seconds -= self.tick_time

    def assert_held(self, accounts: Collection[str]) -> None:
        """Each of ``accounts`` has one holder."""
        holders = {account: self.holders(account) for account in accounts}
        assert all(len(each) == 1 for each in holders.values()), holders

    def assert_even(self) -> None:
        """No replica holds two accounts more than another one."""
        numbers = [len(each.held) for each in self.processes]
        assert max(numbers) - min(numbers) <= 1, numbers


clocks = st.floats(0, 1e6)
rates = st.sampled_from((0.81, 1.0, 1.25))
"""The speed of a clock; the extremes are all that the margin allows for."""

places = st.integers(0, 11)
delays = st.sampled_from((0, 0, 0, 1, 4, 10, 16))


class Leases(RuleBasedStateMachine):
    """Replicas with the same accounts, and all that can happen to them."""

    def __init__(self) -> None:
        """Start with an empty world."""
        super().__init__()
        self.world = World()
        self.sent: dict[str, Request] = {}
        self.late: list[Request] = []
        self.epochs: dict[str, int] = {}
        self.accounts: tuple[str, ...] = ()

    @initialize(
        number=st.integers(1, len(ACCOUNTS)),
        first=st.lists(st.tuples(clocks, rates), min_size=1, max_size=3),
    )
    def begin(self, number: int, first: list[tuple[float, float]]) -> None:
        """Start the first replicas at once."""
        self.accounts = ACCOUNTS[:number]
        for clock, rate in first:
            self.world.start(self.accounts, clock, rate)

    def pick(self, place: int) -> Process:
        """Choose a replica."""
        return self.world.processes[place % len(self.world.processes)]

    @precondition(lambda self: len(self.world.processes) < 4)
    @rule(clock=clocks, rate=rates)
    def start(self, clock: float, rate: float) -> None:
        """Start a process."""
        self.world.start(self.accounts, clock, rate)

    @precondition(lambda self: len(self.world.processes) > 1)
    @rule(place=places, orderly=st.booleans())
    def end(self, place: int, *, orderly: bool) -> None:
        """Stop one, or kill it; what it sent may still arrive."""
        process = self.pick(place)
        self.abandon(process)
        self.world.processes.remove(process)
        if orderly and process.holder in self.world.database.replicas:
            self.world.database.leave(process.holder)

    @rule(place=places)
    def pause_or_go_on(self, place: int) -> None:
        """Stop one as by SIGSTOP, or let it go on."""
        process = self.pick(place)
        process.paused = not process.paused

    @rule(place=places)
    def cut_or_mend(self, place: int) -> None:
        """Cut one off from the database, or mend that."""
        process = self.pick(place)
        process.cut_off = not process.cut_off

    @rule(seconds=st.integers(1, round(2 * TTL)), look=st.booleans())
    def wait(self, seconds: int, *, look: bool) -> None:
        """Let time pass, in which nobody looks or all that can."""
        for process in self.world.processes:
            if look and not process.paused:
                self.abandon(process)
        for _ in range(seconds):
            if look:
                self.world.tick()
            else:
                self.world.pass_time(TICK)
            self.check()

    @rule(steps=st.lists(st.tuples(places, delays), min_size=1, max_size=8))
    def step(self, steps: list[tuple[int, int]]) -> None:
        """Let one after the other send a request, have it arrive, or have its answer."""
        for place, delay in steps:
            process = self.pick(place)
            request = self.sent.get(process.holder)
            if request is not None and request.answer is None:
                request.apply()
            elif not process.paused:
                if request is None:
                    self.sent[process.holder] = process.next_request()
                elif request.answer is not None:
                    del self.sent[process.holder]
                    request.answer()
            self.check()
            for _ in range(delay):
                self.world.pass_time(TICK)
                self.check()

    @rule(place=places)
    def lose(self, place: int) -> None:
        """Lose an answer, or have a request arrive only after its sender has given it up."""
        self.abandon(self.pick(place))

    def abandon(self, process: Process) -> None:
        """Have ``process`` wait for no answer."""
        request = self.sent.pop(process.holder, None)
        if request is not None and request.answer is None:
            self.late.append(request)

    @precondition(lambda self: self.late)
    @rule(place=places)
    def arrive(self, place: int) -> None:
        """Let a request arrive at the database that nobody waits for any more."""
        self.late.pop(place % len(self.late)).apply()

    @invariant()
    def check(self) -> None:
        """Who relies on a lease has it, so nobody else does; epochs only rise."""
        database = self.world.database
        for process in self.world.processes:
            for account, lease in process.held.items():
                if process.relies_on(account):
                    assert database.has(account, lease)
                    assert database.rows[account].expires_at > database.now
        for account, row in database.rows.items():
            assert row.epoch >= self.epochs.get(account, 0)
            assert len(self.world.holders(account)) <= 1
            self.epochs[account] = row.epoch

    def teardown(self) -> None:
        """Heal everything: then every account is held, evenly, and nothing moves any more."""
        self.sent.clear()
        self.late.clear()
        for process in self.world.processes:
            process.paused = process.cut_off = False
        self.world.run(TTL)
        unheld = dict.fromkeys(self.accounts, 0.0)
        for _ in range(round(SLACK + TTL + 2 * OFFER_PAUSE)):
            self.world.tick()
            self.check()
            for account in self.accounts:
                unheld[account] = 0.0 if self.world.holders(account) else unheld[account] + TICK
            assert max(unheld.values(), default=0.0) <= OFFERED_FOR + SLACK, unheld
        self.world.run_to_rest(QUIET)
        self.world.assert_held(self.accounts)
        self.world.assert_even()


TestLeases = Leases.TestCase
TestLeases.settings = settings(deadline=None)


numbers = st.integers(1, len(ACCOUNTS))


def spread(number: int, replicas: int) -> World:
    """Return a world at rest."""
    world = World()
    for _ in range(replicas):
        world.start(ACCOUNTS[:number])
    world.run(TTL + QUIET)
    for process in world.processes:
        process.given.clear()
    return world


@given(numbers, st.integers(1, 3))
def test_a_newcomer_is_given_what_it_keeps(number: int, replicas: int) -> None:
    """An account moves once, to the newcomer, and only if the spread is better for it."""
    world = spread(number, replicas)
    newcomer = world.start(ACCOUNTS[:number])
    world.run_to_rest(TTL + SLACK + QUIET)
    world.assert_held(ACCOUNTS[:number])
    world.assert_even()
    assert len(newcomer.held) == number // (replicas + 1)
    moved = sum((each.given for each in world.processes), Counter())
    assert moved == Counter(newcomer.held.keys())


@given(numbers, st.integers(2, 4))
def test_what_a_replica_leaves_is_taken_at_the_next_look(number: int, replicas: int) -> None:
    """A stop is no gap of more than two looks, and moves nothing else."""
    world = spread(number, replicas)
    gone = world.processes.pop(0)
    kept = {each.holder: set(each.held) for each in world.processes}
    world.database.leave(gone.holder)
    world.run(2 * TICK)
    world.assert_held(ACCOUNTS[:number])
    world.assert_even()
    assert all(kept[each.holder] <= each.held.keys() for each in world.processes)


def test_one_that_dies_again_and_again_moves_nothing() -> None:
    """A replica that does not live for as long as a lease lasts is given nothing."""
    world = spread(6, 2)
    for _ in range(5):
        newcomer = world.start(ACCOUNTS)
        world.run(RENEW_EVERY - TICK)
        world.processes.remove(newcomer)
        world.run(TTL)
    assert [each.given for each in world.processes] == [Counter(), Counter()]
    world.assert_held(ACCOUNTS)


@settings(deadline=None)
@given(st.lists(st.sets(st.sampled_from(ACCOUNTS), min_size=1), min_size=1, max_size=4))
def test_replicas_with_different_accounts_come_to_rest(known: list[set[str]]) -> None:
    """Each account is held by one that knows it, and nothing bounces for ever."""
    world = World()
    for accounts in known:
        world.start(sorted(accounts))
        world.run(2 * TICK)
    every = set().union(*known)
    world.run(TTL + SLACK)
    world.tick_time = SLOW_TICK
    bounces = OFFERS * len(every)
    world.run_to_rest(2 * TTL + (bounces + 1) * (OFFER_PAUSE + 2 * TTL), OFFER_PAUSE + 2 * TTL)
    world.assert_held(every)


def test_what_nobody_wants_is_offered_briefly_and_seldom() -> None:
    """Offers are short gaps, far apart, and end; a newcomer is asked again."""
    world = World()
    all_known = world.start(ACCOUNTS)
    world.start(ACCOUNTS[:1])
    for _ in range(2):
        unheld = 0.0
        all_known.given.clear()
        offers = [0]
        for _ in range(round(OFFERS * len(ACCOUNTS) * (OFFER_PAUSE + TTL) / TICK)):
            world.tick()
            unheld = 0.0 if all(map(world.holders, ACCOUNTS)) else unheld + TICK
            assert unheld <= OFFERED_FOR + SLACK
            offers.append(all_known.given.total())
        times = [at for at, (old, new) in enumerate(pairwise(offers)) if new > old]
        assert min(later - at for at, later in pairwise(times)) >= OFFER_PAUSE / TICK
        assert max(all_known.given.values()) == OFFERS
        assert offers[-1] == offers[-round(2 * OFFER_PAUSE / TICK)]
        world.assert_held(ACCOUNTS)
        world.start(ACCOUNTS[:1])


def test_replicas_prefer_different_accounts() -> None:
    """Those that look at the same moment claim much the same number, and few of the same."""
    accounts = [f"account {number}" for number in range(200)]
    view = LeaseView(
        1e9,
        "one",
        [Replica(holder, 1e9, 1e9 + TTL) for holder in "xy"],
        dict.fromkeys(accounts, LeaseRow("", 0, 0.0)),
    )
    claims = [set(LeaseSharing(holder).decide(view, {}, 0.0).claim) for holder in "xy"]
    assert [len(each) for each in claims] == [100, 100]
    assert 25 < len(claims[0] & claims[1]) < 75


@given(numbers, st.integers(2, 4))
def test_one_that_was_cut_off_is_given_no_more_than_it_takes(number: int, replicas: int) -> None:
    """Its age gives it no claim on an account that makes the spread no better."""
    world = spread(number, replicas)
    world.processes[0].cut_off = True
    world.run(TTL + QUIET)
    assert not world.processes[0].held
    world.processes[0].cut_off = False
    world.run(TTL + QUIET)
    world.assert_even()
    assert len(world.processes[0].held) == number // replicas
    assert sum(each.given.total() for each in world.processes) == number // replicas


def run_until_nobody_leaves(world: World) -> None:
    """Run until also those who cannot reach Telnyx are at rest."""
    world.tick_time = SLOW_TICK
    attempt = UNREACHABLE_AFTER + AVOIDED_FOR + 2 * SLOW_TICK
    bounces = OFFERS * len(ACCOUNTS)
    world.run_to_rest((len(world.processes) + 1) * attempt + bounces * (OFFER_PAUSE + TTL), attempt)
    world.tick_time = TICK


@settings(deadline=None)
@given(numbers, st.lists(st.booleans(), min_size=2, max_size=4).filter(any))
def test_who_cannot_reach_telnyx_leaves_it_to_those_who_can(
    number: int, reaches: list[bool]
) -> None:
    """Each account ends, and stays, with a replica that can poll it; it is left once."""
    world = spread(number, len(reaches))
    deaf = [each for each, able in zip(world.processes, reaches, strict=True) if not able]
    before = {each.holder: Counter(each.held.keys()) for each in deaf}
    for process in deaf:
        process.unreachable = ACCOUNTS
    world.run(UNREACHABLE_AFTER - SLACK)
    assert not any(each.left for each in world.processes)
    run_until_nobody_leaves(world)
    world.assert_held(ACCOUNTS[:number])
    for process in world.processes:
        assert not process.left or process in deaf
    for process in deaf:
        assert not process.held
        assert before[process.holder] <= process.left
        assert max(process.left.values(), default=0) <= 1
        # One that knows that it reaches nobody takes nothing that others could.
        assert process.left == before[process.holder] or len(deaf) > 1


def test_an_account_that_alone_is_out_of_reach_moves_alone() -> None:
    """What else can be reached from there stays, and the account does not come back."""
    world = spread(6, 2)
    first, second = world.processes
    account = min(first.held)
    first.unreachable = (account,)
    run_until_nobody_leaves(world)
    assert first.left == Counter((account,))
    assert account in second.held
    world.assert_held(ACCOUNTS)
    world.assert_even()


@settings(deadline=None)
@given(numbers, st.integers(2, 3))
def test_an_outage_of_telnyx_moves_an_account_once_for_each_replica(
    number: int, replicas: int
) -> None:
    """Nobody leaves an account twice while it reaches Telnyx with none; a success counts anew."""
    world = spread(number, replicas)
    for _ in range(2):
        for process in world.processes:
            process.unreachable = ACCOUNTS
            process.left.clear()
        run_until_nobody_leaves(world)
        world.assert_held(ACCOUNTS[:number])
        assert max(max(each.left.values(), default=0) for each in world.processes) == 1
        assert sum(each.left.total() for each in world.processes) >= number
        for process in world.processes:
            process.unreachable = ()
        world.run(2 * TICK)


def test_short_outages_do_not_add_up() -> None:
    """A success in between begins the count anew."""
    world = spread(4, 2)
    before = world.moves()
    for _ in range(3):
        world.processes[0].unreachable = ACCOUNTS
        world.run(UNREACHABLE_AFTER - SLACK)
        world.processes[0].unreachable = ()
        world.run(2 * TICK)
    world.run(UNREACHABLE_AFTER)
    assert world.moves() == before


def test_one_that_is_alone_keeps_what_it_cannot_reach() -> None:
    """There is nobody who could do better."""
    world = spread(3, 1)
    world.processes[0].unreachable = ACCOUNTS
    world.run(2 * UNREACHABLE_AFTER)
    assert world.moves() == 1
    world.assert_held(ACCOUNTS[:3])


def test_one_that_reaches_telnyx_again_is_as_good_as_any() -> None:
    """Once alone, it takes what it could not reach; a success makes it equal to the others."""
    world = spread(4, 2)
    world.processes[0].unreachable = ACCOUNTS
    run_until_nobody_leaves(world)
    world.database.leave(world.processes.pop().holder)
    world.run(2 * TICK)
    world.assert_held(ACCOUNTS[:4])
    world.processes[0].unreachable = ()
    for _ in range(2):
        world.start(ACCOUNTS[:4])
    world.run(TTL + QUIET)
    world.assert_even()
    world.database.leave(world.processes.pop().holder)
    world.database.leave(world.processes.pop().holder)
    world.start(ACCOUNTS[:4]).paused = True
    world.run(2 * TICK)
    world.assert_held(ACCOUNTS[:4])


VIEW = LeaseView(1e9, "one", (), {"a": LeaseRow("x", 5, 1e9 + TTL), "b": LeaseRow("", 2, 1e9)})


@pytest.mark.parametrize(
    ("held", "generation", "epochs", "change"),
    [
        pytest.param({}, "one", {"a": 5, "b": 2}, None, id="the same"),
        pytest.param({}, "one", {"a": 6, "b": 3}, None, id="claimed since"),
        pytest.param({}, "one", {"a": 5}, None, id="fewer accounts"),
        pytest.param({}, "one", {"a": 5, "c": 0}, None, id="a new account"),
        pytest.param({}, "one", {"a": 4, "b": 3}, LedgerChange.WENT_BACK, id="an older copy"),
        pytest.param({"b": 3}, "one", {"b": 2}, LedgerChange.WENT_BACK, id="before my claim"),
        pytest.param({}, "two", {"a": 5, "b": 2}, LedgerChange.REPLACED, id="another one"),
        pytest.param({}, "two", {"a": 1}, LedgerChange.REPLACED, id="another one, younger"),
    ],
)
def test_a_ledger_that_is_not_the_same_is_told_once(
    held: dict[str, int], generation: str, epochs: dict[str, int], change: LedgerChange | None
) -> None:
    """What was seen or claimed before must still be there."""
    watch = LedgerWatch()
    assert watch.look(VIEW, {}) is None
    rows = {account: LeaseRow("", epoch, 1e9) for account, epoch in epochs.items()}
    view = replace(VIEW, generation=generation, leases=rows)
    leases = {account: Lease("me", epoch) for account, epoch in held.items()}
    assert watch.look(view, leases) is change
    assert watch.look(view, {}) is None


def test_another_ledger_is_known_by_its_own_epochs() -> None:
    """Those of the ledger before are forgotten, also of accounts that were not asked for."""
    watch = LedgerWatch()
    watch.look(VIEW, {})
    other = replace(VIEW, generation="two", leases={})
    assert watch.look(other, {}) is LedgerChange.REPLACED
    assert watch.look(replace(other, leases={"a": LeaseRow("", 0, 0.0)}), {}) is None


def test_an_account_that_is_asked_for_again_is_still_known() -> None:
    """A reload in between does not hide that the ledger went back."""
    watch = LedgerWatch()
    watch.look(VIEW, {})
    watch.look(replace(VIEW, leases={}), {})
    older = replace(VIEW, leases={"a": LeaseRow("x", 4, 1e9)})
    assert watch.look(older, {}) is LedgerChange.WENT_BACK


@pytest.mark.parametrize(
    ("row", "is_lost"),
    [
        pytest.param(LeaseRow("me", 3, 1e9 + TTL), False, id="mine"),
        pytest.param(LeaseRow("me", 3, 1e9 - 1), False, id="mine, to be renewed"),
        pytest.param(LeaseRow("me", 4, 1e9 + TTL), True, id="a later one of mine"),
        pytest.param(LeaseRow("x", 3, 1e9 + TTL), True, id="another holder"),
        pytest.param(LeaseRow("", 3, 1e9), True, id="let go of"),
        pytest.param(None, True, id="no row"),
    ],
)
def test_a_lease_is_lost_when_the_database_has_another(
    row: LeaseRow | None, *, is_lost: bool
) -> None:
    """Holder and epoch must be the same; when it expires, the holder's own clock says."""
    view = replace(VIEW, leases={} if row is None else {"a": row})
    assert lost(view, {"a": Lease("me", 3)}) == ({"a"} if is_lost else set())
