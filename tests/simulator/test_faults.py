from collections import Counter

import pytest

from exporter.errors import UsageError
from exporter.simulator.faults import Fault, FaultInjector, FaultSettings


def test_without_options_nothing_goes_wrong() -> None:
    """By default no request meets a fault."""
    injector = FaultInjector(FaultSettings(), seed=1)
    assert {injector.next_fault() for _ in range(1000)} == {None}


@pytest.mark.parametrize("fault", Fault)
def test_a_fraction_of_one_is_always(fault: Fault) -> None:
    """Each fault has an option of its own, and at 1 every request meets it."""
    injector = FaultInjector(FaultSettings().changed(**{fault.value: 1.0}), seed=1)
    assert {injector.next_fault() for _ in range(100)} == {fault}


def test_faults_come_in_their_fractions_and_reproducibly() -> None:
    """Two faults at once keep their fractions, and the same seed draws the same ones."""
    settings = FaultSettings(reset=0.2, slow=0.3)
    first, second = FaultInjector(settings, seed=5), FaultInjector(settings, seed=5)
    drawn = [first.next_fault() for _ in range(4000)]
    assert drawn == [second.next_fault() for _ in range(4000)]
    counts = Counter(drawn)
    assert counts[Fault.RESET] == pytest.approx(800, rel=0.15)
    assert counts[Fault.SLOW] == pytest.approx(1200, rel=0.15)
    assert counts.total() == counts[Fault.RESET] + counts[Fault.SLOW] + counts[None]


def test_a_script_takes_precedence_over_the_options() -> None:
    """Scripted requests meet what the script says, and the options apply again after it."""
    injector = FaultInjector(FaultSettings(html=1.0), seed=1)
    injector.script(None, Fault.RESET)
    assert [injector.next_fault() for _ in range(3)] == [None, Fault.RESET, Fault.HTML]


def test_options_change_at_run_time() -> None:
    """Changed options apply from the next request on; the others stay as they were."""
    injector = FaultInjector(FaultSettings(slow_seconds=9.0), seed=1)
    injector.settings = injector.settings.changed(reset=1.0)
    assert injector.next_fault() is Fault.RESET
    assert injector.settings.slow_seconds == 9.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"rest": 1.0}, "rest: unknown fault option", id="unknown"),
        pytest.param({"reset": 2}, "reset: 2 is out of range; use 0 to 1", id="bounds"),
        pytest.param({"reset": "often"}, "reset: 'often' is not a number", id="type"),
        pytest.param({"self": 1}, "self: unknown fault option", id="a word of Python"),
    ],
)
def test_a_wrong_option_is_refused(values: dict[str, object], message: str) -> None:
    """A change with an unknown option or a wrong value changes nothing and names it."""
    with pytest.raises(UsageError) as caught:
        FaultSettings().changed(**values)
    assert str(caught.value) == message
