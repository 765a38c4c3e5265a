"""Start a Prometheus that scrapes an exporter; it must not know what is asked of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.end_to_end.conftest import Running

SHIPPED = Path(__file__).parents[2] / "deploy" / "compose" / "prometheus-replicas.yml"
_JOBS = yaml.load(SHIPPED.read_text("utf-8"), Loader=yaml.CSafeLoader)["scrape_configs"]
RELABELING: list[dict[str, Any]] = _JOBS[0]["metric_relabel_configs"]
"""What the shipped scrape configuration changes in the labels of samples."""

OF_ACCOUNTS: str = RELABELING[0]["regex"]
"""The names of the metrics that the replica exposes that polls the account."""

ONE_INSTANCE: str = RELABELING[0]["replacement"]
"""The instance that they have instead of that of the replica."""

PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: telnyx-sim-exporter{options}
    static_configs: [{{targets: ["{target}"]}}]
    metric_relabel_configs: {relabeling}
  - job_name: another
    static_configs: [{{targets: ["127.0.0.1:1"]}}]
"""
"""The other job is no exporter, and is down: nothing that is shown may be about it."""

STORED = {
    "classic": "",
    "native": "\n    convert_classic_histograms_to_nhcb: true",
    "both": (
        "\n    convert_classic_histograms_to_nhcb: true\n    always_scrape_classic_histograms: true"
    ),
}
"""How Prometheus stores histograms: as they are exported, or as it converts them from 3.4 on."""

LIFE = {
    "rate": 8,
    "mix": "enable=2,disable=1,set_public_ip=1",
    "duration": 1,
    "duration-sigma": 0.5,
    "failed": 0.2,
    "interrupted": 0.15,
    "stuck": 0.02,
    "stuck-at-start": 3,
    "resumed": 0.5,
    "resume-after": 1,
    "bulk-every": 3,
    "bulk-size": 20,
    "history": 1000,
    "rate-limit": 1000,
    "server-error": 0.03,
    "malformed": 0.01,
}
"""The account of the demo, in a hurry, and with an API that is not always well."""

LIVELY = tuple(f"--{name}={value}" for name, value in LIFE.items())
"""It as options of the simulator."""


def _converts(prometheus: str) -> bool:
    """Tell whether this Prometheus can convert histograms."""
    told = subprocess.run((prometheus, "--version"), check=True, capture_output=True, text=True)  # noqa: S603 # a fixed program
    found = re.search(r"version (\d+)\.(\d+)", told.stdout + told.stderr)
    # One that was built from source alone knows no version.
    return found is None or (int(found[1]), int(found[2])) >= (3, 4)


def ways_to_store() -> list[str]:
    """Return the ways to store histograms that the Prometheus on this machine has."""
    program = shutil.which("prometheus")
    return list(STORED) if program and _converts(program) else ["classic"]


def scrape(
    start: Callable[..., Running],
    program: str,
    exporter: Running,
    port: int,
    folder: Path,
    *,
    stored: str,
    rules: Sequence[Path] = (),
) -> Running:
    """Start a Prometheus that scrapes an exporter every second, with these files of rules."""
    file = folder / "prometheus.yml"
    config = PROMETHEUS.format(
        target=exporter.url.removeprefix("http://"),
        options=STORED[stored],
        relabeling=json.dumps(RELABELING),
        rules=", ".join(map(str, rules)),
    )
    file.write_text(config, "utf-8")
    running = start(
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    running.url = f"http://127.0.0.1:{port}"
    return running
