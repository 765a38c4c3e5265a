import pytest

from exporter.errors import UsageError
from exporter.simulator.settings import (
    DEMO,
    SimulatorSettings,
    WorldSettings,
    all_knobs,
)


def test_every_knob_can_be_given_flat() -> None:
    """The knobs, each at its default, make the default settings."""
    assert (
        SimulatorSettings.from_knobs({knob.name: knob.default for knob in all_knobs()})
        == SimulatorSettings()
    )


def test_every_knob_has_its_own_name_and_a_meaning() -> None:
    """No two knobs share a name, and each says what it does."""
    names = [knob.name for knob in all_knobs()]
    assert len(names) == len(set(names))
    assert all(knob.help for knob in all_knobs())


def test_a_flat_knob_reaches_its_group() -> None:
    """Knobs of the world, of faults and of the door end up where they belong."""
    settings = SimulatorSettings.from_knobs({"rate": 7, "reset": 0.5, "rate_limit": 3})
    assert (settings.world.rate, settings.faults.reset, settings.rate_limit) == (7, 0.5, 3)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rate": -1}, "rate: -1 is out of bounds; give 0 to 10000"),
        ({"rate": float("nan")}, "rate: nan is out of bounds; give 0 to 10000"),
        ({"rate": True}, "rate: True is not a number"),
        ({"bulk_size": 1.5}, "bulk_size: 1.5 is not a whole number"),
        ({"duration": 0}, "duration: 0 is out of bounds; give 0.001 or more"),
        ({"order": "up"}, "order: 'up' is unknown; give one of newest, oldest, updated, none"),
        ({"rte": 1}, "rte: there is no such knob"),
        ({"retry_after": 1}, "retry_after: 1 is not true or false"),
        ({"key": " "}, "key: give a key of ASCII characters, not an empty one"),
        ({"mix": "enable"}, "mix: 'enable' is not of the form type=weight,..."),
        ({"mix": "a=0"}, "mix: 'a=0': give at least one type a weight above 0"),
        ({"mix": "a=1,=2"}, "mix: 'a=1,=2': give each type a name and a weight of 0 or more"),
        (
            {"failed": 0.7, "interrupted": 0.7},
            "failed, interrupted, stuck: the shares add up to 1.405; give at most 1 together",
        ),
        (
            {"reset": 0.7, "html": 0.7},
            "reset, html: the shares add up to 1.4; give at most 1 together",
        ),
        ({"totals_lag": -1}, "totals_lag: -1 is out of bounds; give 0 to 3600"),
        ({"totals_lag": 3601}, "totals_lag: 3601 is out of bounds; give 0 to 3600"),
        ({"totals_short": -1}, "totals_short: -1 is out of bounds; give 0 to 1e+12"),
        ({"totals_short": 0.5}, "totals_short: 0.5 is not a whole number"),
        ({"totals_short_for": -1}, "totals_short_for: -1 is out of bounds; give 0 or more"),
        ({"totals_cap": -1}, "totals_cap: -1 is out of bounds; give 0 to 1e+12"),
        ({"totals_jump": 2}, "totals_jump: 2 is out of bounds; give 0 to 1"),
        ({"totals_jump_by": 0}, "totals_jump_by: 0 is out of bounds; give 1 to 1e+12"),
        ({"totals_zero": True}, "totals_zero: True is not a number"),
        ({"totals_missing": "x"}, "totals_missing: 'x' is not a number"),
        ({"meta_missing": 1.1}, "meta_missing: 1.1 is out of bounds; give 0 to 1"),
        ({"page_depth": -1}, "page_depth: -1 is out of bounds; give 0 to 1e+12"),
        (
            {"deep_page": "404"},
            ("deep_page: '404' is unknown; give one of unprocessable, bad_request, empty, repeat"),
        ),
        (
            {"history": 10**12},
            (
                "history, history_spacing: 1000000000000 actions 30 s apart go back more than "
                "950 years; give a shorter spacing"
            ),
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_knob_that_cannot_be_is_refused_by_name(knobs: dict[str, object], message: str) -> None:
    """A wrong value is refused, and the message names the knob and the mend."""
    with pytest.raises(UsageError) as caught:
        SimulatorSettings.from_knobs(knobs)
    assert str(caught.value) == message


def test_the_key_stays_out_of_the_repr() -> None:
    """Settings can be printed without telling the key."""
    assert "KEY-mine" not in repr(SimulatorSettings(key="KEY-mine"))


def test_the_weights_of_the_mix_are_read() -> None:
    """A mix names types, of any name, with their weights."""
    assert WorldSettings(mix="enable=2, reboot=0.5").weights == (("enable", 2.0), ("reboot", 0.5))


def test_the_demo_goes_back_before_its_start() -> None:
    """The demo's account has a past: a history, and actions that are stuck."""
    assert DEMO.world.history >= 20_000
    assert DEMO.world.stuck_at_start > 0
