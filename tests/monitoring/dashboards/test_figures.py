import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitoring.dashboards.conftest import filled, panels, read

RANGES = {"__rate_interval": "4m", "__range": "1h", "__interval": "1m"}
FAILED = 'telnyx_sim_card_actions_failed_total{{job="j", instance="{}", {}}}'
LABELS = 'account="a", action_type="enable", reason_class="other"'


@pytest.mark.program("promtool")
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
def test_failures_of_the_time_shown_are_counted_once(
    series: dict[str, str], count: int, program_path: Callable[[str], str], tmp_path: Path
) -> None:
    """Be it under another instance label after a restart, or by several replicas."""
    (panel,) = (each for each in panels(read("sim-card-actions.json")) if each["title"] == "Failed")
    query = filled(panel["targets"][0]["expr"], RANGES)
    test = {
        "interval": "1m",
        "input_series": [
            {"series": FAILED.format(instance, LABELS), "values": values}
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
