import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WITHIN = 420.0
"""Seconds: it rages for some twenty, then waits until the interrupted actions have gone on."""

RUN = ("--minutes", "0.3", "--resume-after", "25", "--kills-every", "1.5", "3", "--seed", "3")


@pytest.mark.timeout(WITHIN + 30)
def test_a_short_soak_finds_no_difference(start: Callable[..., Any]) -> None:
    """Killed, and with every fault at once, it counts and logs what the API's record says."""
    soak = start(sys.executable, "-m", "benchmarks.soak", *RUN, cwd=ROOT, env={"COLUMNS": "200"})
    code = soak.process.wait(WITHIN)
    soak.end()
    report = "\n".join([*soak.out, *soak.err])
    assert code == 0, report

    def figure(name: str) -> int:
        found = re.search(rf"{name} +│ +([\d,]+)", report)
        assert found, report
        return int(found[1].replace(",", ""))

    assert figure("events compared") >= 200
    assert figure("kills") >= 4
    assert figure("faults switched on") >= 3
    assert figure("lines of failures") >= 10
    assert figure("differences") == 0
