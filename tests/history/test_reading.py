"""Reading a list that shifts, in any order, broken off and gone on with."""

import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.domain import Action, Status
from exporter.errors import PollError, StateError
from exporter.history.spool import HistorySource, ListState, Spool
from exporter.ledger.records import SortOrder
from exporter.simulator.actions import ActionFilter
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings
from exporter.simulator.settings import ListOrder, SimulatorSettings, WorldSettings
from exporter.simulator.simulator import Simulator
from tests.history.conftest import History
from tests.support.simulation import QUIET, ManualClock

OpenHistory = Callable[..., History]
ORDERS = tuple(ListOrder)
_ANY = ActionFilter()


class GrowingClock(ManualClock):
    """A clock that lets something happen in the account each time it is asked for the time."""

    def __init__(self) -> None:
        """Begin with nothing that happens."""
        super().__init__()
        self.happens: Callable[[], None] | None = None

    def __call__(self) -> float:
        """Return the time, after it has happened."""
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
            self.happens = happens
        return super().__call__()


def account(
    clock: ManualClock, world: WorldSettings = QUIET, faults: FaultSettings | None = None
) -> Simulator:
    """Return an account at a clock."""
    return Simulator(SimulatorSettings(world=world, faults=faults or FaultSettings()), clock)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("page_size", [1, 7, 250])
async def test_all_of_a_list_is_read(
    open_history: OpenHistory, order: ListOrder, page_size: int
) -> None:
    """Whatever its order, and however large its pages."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=60, stuck_at_start=3, order=order))
    history = open_history(simulator, clock)
    assert await history.read(page_size=page_size) == 0
    assert history.found == history.listed
    assert history.spool.finished_at == clock()
    assert history.watcher.last == (63, 63)


@pytest.mark.parametrize("order", ORDERS)
async def test_an_account_without_actions(open_history: OpenHistory, order: ListOrder) -> None:
    """One request, and nothing found."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, order=order))
    history = open_history(simulator, clock)
    assert await history.read() == 0
    assert len(simulator.requests) == 1
    assert history.spool.count() == 0


@pytest.mark.parametrize("order", ORDERS)
async def test_nothing_is_lost_while_the_list_grows(
    open_history: OpenHistory, order: ListOrder
) -> None:
    """What was there at the beginning is read, though every look at it finds it shifted."""
    clock = GrowingClock()
    simulator = account(clock, replace(QUIET, history=200, order=order))
    there = {each.id for each in simulator.world.page(_ANY, 0, 1000)}
    running: list[str] = []
    looks = 0

    def happens() -> None:
        nonlocal looks
        looks += 1
        if looks % 5 == 0:
            clock.advance(0.5)
            simulator.tick()
            running.extend(simulator.world.create(2))
            simulator.world.finish(running.pop(0), Status.COMPLETED)

    clock.happens = happens
    history = open_history(simulator, clock)
    await history.read(page_size=10)
    read = {each.id for chunk in history.spool.chunks() for each in chunk}
    assert there <= read


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("at", [1, 2, 5, 9])
async def test_what_was_read_is_not_asked_for_again(
    open_history: OpenHistory, order: ListOrder, at: int
) -> None:
    """An error breaks it off; only the pages that were asked for then are asked for again."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=200, order=order))
    history = open_history(simulator, clock)
    simulator.faults.script(*[None] * at, *[Fault.HTML] * 20)
    with pytest.raises(PollError):
        await history.read(page_size=10, concurrency=2)
    # What it asked for until then, each answered page once.
    simulator.faults = FaultInjector(FaultSettings(), seed=1)
    read = history.spool.count()
    assert read >= 10 * (at - 1)
    simulator.requests.clear()
    assert await history.read(page_size=10, concurrency=2) == 0
    assert history.found == history.listed
    assert len(simulator.requests) <= (200 - read) // 10 + 1
    simulator.requests.clear()
    await history.read(page_size=10)
    assert not simulator.requests


async def test_a_list_that_grew_is_gone_on_with_where_it_was(open_history: OpenHistory) -> None:
    """Whatever came meanwhile moved the pages: one is asked for to learn by how much."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=200))
    history = open_history(simulator, clock)
    simulator.faults.script(*[None] * 10, *[Fault.HTML] * 20)
    with suppress(PollError):
        await history.read(page_size=10, concurrency=1)
    assert history.spool.count() == 100
    simulator.faults = FaultInjector(FaultSettings(), seed=1)
    clock.advance(60)
    simulator.tick()
    new = simulator.world.create(500)
    simulator.requests.clear()
    assert await history.read(page_size=10, concurrency=1) == 0
    assert len(simulator.requests) == 12, "one for how far it moved, one for its end"
    read = {each.id for chunk in history.spool.chunks() for each in chunk}
    assert len(read - set(new)) == 200


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
async def test_since_saves_requests(open_history: OpenHistory, order: ListOrder) -> None:
    """What is older is not read, but for what stands on the last page."""
    clock = ManualClock()
    world = replace(QUIET, history=1000, history_spacing=60.0, order=order)
    simulator = account(clock, world)
    history = open_history(simulator, clock)
    since = clock() - 100 * 60
    await history.read(since=since, page_size=10, concurrency=1)
    newer = [
        each
        for chunk in history.spool.chunks()
        for each in chunk
        if (each.created_at or 0) >= since
    ]
    assert len(newer) in {98, 99, 100}
    assert len(simulator.requests) <= 20


async def test_types_are_lists_of_their_own(open_history: OpenHistory) -> None:
    """Only the configured ones are asked for."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=300))
    history = open_history(simulator, clock)
    assert await history.read(action_types=("enable", "disable")) == 0
    listed = {key: n for key, n in history.listed.items() if key[0] in {"enable", "disable"}}
    assert dict(history.found) == listed


@pytest.mark.parametrize(
    "faults",
    [
        FaultSettings(totals_missing=1.0),
        FaultSettings(totals_short=50),
        FaultSettings(totals_zero=0.3),
        FaultSettings(meta_missing=1.0),
    ],
    ids=["missing", "short", "zero", "no-meta"],
)
async def test_totals_are_not_trusted(open_history: OpenHistory, faults: FaultSettings) -> None:
    """A list ends where its pages end."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=150), faults)
    history = open_history(simulator, clock)
    await history.read(page_size=10)
    assert history.found == history.listed


async def test_a_rate_limit_is_waited_for(open_history: OpenHistory) -> None:
    """However long: nobody waits for a poll here."""
    clock = ManualClock()
    settings = SimulatorSettings(
        world=replace(QUIET, history=100), rate_limit=3, rate_window=600.0, retry_after=True
    )
    history = open_history(Simulator(settings, clock), clock)
    assert await history.read(page_size=10, concurrency=1) == 0
    assert history.found == history.listed
    assert history.watcher.waited > 600


async def test_what_cannot_be_read_is_told(open_history: OpenHistory) -> None:
    """Where deep pages are refused, the number of actions behind them is returned."""
    clock = ManualClock()
    simulator = account(clock, replace(QUIET, history=150), FaultSettings(page_depth=100))
    history = open_history(simulator, clock)
    assert await history.read(page_size=10) == 50


def test_a_work_file_serves_one_run_at_a_time(tmp_path: Path) -> None:
    """A second one is told so at once."""
    path = tmp_path / "history.db"
    with Spool(path):
        assert path.stat().st_mode & 0o077 == 0
        with pytest.raises(StateError, match="another run of this command uses it"):
            Spool(path)


def test_permissions_of_a_work_file_are_its_owners_only(tmp_path: Path) -> None:
    """Of one that others could read, too."""
    path = tmp_path / "history.db"
    with Spool(path):
        pass
    path.chmod(0o644)
    with Spool(path) as spool:
        spool.begin(HistorySource("test", "", (), None, 0.0, ""))
        assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("most", [0, 100_000, 2_000_000])
def test_a_full_disk_is_told(tmp_path: Path, most: int) -> None:
    """Whether there is room for nothing, or not for all."""
    actions = (
        Action(f"{number:036}", "sim", "enable", "failed", f"{number}", 1e9, 1e9)
        for number in range(200_000)
    )
    state = ListState(SortOrder.NEWEST, None, None, None, 1, 250)
    told = pytest.raises(
        StateError, match=r": (disk I/O error|database or disk is full); .*--work-dir"
    )
    with full_disk(most), told, Spool(tmp_path / "history.db") as spool:
        spool.begin(HistorySource("test", "", (), None, 0.0, ""))
        spool.add(actions, None, state)


@pytest.mark.parametrize("content", [b"no database" * 200, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """The remedy is in the error."""
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"--work-dir|choose another folder"):
        Spool(path)
    assert path.read_bytes() == content
