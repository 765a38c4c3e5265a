import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.domain import KNOWN_ACTION_TYPES, Status
from exporter.simulator.actions import ActionFilter, SimulatedAction
from exporter.simulator.history import shuffled
from exporter.simulator.ids import IdType
from exporter.simulator.settings import ListOrder
from exporter.simulator.world import World
from tests.support.simulation import QUIET

START = 1_700_000_000.0
SIMS = 3

filters = st.builds(
    ActionFilter,
    status=st.none() | st.sampled_from(Status),
    action_type=st.none() | st.sampled_from([*KNOWN_ACTION_TYPES, "unheard_of"]),
    sim_card_number=st.none() | st.integers(-1, SIMS),
    bulk_number=st.none() | st.integers(-1, 2),
)
step_lists = st.lists(
    st.tuples(
        st.sampled_from(["create", "bulk", "old", "finish", "delete", "prune", "read"]),
        st.integers(0, 10**6),
    ),
    max_size=25,
)


def small(history: int, order: ListOrder) -> World:
    """Return a quiet account with few SIM cards and a short history."""
    return World(
        replace(QUIET, history=history, history_spacing=7.0, sim_cards=SIMS, order=order.value),
        START,
    )


def apply_steps(world: World, steps: list[tuple[str, int]], wanted: ActionFilter) -> None:
    """Apply one operation after the other to the account, two a second."""
    ids: list[str] = []
    for second, (operation, number) in enumerate(steps):
        world.advance(START + second // 2)
        match operation:
            case "create":
                ids += world.create(number % 4)
            case "bulk":
                ids += world.create(1 + number % 4, bulk=True)
            case "old":
                ids += world.create(created_at=START - number % 300)
            case "prune":
                world.prune(number % 3)
                ids = [each for each in ids if world.get(each) is not None]
            case "read":
                world.page(wanted, 0, 1)
            case _ if ids:
                chosen = ids[number % len(ids)]
                action = world.get(chosen)
                status = tuple(Status)[number % 4]
                if operation == "delete":
                    world.delete([chosen])
                    ids.remove(chosen)
                elif action is not None and action.status is not status:
                    world.finish(chosen, status)


def all_actions(world: World) -> list[SimulatedAction]:
    """Return every action in no order, found without the list: by going through the ids."""
    live = [
        world.get(world.ids.encode(id_type, number))
        for id_type in (IdType.ACTION, IdType.HISTORY)
        for number in range(200)
    ]
    return [each for each in live if each is not None]


@settings(deadline=None)
@given(
    order=st.sampled_from([ListOrder.NEWEST, ListOrder.OLDEST, ListOrder.UPDATED]),
    history=st.integers(0, 40),
    steps=step_lists,
    wanted=filters,
    size=st.integers(1, 9),
)
def test_pages_are_the_filtered_and_sorted_list_cut_up(
    order: ListOrder,
    history: int,
    steps: list[tuple[str, int]],
    wanted: ActionFilter,
    size: int,
) -> None:
    """Page by page, the list is what filtering and sorting everything gives."""
    world = small(history, order)
    apply_steps(world, steps, wanted)
    expected = sorted(
        (each for each in all_actions(world) if wanted.matches(each)),
        key=lambda each: (
            each.updated_ms if order is ListOrder.UPDATED else each.created_ms,
            # The history counts its indexes backwards in time.
            (0, -each.number)
            if world.ids.decode(IdType.HISTORY, each.id) is not None
            else (1, each.number),
        ),
        reverse=order is not ListOrder.OLDEST,
    )
    paged = [
        each
        for offset in range(0, len(expected) + 1, size)
        for each in world.page(wanted, offset, size)
    ]
    assert paged == expected
    assert world.total(wanted) == len(expected)


@settings(deadline=None)
@given(history=st.integers(0, 40), steps=step_lists, wanted=filters, seconds=st.integers(0, 12))
def test_an_earlier_total_is_what_it_was(
    history: int, steps: list[tuple[str, int]], wanted: ActionFilter, seconds: int
) -> None:
    """The total of some seconds ago is that of an account that lived only until then."""
    until = 2 * (seconds + 1)
    now, then = small(history, ListOrder.NEWEST), small(history, ListOrder.NEWEST)
    apply_steps(then, steps[:until], wanted)
    apply_steps(now, steps, wanted)
    now.advance(START + 20)
    assert now.total(wanted, ago=20.0 - seconds) == then.total(wanted)


@settings(deadline=None)
@given(history=st.integers(0, 40), steps=step_lists, wanted=filters, size=st.integers(1, 9))
def test_a_list_without_order_holds_everything_once(
    history: int, steps: list[tuple[str, int]], wanted: ActionFilter, size: int
) -> None:
    """In the order none, too, paging gives each action that the filter shows, once."""
    world = small(history, ListOrder.NONE)
    apply_steps(world, steps, wanted)
    total = world.total(wanted)
    paged = [
        each.id for offset in range(0, total, size) for each in world.page(wanted, offset, size)
    ]
    expected = [each.id for each in all_actions(world) if wanted.matches(each)]
    assert sorted(paged) == sorted(expected)


def test_a_list_without_order_is_stable_and_follows_no_time() -> None:
    """It reads the same again, also after a change of status, and no page is sorted."""
    world = small(1000, ListOrder.NONE)
    ids = world.create(500)
    first = [each.id for each in world.page(ActionFilter(), 0, 1500)]
    world.finish(ids[0], Status.COMPLETED)
    assert [each.id for each in world.page(ActionFilter(), 0, 1500)] == first
    for offset in range(0, 1500, 50):
        created = [each.created_ms for each in world.page(ActionFilter(), offset, 50)]
        assert created not in (sorted(created), sorted(created, reverse=True))


def test_new_actions_of_a_list_without_order_come_anywhere() -> None:
    """What is new is not at the head of the list, nor at its end."""
    world = small(1000, ListOrder.NONE)
    ids = set(world.create(50))
    places = [i for i, each in enumerate(world.page(ActionFilter(), 0, 1050)) if each.id in ids]
    assert max(b - a for a, b in zip([0, *places], [*places, 1050], strict=True)) < 200


@given(total=st.integers(1, 700))
def test_shuffling_loses_and_repeats_no_rank(total: int) -> None:
    """Every rank comes exactly once."""
    assert sorted(shuffled(rank, total) for rank in range(total)) == list(range(total))


@pytest.mark.parametrize("order", ListOrder)
def test_ten_million_actions_of_history_are_not_stored(order: ListOrder) -> None:
    """Pages, totals and look-ups far back in a long history take little memory."""
    tracemalloc.start()
    try:
        world = World(replace(QUIET, history=10_000_000, order=order.value), START)
        wanted = ActionFilter(status=Status.FAILED)
        for each in (ActionFilter(), wanted, replace(wanted, sim_card_number=7)):
            total = world.total(each)
            page = world.page(each, total - 100, 250)
            assert len({action.id for action in page}) == 100
            assert all(world.get(action.id) == action for action in page)
        assert sum(world.record().current.values()) == 10_000_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_the_history_ends_before_the_start() -> None:
    """No action of the history ends after the start, and each ends after its creation."""
    world = small(3000, ListOrder.NEWEST)
    for each in world.page(ActionFilter(), 0, 3000):
        assert each.created_ms < each.updated_ms < START * 1000


def test_the_filters_of_a_long_history_add_up() -> None:
    """Totals by status and type, which are arithmetic, sum to the whole."""
    world = World(replace(QUIET, history=1_234_567), START)
    parts = [
        world.total(ActionFilter(status=status, action_type=name))
        for status in Status
        for name in KNOWN_ACTION_TYPES
    ]
    assert sum(parts) == world.total(ActionFilter()) == 1_234_567


def test_an_index_that_missed_many_changes_is_right_again() -> None:
    """After more changes than are remembered, the list is as if it had followed each."""
    world = small(0, ListOrder.NEWEST)
    in_progress = ActionFilter(status=Status.IN_PROGRESS)
    assert world.total(in_progress) == 0
    ids = world.create(6000)
    for each in ids[:3000]:
        world.finish(each, Status.COMPLETED)
    assert world.total(in_progress) == 3000
    assert [each.id for each in world.page(in_progress, 0, 2)] == ids[:-3:-1]


def test_many_filters_at_once_are_each_right() -> None:
    """More filters than are kept ready still show what they should, on first and second use."""
    world = World(replace(QUIET, history=3000, sim_cards=300), START)
    world.create(900)
    for _ in range(2):
        counts = [world.total(ActionFilter(sim_card_number=sim)) for sim in range(300)]
        assert sum(counts) == 3900
        world.create()
        world.prune(1)
