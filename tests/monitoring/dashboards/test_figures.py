import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from dashboards.queries import ONE_INSTANCE
from tests.monitoring.dashboards.conftest import FILES, filled, panels, read

RANGES = {"__rate_interval": "4m", "__range": "1h", "__interval": "1m"}
BY_DAY = {"__rate_interval": "1h"}
"""Where a bar is as long as the time that the others show."""

FAILED = (
    "telnyx_sim_card_actions_failed_total{{job='j', instance='{}', "
    "account='a', action_type='enable', reason_class='other'}}"
)
OPENED = (
    "telnyx_sim_card_problems_opened_total{{job='j', instance='{}', "
    "account='a', concern='connectivity'}}"
)


@pytest.mark.program("promtool")
@pytest.mark.parametrize(
    ("title", "metric", "ranges"),
    [
        pytest.param("Failed", FAILED, RANGES, id="failed"),
        pytest.param("Problems opened", OPENED, RANGES, id="opened"),
        pytest.param("Problems opened and closed by day", OPENED, BY_DAY, id="by-day"),
    ],
)
@pytest.mark.parametrize(
    ("series", "count"),
    [
        pytest.param({"x": "0x20 0+1x60"}, 60, id="one"),
        pytest.param({"x": "0x20 0+1x30 stale", "y": "_x53 32+1x28"}, 60, id="moved"),
        pytest.param({"x": "0x20 0+1x60", "y": "0x20 0+1x60"}, 60, id="replicas"),
        pytest.param({"x": "0x20 0+1x30 0+1x29"}, 59, id="reset"),
        pytest.param({"x": "7x90"}, 0, id="none"),
    ],
)
def test_events_of_the_time_shown_are_counted_once(
    title: str,
    metric: str,
    ranges: dict[str, str],
    series: dict[str, str],
    count: int,
    program_path: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """Be it under another instance label after a restart, or by several replicas."""
    query = filled(expression("sim-card-actions.json", title), ranges)
    named = {metric.format(instance): values for instance, values in series.items()}
    # Grafana rounds the figure; what is found lies between two samples.
    check(program_path("promtool"), tmp_path, "1m", named, {f"round({query})": [count]}, "81m")


def expression(board: str, title: str) -> str:
    """Give the first query of a panel."""
    (panel,) = (each for each in panels(read(board)) if each["title"] == title)
    query: str = panel["targets"][0]["expr"]
    return query


def check(
    promtool: str,
    folder: Path,
    interval: str,
    series: Mapping[str, str],
    expected: Mapping[str, Sequence[float] | Mapping[str, float]],
    at: str,
) -> None:
    """Check the values of queries at a time, of series with a sample in each interval.

    They are without labels, or by their labels.
    """
    test = {
        "interval": interval,
        "input_series": [{"series": name, "values": each} for name, each in series.items()],
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": at,
                "exp_samples": [
                    {"labels": labels, "value": value} for labels, value in values.items()
                ]
                if isinstance(values, Mapping)
                else [{"value": value} for value in values],
            }
            for query, values in expected.items()
        ],
    }
    file = folder / "test.json"
    file.write_text(json.dumps({"tests": [test]}), encoding="utf-8")  # JSON is YAML
    run = subprocess.run(  # noqa: S603 # a fixed program
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


OF_BOTH = {"Exporters down", "Accounts not polled", "Last poll"}
"""Panels that both dashboards have."""

WELL = 24
"""Hours for which everything is well at first; there is a sample every five minutes."""

SAMPLES = WELL * 12
LATER = 4000
"""Number of samples at first, and after it."""

GONE = "stale"
UP, DOWN = f"1x{LATER}", f"0x{LATER}"
"""What a target is after it was well."""


def exporter(
    instance: str, accounts: str, after: str, *, problems: int = 0, shared: str = ""
) -> dict[str, str]:
    """Give the series of an exporter with accounts of one letter each.

    What is known of accounts is of the instance ``shared``, if there is one.
    """
    target = f"job='j', instance='{instance}'"
    values = f"x{SAMPLES + LATER}" if after == UP else f"x{SAMPLES} stale"
    series = {
        f"up{{{target}}}": f"1x{SAMPLES} {after}",
        f"telnyx_exporter_build_info{{{target}, version='1'}}": f"1{values}",
    }
    for account in accounts:
        of = f"job='j', instance='{shared or instance}', account='{account}'"
        own = f"{target}, account='{account}'"
        series |= {
            f"telnyx_up{{{of}}}": f"1{values}",
            f"telnyx_exporter_last_success_timestamp_seconds{{{own}}}": f"0+300{values}",
            f"telnyx_sim_card_problems{{{of}, concern='voice', status='failed'}}": (
                f"{problems}{values}"
            ),
            # Without problems, one that was closed in the end.
            f"telnyx_sim_card_problems_oldest_timestamp_seconds{{{of}, concern='voice'}}": (
                f"3600{values}" if problems else f"3600x{SAMPLES - 9} stale"
            ),
            f"telnyx_sim_card_actions_stuck{{{of}, action_type='enable'}}": f"{problems}{values}",
        }
    return series


def replica(instance: str, accounts: str, after: str, *, problems: int = 0) -> dict[str, str]:
    """Give the series of the replica that polls these accounts, as they are scraped."""
    return exporter(instance, accounts, after, problems=problems, shared=ONE_INSTANCE)


def never_up(job: str, instance: str) -> dict[str, str]:
    """Give a target that is down from its beginning."""
    return {f"up{{job='{job}', instance='{instance}'}}": f"_x{SAMPLES} {DOWN}"}


@pytest.mark.program("promtool")
@pytest.mark.parametrize("hours", [1, 5, 30, 13 * 24])
@pytest.mark.parametrize(
    ("series", "down", "unpolled", "broken"),
    [
        pytest.param(exporter("x", "ab", UP, problems=3), 0, 0, 6, id="up"),
        pytest.param(exporter("x", "ab", DOWN, problems=3), 1, 2, 6, id="down"),
        pytest.param(exporter("x", "ab", DOWN), 1, 2, 0, id="down-without-problems"),
        pytest.param(exporter("x", "ab", GONE, problems=3), 1, 2, 6, id="no-target"),
        pytest.param(
            exporter("x", "ab", GONE, problems=3) | never_up("j", "y"), 1, 2, 6, id="bad-update"
        ),
        pytest.param(
            exporter("x", "a", DOWN, problems=3) | exporter("y", "b", UP), 1, 1, 3, id="one-of-two"
        ),
        pytest.param(
            exporter("x", "a", DOWN, problems=3) | exporter("y", "a", UP, problems=2),
            1,
            0,
            2,
            id="replica-down",
        ),
        pytest.param(
            exporter("x", "a", GONE, problems=5) | exporter("y", "a", UP, problems=2),
            0,
            0,
            2,
            id="moved",
        ),
        pytest.param(
            exporter("x", "a", UP) | never_up("other", "z"), 0, 0, 0, id="another-job-is-down"
        ),
        pytest.param(
            replica("x", "ab", UP, problems=3) | replica("y", "", UP), 0, 0, 6, id="stands-by"
        ),
        pytest.param(
            replica("x", "ab", UP, problems=3) | replica("y", "", DOWN), 1, 0, 6, id="standby-down"
        ),
        pytest.param(
            replica("x", "ab", DOWN, problems=3) | replica("y", "", DOWN), 2, 2, 6, id="all-down"
        ),
        pytest.param(
            replica("x", "ab", GONE, problems=3) | replica("y", "", GONE), 1, 2, 6, id="all-gone"
        ),
    ],
)
def test_outages_are_shown_however_long_they_last(
    series: dict[str, str],
    down: int,
    unpolled: int,
    broken: int,
    hours: int,
    program_path: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """There is a number for two weeks, and what was known is shown."""
    values = {
        "Exporters down": [down],
        "Accounts not polled": [unpolled],
        "Last poll": [hours * 3600 if unpolled else 0],
        "SIM cards broken": [broken],
        "Stuck": [broken],
        "Oldest problem": [(WELL + hours - 1) * 3600] if broken else [],
    }
    expected = {
        filled(expression(board, title), RANGES): figures
        for board in FILES
        for title, figures in values.items()
        if board == "sim-card-actions.json" or title in OF_BOTH
    }
    check(program_path("promtool"), tmp_path, "5m", series, expected, f"{WELL + hours}h")


@pytest.mark.program("promtool")
@pytest.mark.parametrize("hours", [1, 30])
def test_a_restart_while_telnyx_is_away_does_not_hide_the_last_poll(
    hours: int, program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """The timestamp of the new process is 0."""
    of = "job='j', instance='y', account='a'"
    restarted = {
        "up{job='j', instance='y'}": f"_x{SAMPLES} {UP}",
        f"telnyx_up{{{of}}}": f"_x{SAMPLES} {DOWN}",
        f"telnyx_exporter_last_success_timestamp_seconds{{{of}}}": f"_x{SAMPLES} {DOWN}",
    }
    values = {"Accounts not polled": [1], "Last poll": [hours * 3600]}
    expected = {
        filled(expression("sim-card-actions.json", title), RANGES): figures
        for title, figures in values.items()
    }
    series = exporter("x", "a", GONE) | restarted
    check(program_path("promtool"), tmp_path, "5m", series, expected, f"{WELL + hours}h")


@pytest.mark.program("promtool")
@pytest.mark.parametrize("shared", ["", ONE_INSTANCE])
@pytest.mark.parametrize(("hours", "unpolled"), [(5, 1), (7, 0)])
def test_a_removed_account_is_shown_as_long_as_its_alert(
    hours: int, unpolled: int, shared: str, program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """TelnyxSimAccountGone fires for six hours."""
    series = exporter("x", "b", GONE, shared=shared) | exporter("x", "a", UP, shared=shared)
    expected = {
        filled(expression("sim-card-actions.json", "Accounts not polled"), RANGES): [unpolled]
    }
    check(program_path("promtool"), tmp_path, "5m", series, expected, f"{WELL + hours}h")


@pytest.mark.program("promtool")
def test_replicas_are_told_apart_where_they_differ(
    program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Who polls what is counted, and what another one had before is not shown."""
    x, y, account = "job='j', instance='x'", "job='j', instance='y'", "account='a'"
    series = {
        f"telnyx_exporter_account_held{{{x}, {account}}}": "1x20 0x70",
        f"telnyx_exporter_account_held{{{y}, {account}}}": "0x20 1x70",
        f"telnyx_exporter_account_held{{{x}, account='b'}}": "0x90",
        f"telnyx_exporter_account_held{{{y}, account='b'}}": "0x90",
        f"telnyx_exporter_accounts_unheld{{{x}}}": "1x90",
        f"telnyx_exporter_accounts_unheld{{{y}}}": "1x90",
        f"telnyx_exporter_api_rate_limit_remaining{{{x}, {account}}}": "3x90",
        f"telnyx_exporter_api_rate_limit_remaining{{{y}, {account}}}": "90x90",
    }
    figures = {
        "Accounts unheld": {"{}": 1.0},
        "Accounts by replica": {'{instance="x"}': 0.0, '{instance="y"}': 1.0},
        "Holders": {'{account="a", instance="y"}': 1.0},
        "Unheld as seen by replicas": {'{instance="x"}': 1.0, '{instance="y"}': 1.0},
        "Remaining rate limit": {'{account="a"}': 90.0},
    }
    expected = {
        filled(expression("exporter-health.json", title), RANGES): found
        for title, found in figures.items()
    }
    check(program_path("promtool"), tmp_path, "1m", series, expected, "60m")


@pytest.mark.program("promtool")
def test_nothing_is_shown_without_any_exporter(
    program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Then 0 would be the all-clear."""
    series = {"up{job='other', instance='z'}": "1x20"}
    expected: dict[str, list[float]] = {
        filled(expression(board, title), RANGES): [] for board in FILES for title in OF_BOTH
    }
    check(program_path("promtool"), tmp_path, "5m", series, expected, "1h")


LOADED = {"job:telnyx_sim_stale_seconds:threshold": "1800x20"}
PAGE = (
    "ALERTS{{alertname='TelnyxSimDataStale', alertstate='{}', severity='critical', job='j', "
    "account='a'}}"
)
OTHERS = {
    "ALERTS{alertname='AnotherAlert', alertstate='firing', severity='critical', job='j'}": "1x20",
    "ALERTS{alertname='TelnyxSimExporterDown', alertstate='firing', severity='info', job='j', "
    "instance='x'}": "1x20",
}


@pytest.mark.program("promtool")
@pytest.mark.parametrize(
    ("series", "critical", "other"),
    [
        pytest.param({}, [], [], id="rules-not-loaded"),
        pytest.param(LOADED, [0], [0], id="none"),
        pytest.param(LOADED | {PAGE.format("pending"): "1x20"}, [0], [0], id="pending"),
        pytest.param(LOADED | {PAGE.format("firing"): "1x20"}, [1], [0], id="page"),
        pytest.param(LOADED | OTHERS, [0], [1], id="others"),
    ],
)
def test_firing_alerts_are_counted(
    series: dict[str, str],
    critical: list[float],
    other: list[float],
    program_path: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """Without the rules there is no number, as nothing can fire."""
    figures = {"Critical alerts": critical, "Other alerts": other}
    expected = {
        filled(expression("sim-card-actions.json", title), RANGES): values
        for title, values in figures.items()
    }
    check(program_path("promtool"), tmp_path, "5m", series, expected, "1h")
