from random import Random

import pytest

from benchmarks.fault_schedule import DEEP_PAGES, ITEM_FAULTS, OFF, WRONG_TOTALS, FaultSchedule
from exporter.simulator.faults import Fault
from exporter.simulator.settings import ListOrder

HISTORY = 20_000


@pytest.mark.parametrize("order", ListOrder)
def test_every_fault_is_switched_on_in_turn(order: ListOrder) -> None:
    """None comes much more often than another; deep pages are refused of old actions only."""
    schedule = FaultSchedule(Random(1), order, HISTORY)  # noqa: S311 - repeatable, and nothing to guess
    drawn = [schedule.next_faults()[0] for _ in range(400)]
    expected = {*(fault.value for fault in Fault), *ITEM_FAULTS, *WRONG_TOTALS}
    if order in {ListOrder.NEWEST, ListOrder.UPDATED}:
        expected.add(DEEP_PAGES)
    assert set(schedule.switched) == expected
    assert max(schedule.switched.values()) - min(schedule.switched.values()) <= 3
    for name, times in schedule.switched.items():
        on = [faults for faults in drawn if getattr(faults, name) != getattr(OFF, name)]
        assert len(on) == times


def test_each_fault_of_a_draw_has_an_effect() -> None:
    """A cap is below what is listed, and a depth above what may have come in the meantime."""
    schedule = FaultSchedule(Random(1), ListOrder.NEWEST, HISTORY)  # noqa: S311 - as above
    drawn = [schedule.next_faults()[0] for _ in range(400)]
    caps = [faults.totals_cap for faults in drawn if faults.totals_cap]
    depths = [faults.page_depth for faults in drawn if faults.page_depth]
    assert 0 < min(caps) < max(caps) <= HISTORY
    assert 2000 <= min(depths) < max(depths) < HISTORY
    assert {faults.deep_page for faults in drawn if faults.page_depth} == {
        "unprocessable",
        "bad_request",
    }
