"""A world that moves at random, also while it is read, and an exporter that has to count it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.domain import Status
from exporter.errors import PollError, TooDeepError
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings
from exporter.simulator.settings import ListOrder
from tests.support.simulation import QUIET, ManualClock

OpenAccount = Callable[..., Any]
TYPES = ["enable", "disable", "set_public_ip"]
ENDS = [Status.COMPLETED, Status.FAILED, Status.INTERRUPTED]
TRUE = FaultSettings()
LIES = [
    FaultSettings(totals_short=7),
    FaultSettings(totals_short=1000),
    FaultSettings(totals_zero=0.3),
    FaultSettings(totals_zero=1.0),
    FaultSettings(totals_jump=0.5, totals_jump_by=30),
    FaultSettings(totals_jump=1.0, totals_jump_by=1000),
    FaultSettings(totals_cap=10),
    FaultSettings(totals_lag=60.0),
    FaultSettings(totals_missing=0.3),
    FaultSettings(meta_missing=0.3),
]
BREAKS = [Fault.SERVER_ERROR, Fault.RESET, Fault.TRUNCATED, Fault.HTML, Fault.SILENCE]


@dataclass(frozen=True)
class Create:
    """Actions are accepted, singly or as a bulk."""

    count: int
    action_type: str
    bulk: bool


@dataclass(frozen=True)
class Finish:
    """Every ``step``-th action in progress ends, from the newest or from the oldest."""

    count: int
    step: int
    status: Status
    newest: bool


@dataclass(frozen=True)
class Resume:
    """Some interrupted actions go on, once it was seen that they are."""

    count: int


@dataclass(frozen=True)
class Poll:
    """The exporter polls; ``moves`` happen between its requests, some of which may break.

    ``lies`` is what its answers' totals are like, and how deep it may read.
    """

    moves: tuple[Create | Finish | Resume, ...] = ()
    faults: tuple[Fault | None, ...] = ()
    lies: FaultSettings = TRUE


@dataclass(frozen=True)
class Restart:
    """The exporter's process is replaced."""


creates = st.builds(Create, st.integers(1, 40), st.sampled_from(TYPES), st.booleans())
finishes = st.builds(
    Finish, st.integers(1, 30), st.integers(1, 4), st.sampled_from(ENDS), st.booleans()
)
moves = st.one_of(creates, finishes, finishes, st.builds(Resume, st.integers(1, 5)))
polls = st.builds(
    Poll,
    st.lists(moves, max_size=6).map(tuple),
    st.lists(st.none() | st.sampled_from(BREAKS), max_size=8).map(tuple),
    st.just(TRUE) | st.sampled_from(LIES),
)
steps = st.lists(st.one_of(moves, moves, polls, polls, st.builds(Restart)), max_size=25)


class LivelyClock(ManualClock):
    """A clock that lets one prepared move happen each time it is asked for the time."""

    def __init__(self) -> None:
        """Begin with nothing prepared."""
        super().__init__()
        self.pending: list[Callable[[], None]] = []

    def __call__(self) -> float:
        """Return the time, after something may have happened."""
        if self.pending:
            self.pending.pop(0)()
        return super().__call__()


@dataclass
class Mover:
    """Moves the world; no action enters a status twice without having been seen in between."""

    world: Any
    running: list[str] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    resting: list[str] = field(default_factory=list)
    resumed: set[str] = field(default_factory=set)

    def seen(self, interrupted: list[str]) -> None:
        """Take note that the exporter has seen these actions interrupted."""
        self.resting += interrupted
        self.interrupted = [each for each in self.interrupted if each not in interrupted]

    def move(self, move: Create | Finish | Resume) -> None:
        """Let one thing happen."""
        if isinstance(move, Resume):
            for action_id in self.resting[: move.count]:
                self.world.finish(action_id, Status.IN_PROGRESS)
                self.running.append(action_id)
                self.resumed.add(action_id)
            del self.resting[: move.count]
            return
        if isinstance(move, Create):
            self.running += self.world.create(
                move.count, action_type=move.action_type, bulk=move.bulk
            )
            return
        line = self.running[::-1] if move.newest else self.running[:]
        for action_id in line[:: move.step][: move.count]:
            status = Status.COMPLETED if action_id in self.resumed else move.status
            self.world.finish(action_id, status, "The data limit was exceeded.")
            self.running.remove(action_id)
            if status is Status.INTERRUPTED:
                self.interrupted.append(action_id)


@dataclass(frozen=True)
class Story:
    """What happens: ``first`` is what the first poll is told."""

    steps: list[Create | Finish | Resume | Poll | Restart]
    cursor: tuple[ListOrder, int]
    history: int
    before: int
    concurrency: int
    first: FaultSettings


stories = st.builds(
    Story,
    steps=steps,
    cursor=st.tuples(
        st.sampled_from([ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED]), st.integers(3, 25)
    )
    # A handful of unsorted actions may look sorted by chance, a dozen will not.
    | st.tuples(st.just(ListOrder.NONE), st.integers(12, 25)),
    history=st.integers(0, 60),
    before=st.integers(0, 30),
    concurrency=st.integers(1, 4),
    first=st.just(TRUE) | st.sampled_from(LIES),
)


def few(share: int) -> settings:
    """Return settings for a share of the examples: each takes as long as a hundred elsewhere."""
    return settings(
        max_examples=max(1, settings().max_examples // share),
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@few(3)
@given(story=stories)
def test_every_action_is_counted_once_whatever_happens(
    open_account: OpenAccount, story: Story
) -> None:
    """Pages shift, answers fail, totals lie, processes are replaced: the counts are the truth.

    Without an order, and without the time there, nothing but totals tells old from new: they are
    right then.
    """
    assert differences(open_account, story) == {}


@pytest.mark.program("postgres")
@pytest.mark.parametrize("new_store", ["postgresql"], indirect=True)
@few(10)
@given(story=stories)
def test_so_it_is_in_postgresql(open_account: OpenAccount, story: Story) -> None:
    """The same, where each process that is replaced has to find out what the last one wrote."""
    assert differences(open_account, story) == {}


@few(6)
@given(story=stories, audit_interval=st.sampled_from([1.0, 200.0]))
def test_an_answer_that_repeats_brings_what_a_new_one_would(
    open_account: OpenAccount, story: Story, audit_interval: float
) -> None:
    """All is asked for, counted and shown as where no two answers are the same bytes."""
    # Retries wait for a random time, so that the two stories would differ.
    unbroken = [
        replace(each, faults=()) if isinstance(each, Poll) else each for each in story.steps
    ]
    story = replace(story, steps=unbroken)
    repeating = told(open_account, story, audit_interval=audit_interval)
    unique = told(open_account, story, audit_interval=audit_interval, wrap=UniqueAnswers)
    assert repeating.requests == unique.requests
    assert replace(repeating.account.snapshot, name="") == replace(unique.account.snapshot, name="")


@dataclass
class UniqueAnswers(httpx.AsyncBaseTransport):
    """Sends requests to a simulator; each answer has one more space at its end."""

    simulator: httpx.AsyncBaseTransport
    spaces: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        answer = await self.simulator.handle_async_request(request)
        self.spaces += 1
        body = await answer.aread() + b" " * self.spaces
        headers = [each for each in answer.headers.raw if each[0].lower() != b"content-length"]
        return httpx.Response(answer.status_code, headers=headers, content=body)


@dataclass(frozen=True)
class Outcome:
    """What came of a story: the account at its end, and how many requests each poll took.

    ``differences`` is where the counts differ from what happened.
    """

    account: Any
    requests: list[int]
    differences: dict[str, tuple[int, int]]


def differences(open_account: OpenAccount, story: Story) -> dict[str, tuple[int, int]]:
    """Let a story happen; returns where the counts differ from what happened."""
    return told(open_account, story).differences


def told(
    open_account: OpenAccount,
    story: Story,
    *,
    audit_interval: float = 1.0,
    wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] = lambda each: each,
) -> Outcome:
    """Let a story happen, in which answers pass through the transport that ``wrap`` returns."""

    async def live() -> Outcome:
        requests: list[int] = []
        clock = LivelyClock()
        order, page_size = story.cursor
        account = open_account(
            replace(QUIET, history=story.history, order=order),
            clock=clock,
            page_size=page_size,
            concurrency=story.concurrency,
            audit_interval=audit_interval,
        )
        account.answers.simulator = wrap(account.answers.simulator)
        mover = Mover(account.world)
        if story.before:
            mover.move(Create(story.before, "enable", bulk=False))
        unsorted = order is ListOrder.NONE
        start = account.world.record()
        account.simulator.faults = FaultInjector(TRUE if unsorted else story.first, seed=1)
        with suppress(TooDeepError):  # a full last page, though the total promises another
            await account.poll()
        account.simulator.faults = FaultInjector(TRUE, seed=1)
        if not account.snapshot.baselined:
            await account.poll()
        for step in story.steps:
            clock.advance(1)
            account.simulator.tick()
            if isinstance(step, Restart):
                account.restart()
            elif isinstance(step, Poll):
                clock.advance(60)
                account.simulator.tick()
                clock.pending = [partial(mover.move, each) for each in step.moves]
                account.simulator.faults = FaultInjector(TRUE if unsorted else step.lies, seed=1)
                account.simulator.faults.script(*step.faults)
                interrupted = mover.interrupted[:]
                with suppress(PollError):
                    requests.append(await account.poll())
                    mover.seen(interrupted)
                account.simulator.faults = FaultInjector(FaultSettings(), seed=1)
                for rest in clock.pending:
                    rest()
                clock.pending = []
            else:
                mover.move(step)
        requests += [await account.poll() for _ in range(6)]
        return Outcome(account, requests, account.differences(start))

    return asyncio.run(live())
