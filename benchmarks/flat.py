"""What a poll's time grows with: the pages that it needs, not the history, nor other accounts.

Each situation is played once with a simulated account, and its answers are recorded; what is
timed is the exporter's core over the recording, in one process, its state in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from benchmarks.core import NAME, open_core
from benchmarks.figures import Figure, Report
from benchmarks.recorded import Answers, Recorder, Replay
from benchmarks.timing import in_turn
from exporter.domain import Status
from exporter.ledger.store.database import Database
from exporter.ledger.store.sqlite import SqliteStore
from exporter.simulator.settings import SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.sync.cycle import Cycle
from tests.support.simulation import QUIET, AdvancingClock, InProcessTransport, ManualClock

HISTORIES = (10_000, 10_000_000)
IN_FLIGHT = (1_000, 10_000, 100_000)
ACCOUNTS = (1, 10, 100)

ROUNDS = 11
POLLS = 100
"""Polls in one round of what takes about a millisecond."""

NEWS = 500
"""Actions that come between two polls; half of them have ended by then."""

EACH = 250
"""Actions in flight in each of several accounts."""

MEANING = f"""\
A poll costs what has to be listed: the history costs nothing, what is in flight costs its pages,
and accounts do not slow each other down. Answers were recorded and come at once, so what is
timed is the CPU of the exporter's core alone: HTTP, disk, timers and the simulator are left out.
Something new is {NEWS} actions, half of them still in flight; several accounts are polled side by
side, each with {EACH} in flight."""

Poll = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Play:
    """The answers to each poll of one account, in order, and how many requests each took.

    Polls are a minute apart.
    """

    polls: Sequence[Answers]
    requests: Sequence[int]


@dataclass(frozen=True, slots=True)
class Stage:
    """The exporter's core over recorded answers."""

    cycle: Cycle
    clock: ManualClock
    replay: Replay

    async def poll(self, answers: Answers) -> None:
        """Poll a minute later, and get these answers."""
        self.replay.answers = answers
        self.clock.advance(60)
        await self.cycle.run()


async def rehearse(history: int, flights: Sequence[int], worker: ThreadPoolExecutor) -> Play:
    """Record polls before each of which so many actions came, of which every other one ends."""
    clock = ManualClock()
    world = replace(QUIET, history=history)
    simulator = Simulator(SimulatorSettings(world=world), clock)
    recorder = Recorder(InProcessTransport(simulator))
    cycle, _ = open_core(recorder, AdvancingClock(clock), _memory(), worker)
    polls, requests = [], []
    for count in flights:
        clock.advance(60)
        simulator.tick()
        ids = simulator.world.create(count)
        if count == NEWS:
            for action_id in ids[::2]:
                simulator.world.finish(action_id, Status.COMPLETED)
        recorder.answers, recorder.asked = {}, []
        await cycle.run()
        polls.append(recorder.answers)
        requests.append(len(recorder.asked))
    return Play(polls, requests)


def open_stage(
    worker: ThreadPoolExecutor, store: SqliteStore | None = None, name: str = NAME
) -> Stage:
    """Open the core over a recording that is yet to be given."""
    clock, replay = ManualClock(), Replay({})
    cycle, _ = open_core(replay, AdvancingClock(clock), store or _memory(), worker, name=name)
    return Stage(cycle, clock, replay)


async def by_history(worker: ThreadPoolExecutor) -> Sequence[Figure]:
    """Compare polls of a long history with polls of a short one."""
    plays = [
        await rehearse(history, [0, 0, *[NEWS] * (ROUNDS + 1)], worker) for history in HISTORIES
    ]
    contenders: dict[str, Poll] = {}
    for history, play in zip(HISTORIES, plays, strict=True):
        resting, busy = open_stage(worker), open_stage(worker)
        for answers in play.polls[:2]:
            await resting.poll(answers)
            await busy.poll(answers)
        contenders[f"at rest {history}"] = _repeated(resting, play.polls[1], POLLS)
        contenders[f"with news {history}"] = _following(busy, play.polls[2:])
    spent = await in_turn(contenders, rounds=ROUNDS)
    short, long = HISTORIES
    figures = []
    for what, polls in (("at rest", slice(1, 2)), ("with news", slice(2, None))):
        title = f"poll {what}: history of {long:,} over {short:,}"
        near, far = (sum(play.requests[polls]) for play in plays)
        time = spent[f"{what} {long}"].cpu / spent[f"{what} {short}"].cpu
        figures += [
            Figure(f"{title}, CPU", time, "x", most=1.1),
            Figure(f"{title}, requests", far / near, "x", most=1.1),
        ]
    return figures


async def by_flight(worker: ThreadPoolExecutor) -> Sequence[Figure]:
    """Compare what a page costs where few and where many actions are in flight."""
    pages, contenders = {}, {}
    for count in IN_FLIGHT:
        play = await rehearse(HISTORIES[0], [0, count, 0], worker)
        stage = open_stage(worker)
        for answers in play.polls:
            await stage.poll(answers)
        repeats = max(IN_FLIGHT) // count
        contenders[f"{count}"] = _repeated(stage, play.polls[-1], repeats)
        pages[count] = play.requests[-1] * repeats
    spent = await in_turn(contenders, rounds=ROUNDS // 3)
    cost = {count: 1000 * spent[f"{count}"].cpu / pages[count] for count in IN_FLIGHT}
    few, some, many = IN_FLIGHT
    return [
        Figure(f"page: {many:,} in flight over {some:,}, CPU", cost[many] / cost[some], "x", 1.2),
        Figure(f"page: {some:,} in flight over {few:,}, CPU", cost[some] / cost[few], "x", 1.2),
        *(
            Figure(f"page with {count:,} in flight, CPU", ms, "ms", steady=False)
            for count, ms in cost.items()
        ),
    ]


async def by_accounts(worker: ThreadPoolExecutor) -> Sequence[Figure]:
    """Compare what an account costs beside few others and beside many."""
    play = await rehearse(HISTORIES[0], [0, EACH, 0], worker)
    contenders: dict[str, Poll] = {}
    for count in ACCOUNTS:
        store = _memory()
        stages = [open_stage(worker, store, f"account {number}") for number in range(count)]
        for stage in stages:
            for answers in play.polls:
                await stage.poll(answers)
        contenders[f"{count}"] = _side_by_side(stages, play.polls[-1], max(ACCOUNTS) // count)
    spent = await in_turn(contenders, rounds=ROUNDS)
    cost = {count: 1000 * spent[f"{count}"].cpu / max(ACCOUNTS) for count in ACCOUNTS}
    one, *_, many = ACCOUNTS
    return [
        Figure(f"account: {many} of them over {one}, CPU", cost[many] / cost[one], "x", most=1.2),
        *(
            Figure(f"account among {count}, CPU of a poll", ms, "ms", steady=False)
            for count, ms in cost.items()
        ),
    ]


def measure() -> Report:
    """Measure all three."""
    with ThreadPoolExecutor(1) as worker:
        figures = [
            figure
            for part in (by_history, by_flight, by_accounts)
            for figure in asyncio.run(part(worker))
        ]
    return Report("What a poll grows with", MEANING, tuple(figures))


def _memory() -> SqliteStore:
    return SqliteStore(Database("sqlite://"))


def _repeated(stage: Stage, answers: Answers, times: int) -> Poll:
    """Return what polls so often, nothing being new."""

    async def polls() -> None:
        for _ in range(times):
            await stage.poll(answers)

    return polls


def _following(stage: Stage, polls: Sequence[Answers]) -> Poll:
    """Return what polls once each time, and gets the next answers."""
    rest = iter(polls)
    return lambda: stage.poll(next(rest))


def _side_by_side(stages: Sequence[Stage], answers: Answers, times: int) -> Poll:
    """Return what polls all at once, so often."""

    async def polls() -> None:
        for _ in range(times):
            await asyncio.gather(*(stage.poll(answers) for stage in stages))

    return polls
