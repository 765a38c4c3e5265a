"""What it takes to read a history of a million actions: memory, killed halfway and gone on with.

The command and the simulator are processes of their own. None of it depends on how fast it goes.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, Report
from benchmarks.programs import ProgramError, start

HISTORIES = (10_000, 1_000_000)
KEY = "KEY-simulated"
PAGE = 250

MEANING = (
    "The most memory that `history` held (its maximum resident set size), for CSV and for "
    "OpenMetrics of the same history, which is an action every ten seconds. Reading was killed "
    "(SIGKILL) with a part of it in the work file, and gone on with by the same command. The rows "
    "are those of the CSV: each action once."
)


def measure() -> Report:
    """Measure both."""
    few, many = (_read(count) for count in HISTORIES)
    figures = [
        Figure(
            f"history: actions written of {HISTORIES[1]:,}, killed halfway",
            many["rows"],
            "",
            least=HISTORIES[1],
            most=HISTORIES[1],
        ),
    ]
    for what in ("csv", "openmetrics"):
        for count, used in zip(HISTORIES, (few, many), strict=True):
            figures.append(
                Figure(f"history: memory for {what}, {count:,} actions", used[what] / 1e6, "MB")
            )
        figures.append(
            Figure(
                f"history: memory for {what}, {HISTORIES[1]:,} over {HISTORIES[0]:,}",
                many[what] / few[what],
                "x",
                most=1.5,
            )
        )
    figures.append(
        Figure("history: work file, for each action", many["work file"] / HISTORIES[1], "bytes")
    )
    return Report("Reading a history", MEANING, tuple(figures))


def _read(count: int) -> dict[str, float]:
    """Read a history of so many actions; returns bytes of memory by format, and rows of the CSV."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = {"history": count, "history-spacing": 10, "rate": 0, "bulk-every": 0}
        words = [f"--{option}={value}" for option, value in options.items()]
        words += ["--stuck-at-start=0", "--web.listen-address=127.0.0.1:0"]
        simulator = start("simulate", *words, output=folder / "simulator.log")
        try:
            api = simulator.wait_for(r"base_url (http://\S+)/v2")
            settings = {
                "accounts": [{"api_key": KEY, "base_url": f"{api}/v2"}],
                "poll": {"rate_limit": 100_000, "page_size": PAGE},
            }
            (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")  # is YAML
            _break_off(folder, count // 2)
            used = {"csv": _run(folder, "--format", "csv", "--output", "actions.csv")}
        finally:
            simulator.end(signal.SIGKILL)
        with (folder / "actions.csv").open(encoding="utf-8") as file:
            used["rows"] = sum(1 for _ in file) - 1
        used["work file"] = next(folder.glob("telnyx-sim-history-*.db")).stat().st_size
        # All of it was before: the work file is younger than the baseline, by a second.
        begun = f"{(folder / 'config.yaml').stat().st_mtime:.0f}"
        used["openmetrics"] = _run(folder, "--format", "openmetrics", "--baseline", begun)
    return used


def _break_off(folder: Path, read: int) -> None:
    """Kill a reading once so many actions are in the work file."""
    with _history(folder, "--format", "csv", "--output", "actions.csv") as process:
        size = 0
        while size < read * 100:
            files = folder.glob("telnyx-sim-history-*.db*")
            size = sum(each.stat().st_size for each in files)
            if process.poll() is not None:
                raise ProgramError("it ended before it could be killed")
            time.sleep(0.02)
        process.kill()


def _run(folder: Path, *words: str) -> float:
    """Run the command to its end; returns the most memory that it held, in bytes."""
    with _history(folder, *words) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise ProgramError((folder / "history.log").read_text("utf-8"))
    return used.ru_maxrss * 1024.0


def _history(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "exporter", "history", "--config.file", "config.yaml", *words]
    with (folder / "history.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 # our own program
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
        )
