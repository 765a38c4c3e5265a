import pytest

from exporter.errors import UsageError
from exporter.simulator.settings import DEMO, SimulatorSettings, WorldSettings, all_options


def test_every_option_can_be_given_flat() -> None:
    """The options at their defaults make the default settings."""
    assert (
        SimulatorSettings.from_options({option.name: option.default for option in all_options()})
        == SimulatorSettings()
    )


def test_every_option_has_its_own_name_and_a_help_text() -> None:
    """No two options have one name, and each says what it does."""
    names = [option.name for option in all_options()]
    assert len(names) == len(set(names))
    assert all(option.help for option in all_options())


def test_a_flat_option_reaches_its_group() -> None:
    """Options of the account, of faults and of access end up where they belong."""
    settings = SimulatorSettings.from_options({"rate": 7, "reset": 0.5, "rate_limit": 3})
    assert (settings.world.rate, settings.faults.reset, settings.rate_limit) == (7, 0.5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": -1}, "rate: -1 is out of range; use 0 to 10000"),
        ({"rate": float("nan")}, "rate: nan is out of range; use 0 to 10000"),
        ({"rate": True}, "rate: True is not a number"),
        ({"bulk_size": 1.5}, "bulk_size: 1.5 is not a whole number"),
        ({"duration": 0}, "duration: 0 is out of range; use 0.001 or more"),
        ({"order": "up"}, "order: 'up' is unknown; use one of newest, oldest, updated, none"),
        ({"rte": 1}, "rte: unknown option"),
        ({"retry_after": 1}, "retry_after: 1 is not true or false"),
        ({"key": " "}, "key: must be ASCII and not empty"),
        ({"mix": "enable"}, "mix: 'enable' is not of the form type=weight,..."),
        ({"mix": "a=0"}, "mix: 'a=0': give at least one type a weight above 0"),
        ({"mix": "a=1,=2"}, "mix: 'a=1,=2': give each type a name and a weight of 0 or more"),
        (
            {"failed": 0.7, "interrupted": 0.7},
            "failed, interrupted, stuck: the fractions sum to 1.405; the sum must be at most 1",
        ),
        (
            {"reset": 0.7, "html": 0.7},
            "reset, html: the fractions sum to 1.4; the sum must be at most 1",
        ),
        ({"totals_lag": -1}, "totals_lag: -1 is out of range; use 0 to 3600"),
        ({"totals_lag": 3601}, "totals_lag: 3601 is out of range; use 0 to 3600"),
        ({"totals_short": -1}, "totals_short: -1 is out of range; use 0 to 1e+12"),
        ({"totals_short": 0.5}, "totals_short: 0.5 is not a whole number"),
        ({"totals_short_for": -1}, "totals_short_for: -1 is out of range; use 0 or more"),
        ({"totals_cap": -1}, "totals_cap: -1 is out of range; use 0 to 1e+12"),
        ({"totals_jump": 2}, "totals_jump: 2 is out of range; use 0 to 1"),
        ({"totals_jump_by": 0}, "totals_jump_by: 0 is out of range; use 1 to 1e+12"),
        ({"totals_zero": True}, "totals_zero: True is not a number"),
        ({"totals_missing": "x"}, "totals_missing: 'x' is not a number"),
        ({"meta_missing": 1.1}, "meta_missing: 1.1 is out of range; use 0 to 1"),
        ({"page_depth": -1}, "page_depth: -1 is out of range; use 0 to 1e+12"),
        (
            {"deep_page": "404"},
            ("deep_page: '404' is unknown; use one of unprocessable, bad_request, empty, repeat"),
        ),
        (
            {"history": 10**12},
            (
                "history, history_spacing: 1000000000000 actions 30 s apart span more than "
                "950 years; use a shorter spacing"
            ),
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_an_invalid_option_is_refused_by_name(options: dict[str, object], message: str) -> None:
    """A wrong value is refused, and the message names the option and what it accepts."""
    with pytest.raises(UsageError) as caught:
        SimulatorSettings.from_options(options)
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
