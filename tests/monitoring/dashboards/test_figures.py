import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitoring.dashboards.conftest import filled, panels, read

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
    (panel,) = (each for each in panels(read("sim-card-actions.json")) if each["title"] == title)
    query = filled(panel["targets"][0]["expr"], ranges)
    test = {
        "interval": "1m",
        "input_series": [
            {"series": metric.format(instance), "values": values}
            for instance, values in series.items()
        ],
        "promql_expr_test": [
            # Grafana rounds the figure; what is found lies between two samples.
            {"expr": f"round({query})", "eval_time": "81m", "exp_samples": [{"value": count}]}
        ],
    }
    file = tmp_path / "test.json"
    file.write_text(json.dumps({"tests": [test]}), encoding="utf-8")  # JSON is YAML
    run = subprocess.run(  # noqa: S603 # a fixed program
        [program_path("promtool"), "test", "rules", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
