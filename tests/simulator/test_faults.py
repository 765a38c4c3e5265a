from collections import Counter

import pytest

from exporter.errors import UsageError
from exporter.simulator.faults import Fault, Faults, FaultSource


def test_without_knobs_nothing_goes_wrong() -> None:
    """By default no request meets a fault."""
    source = FaultSource(Faults(), seed=1)
    assert {source.draw() for _ in range(1000)} == {None}


@pytest.mark.parametrize("fault", Fault)
def test_a_share_of_one_is_always(fault: Fault) -> None:
    """Each fault has a knob of its own, and at 1 every request meets it."""
    source = FaultSource(Faults().changed(**{fault.value: 1.0}), seed=1)
    assert {source.draw() for _ in range(100)} == {fault}


def test_faults_come_in_their_shares_and_repeatably() -> None:
    """Two faults at once keep their shares, and the same seed draws the same ones."""
    knobs = Faults(reset=0.2, slow=0.3)
    first, second = FaultSource(knobs, seed=5), FaultSource(knobs, seed=5)
    drawn = [first.draw() for _ in range(4000)]
    assert drawn == [second.draw() for _ in range(4000)]
    counts = Counter(drawn)
    assert counts[Fault.RESET] == pytest.approx(800, rel=0.15)
    assert counts[Fault.SLOW] == pytest.approx(1200, rel=0.15)
    assert counts.total() == counts[Fault.RESET] + counts[Fault.SLOW] + counts[None]


def test_a_script_goes_before_the_knobs() -> None:
    """Scripted requests meet just what the script says, and the knobs apply after it."""
    source = FaultSource(Faults(html=1.0), seed=1)
    source.script(None, Fault.RESET)
    assert [source.draw() for _ in range(3)] == [None, Fault.RESET, Fault.HTML]


def test_knobs_turn_at_run_time() -> None:
    """New knobs hold from the next request on; what is not named stays."""
    source = FaultSource(Faults(slow_seconds=9.0), seed=1)
    source.knobs = source.knobs.changed(reset=1.0)
    assert source.draw() is Fault.RESET
    assert source.knobs.slow_seconds == 9.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"rest": 1.0}, "rest: there is no such fault knob", id="unknown"),
        pytest.param({"reset": 2}, "reset: 2 is out of bounds; give 0 to 1", id="bounds"),
        pytest.param({"reset": "often"}, "reset: 'often' is not a number", id="type"),
        pytest.param({"self": 1}, "self: there is no such fault knob", id="a word of Python"),
    ],
)
def test_a_wrong_knob_is_refused(values: dict[str, object], message: str) -> None:
    """A change with an unknown knob or a wrong value changes nothing and names it."""
    with pytest.raises(UsageError) as caught:
        Faults().changed(**values)
    assert str(caught.value) == message
