from exporter.domain import Status
from exporter.simulator.world import World
from tests.support.simulation import QUIET

START = 1_700_000_000.0


def test_the_difference_of_two_records_is_what_happened_between() -> None:
    """A record can be held against an earlier one."""
    world = World(QUIET, START)
    first = world.create(2, action_type="enable")
    world.finish(first[0], Status.FAILED, "a")
    earlier = world.record()
    world.create(action_type="disable")
    world.finish(first[1], Status.FAILED, "b")
    between = world.record().since(earlier)
    assert (between.created["enable"], between.created["disable"]) == (0, 1)
    assert between.entered == {("enable", Status.FAILED, "b"): 1}
    assert between.problems.opened == {"connectivity": 1}
    assert len(between.problems.open) == 2
