"""The account's own record of SIM cards that are broken."""

from collections.abc import Sequence
from itertools import permutations, product

import pytest

from exporter.domain import Status
from exporter.simulator.world import World
from tests.support.simulation import QUIET

C, F, I, P = Status.COMPLETED, Status.FAILED, Status.INTERRUPTED, Status.IN_PROGRESS  # noqa: E741


@pytest.mark.parametrize(
    ("statuses", "opened", "mended", "open_index"),
    [
        pytest.param([[C]], 0, 0, None, id="all-well"),
        pytest.param([[P]], 0, 0, None, id="in-progress"),
        pytest.param([[F]], 1, 0, 0, id="failed"),
        pytest.param([[I]], 1, 0, 0, id="interrupted"),
        pytest.param([[F], [P]], 1, 0, 0, id="retrying"),
        pytest.param([[F], [F], [I]], 1, 0, 2, id="failed-again"),
        pytest.param([[F], [C]], 1, 1, None, id="mended"),
        pytest.param([[C], [F]], 1, 0, 1, id="failed-after-success"),
        pytest.param([[F], [C], [F], [C]], 2, 2, None, id="twice"),
        pytest.param([[F], [I], [C], [F]], 2, 1, 3, id="broken-again"),
        pytest.param([[I, C]], 1, 1, None, id="itself"),
        pytest.param([[I, P]], 1, 0, 0, id="going-on"),
        pytest.param([[I, F]], 1, 0, 0, id="went-on-and-failed"),
    ],
)
def test_problems_by_the_order_of_creation(
    statuses: Sequence[Sequence[Status]],
    opened: int,
    mended: int,
    open_index: int | None,
) -> None:
    """A problem opens at a failure, and is mended by what was created later and completed."""
    for order in permutations(range(len(statuses))):
        world = World(QUIET, 1_700_000_000.0)
        card = world.sim_cards.card(1).id
        ids = [_created(world, card, n) for n in range(len(statuses))]
        for index in order:
            for status in statuses[index]:
                if status is not P or len(statuses[index]) > 1:
                    world.finish(ids[index], status, "x")
        problems = world.record().problems
        assert problems.opened.get("connectivity", 0) == opened
        assert problems.mended.get("connectivity", 0) == mended
        expected = {} if open_index is None else {(card, "connectivity"): ids[open_index]}
        assert {key: action.id for key, action in problems.open.items()} == expected


@pytest.mark.parametrize(
    ("statuses", "mended", "open_index"),
    [
        pytest.param([[F], [C]], 0, 0, id="the-other-completed"),
        pytest.param([[C], [F]], 0, 1, id="completed-and-failed"),
        pytest.param([[I, C], [F]], 1, 1, id="mended-itself-alone"),
        pytest.param([[F], [I, C]], 1, 0, id="itself-alone-the-other-way-round"),
    ],
)
def test_of_two_created_at_once_neither_is_later(
    statuses: Sequence[Sequence[Status]], mended: int, open_index: int
) -> None:
    """A completed one mends no other; what was broken before is mended."""
    for order, before in product(permutations(range(len(statuses))), (False, True)):
        world = World(QUIET, 1_700_000_000.0)
        card = world.sim_cards.card(1).id
        if before:
            world.finish(_created(world, card, -1.0), F, "x")
        ids = [_created(world, card, 0.0) for _ in statuses]
        for index in order:
            for status in statuses[index]:
                world.finish(ids[index], status, "x")
        completed_only = [C] in statuses
        problems = world.record().problems
        assert problems.mended.get("connectivity", 0) == mended + (before and completed_only)
        assert problems.open[card, "connectivity"].id == ids[open_index]


def _created(world: World, card: str, at: float) -> str:
    return world.create(action_type="enable", created_at=world.now + at, sim_card_id=card)[0]
