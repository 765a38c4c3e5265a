import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo_stack.shorten import (
    shorten_alertmanager,
    shorten_duration,
    shorten_expression,
    shorten_rules,
)
from demo_stack.stack import ALERTMANAGER, RULES


def parsed(file: Path) -> Any:
    """Parse a shipped file."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@pytest.mark.parametrize(
    ("text", "divisor", "short"),
    [
        ("5m", 60, "5s"),
        ("1h30m", 60, "90s"),
        ("1d", 60, "1440s"),
        ("5m", 120, "2500ms"),
        ("500ms", 60, "8ms"),
        ("10ms", 60, "1ms"),
        ("0s", 60, "0s"),
        ("1h", 1, "1h"),
    ],
)
def test_a_duration_is_divided(text: str, divisor: float, short: str) -> None:
    """Whole seconds stay such; nothing becomes shorter than a millisecond."""
    assert shorten_duration(text, divisor) == short


@pytest.mark.parametrize(
    ("expr", "short"),
    [
        pytest.param("increase(a_total[5m]) > 3", "increase(a_total[5s]) > 3", id="range"),
        pytest.param("a[15m] offset 1h", "a[15s] offset 60s", id="offset"),
        pytest.param("a offset -5m", "a offset -5s", id="negative-offset"),
        pytest.param("max_over_time(a[1h:5m])", "max_over_time(a[60s:5s])", id="subquery"),
        pytest.param("max_over_time(a[ 1h : ])", "max_over_time(a[ 60s : ])", id="spaces"),
        pytest.param("a:b:rate5m / a:b5m", "a:b:rate5m / a:b5m", id="names"),
        pytest.param('a{b="[5m]", c=~"x[1h]"}[5m]', 'a{b="[5m]", c=~"x[1h]"}[5s]', id="text"),
        pytest.param("time() - a > 1800", "time() - a > 30", id="age"),
        pytest.param("time() - (a > 0) >= 90", "time() - (a > 0) >= 1.5", id="ages"),
        pytest.param("a > 1800", "a > 1800", id="no-age"),
        pytest.param('time() - a{b="> 60"} > 60', 'time() - a{b="> 60"} > 1', id="text-and-age"),
    ],
)
def test_an_expression_keeps_all_but_its_times(expr: str, short: str) -> None:
    """Ranges, offsets, steps and ages are divided; names, texts and other numbers are not."""
    assert shorten_expression(expr, 60) == short


def test_the_shipped_rules_stay_as_they_are_but_for_times() -> None:
    """By 1 nothing changes; by 60 no name, label or annotation does, and every duration does."""
    shipped = parsed(RULES)
    assert shorten_rules(shipped, 1) == shipped
    before = [rule for group in shipped["groups"] for rule in group["rules"]]
    after = [rule for group in shorten_rules(shipped, 60)["groups"] for rule in group["rules"]]
    durations = ("for", "keep_firing_for")
    times = {"expr", *durations}
    for old, new in zip(before, after, strict=True):
        assert {key: new[key] for key in new if key not in times} == {
            key: old[key] for key in old if key not in times
        }
        assert new.keys() == old.keys()
        for key in old.keys() & durations:
            assert new[key] == shorten_duration(old[key], 60) != old[key]
    assert parsed(RULES) == shipped


def test_thresholds_in_seconds_are_divided() -> None:
    """Others are not."""
    rules = [
        rule for group in shorten_rules(parsed(RULES), 60)["groups"] for rule in group["rules"]
    ]
    constants = {rule["record"]: rule["expr"].strip() for rule in rules if "record" in rule}
    assert constants["job:telnyx_sim_stale_seconds:threshold"] == "vector(30)"
    assert constants["job:telnyx_sim_failed_cards:threshold"] == "vector(5)"


@pytest.mark.program("promtool")
def test_prometheus_takes_the_short_rules(
    program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """They are as good as the shipped ones."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(shorten_rules(parsed(RULES), 60)), encoding="utf-8")
    command = (program_path("promtool"), "check", "rules", str(file))
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the test's own words
    assert done.returncode == 0, done.stdout + done.stderr


def test_routes_wait_less_and_repeat_as_seldom() -> None:
    """Waits of routes are divided on every level."""
    route = {"group_wait": "30s", "repeat_interval": "1h", "routes": [{"group_interval": "5m"}]}
    assert shorten_alertmanager({"route": route}, 60) == {
        "route": {
            "group_wait": "500ms",
            "repeat_interval": "1h",
            "routes": [{"group_interval": "5s"}],
        }
    }
    shipped = parsed(ALERTMANAGER)
    assert shorten_alertmanager(shipped, 1) == shipped
