"""Reading a list of Telnyx that shifts: what stays in it is read, whatever happens meanwhile."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.live_list import LiveList, PassPosition
from exporter.domain import Action, Status
from exporter.ledger.records import ListFilter
from exporter.simulator.faults import FaultSettings
from exporter.simulator.settings import ListOrder, SimulatorSettings
from exporter.simulator.simulator import Simulator
from exporter.sync.fetcher import Fetcher, ServerLimits
from exporter.telnyx.client import Client, ClientLimits
from exporter.telnyx.http import open_http
from exporter.telnyx.schema import Page
from tests.support.simulation import QUIET, AdvancingClock, InProcessTransport, ManualClock
from tests.sync.conftest import Nobody

EVERY = ListFilter(None, None)
IN_PROGRESS = ListFilter(None, Status.IN_PROGRESS)


def account(running: int = 0, faults: FaultSettings | None = None, **world: object) -> Simulator:
    """Return an account in which some actions are in progress."""
    settings = SimulatorSettings(
        world=replace(QUIET, **world),  # type: ignore[arg-type] # of the fields' types
        faults=faults or FaultSettings(),
    )
    simulator = Simulator(settings, ManualClock())
    simulator.world.create(running)
    return simulator


async def read(
    simulator: Simulator,
    list_filter: ListFilter = EVERY,
    happens: Callable[[], None] = lambda: None,
) -> tuple[list[str], str]:
    """Read a list, 10 actions a page; ``happens`` after each. Returns the IDs, and what lacks."""
    transport = InProcessTransport(simulator)
    async with open_http(timeout=10, concurrency=1, transport=transport) as http:
        client = Client(
            base_url="http://telnyx.test/v2",
            key=lambda: simulator.key,
            http=http,
            limits=ClientLimits(timeout=10, rate=1e6, concurrency=1),
            observer=Nobody(),
            clock=AdvancingClock(ManualClock()),
        )
        fetcher = Fetcher(client, page_size=10, limits=ServerLimits())
        listed = LiveList(fetcher, list_filter)
        found: list[str] = []
        async for new, _, _ in listed.pages():
            found += [each.id for each in new]
            happens()
    assert len(set(found)) == len(found), "each once"
    return found, listed.incomplete


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.OLDEST])
@pytest.mark.parametrize("totals_missing", [0.0, 1.0])
async def test_nothing_is_lost_while_the_list_shrinks(
    order: ListOrder, totals_missing: float
) -> None:
    """What ends meanwhile moves the rest over the pages that were read."""
    faults = FaultSettings(totals_missing=totals_missing)
    simulator = account(90, faults, order=order)
    first, _ = await read(simulator, IN_PROGRESS)
    ending = first[:25]

    def happens() -> None:
        for each in ending:
            simulator.world.finish(each, Status.COMPLETED)
        ending.clear()

    found, incomplete = await read(simulator, IN_PROGRESS, happens)
    assert set(found) >= set(first[25:])
    assert incomplete == ""


async def test_a_list_that_never_stands_still_is_read_to_its_end() -> None:
    """With each request some more have ended: it is not begun anew for that."""
    simulator = account(300)
    first, _ = await read(simulator, IN_PROGRESS)
    ending = iter(first)
    simulator.requests.clear()

    def happens() -> None:
        for _ in range(2):
            simulator.world.finish(next(ending), Status.COMPLETED)

    found, incomplete = await read(simulator, IN_PROGRESS, happens)
    assert set(found) >= {*ending}
    assert incomplete == ""
    assert len(simulator.requests) <= 90, "three for each page"


async def test_a_list_without_end_to_its_changes_is_said_to_be_so() -> None:
    """Without totals nothing tells how far it moved."""
    simulator = account(90, FaultSettings(totals_missing=1))

    def happens() -> None:
        simulator.world.create(1)

    _, incomplete = await read(simulator, IN_PROGRESS, happens)
    assert incomplete == "the list changes while it is read, so actions may be missing"


@pytest.mark.parametrize(
    "faults",
    [
        FaultSettings(totals_cap=20),
        FaultSettings(totals_short=15),
        FaultSettings(totals_zero=0.5),
        FaultSettings(totals_missing=1),
        FaultSettings(meta_missing=1),
        FaultSettings(page_size_cap=7),
        FaultSettings(malformed=0.2),
    ],
    ids=["cap", "short", "zero", "missing", "no-meta", "small-pages", "malformed"],
)
async def test_a_list_ends_where_its_pages_end(faults: FaultSettings) -> None:
    """A total alone does not say so."""
    simulator = account(history=95)
    everything, _ = await read(simulator)
    assert len(everything) == 95
    simulator = account(0, faults, history=95)
    found, incomplete = await read(simulator)
    if not faults.malformed:
        assert found == everything
    assert incomplete == ""
    assert len(simulator.requests) <= 15


@pytest.mark.parametrize("deep_page", ["unprocessable", "empty", "repeat"])
@pytest.mark.parametrize("totals_missing", [0.0, 1.0])
async def test_what_cannot_be_read_is_told(deep_page: str, totals_missing: float) -> None:
    """The reading ends, however the pages behind are answered."""
    faults = FaultSettings(page_depth=50, deep_page=deep_page, totals_missing=totals_missing)
    simulator = account(0, faults, history=95)
    found, incomplete = await read(simulator)
    assert len(found) == 50
    if not totals_missing:
        assert incomplete == "45 actions that Telnyx counts could not be read"
    elif deep_page == "repeat":
        assert incomplete == "what follows page 5, if anything, could not be read"
    assert len(simulator.requests) <= 20


@given(
    size=st.integers(1, 5),
    length=st.integers(0, 30),
    changes=st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 40), max_size=6))),
)
def test_what_stays_is_read_in_one_pass(
    size: int, length: int, changes: list[tuple[int, list[int]]]
) -> None:
    """Whatever comes in front of a list between two pages, and whatever leaves it anywhere."""
    there = list(range(length, 0, -1))
    staying = set(there)
    read: set[int] = set()
    place, newest = PassPosition(), 1000
    # Once it is calm, a pass takes as many requests as there are pages, and a few to go back.
    for came, left in [*changes, *[(0, list[int]())] * 100]:
        shown = there[(place.number - 1) * size : place.number * size]
        read |= set(shown)
        page = Page(tuple(_action(each) for each in shown), len(there), None, 0)
        if place.take(page, size, last=len(shown) < size):
            break
        there = [*range(newest + came, newest, -1), *there]
        newest += came
        for position in left:
            if position < len(there):
                staying.discard(there.pop(position))
    else:
        pytest.fail("it does not end")
    assert staying <= read


def _action(number: int) -> Action:
    return Action(str(number), "", "enable", "in-progress", None, None, None)
