"""Runs benchmarks: all, or those that are named. `python -m benchmarks --help`."""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.figures import Report, markdown, write
from benchmarks.signals import exit_on_signals

NAMES = (
    "requests",
    "catchup",
    "flat",
    "resting",
    "accounts",
    "scrapes",
    "memory",
    "latency",
    "state",
    "alerts",
    "replicas",
    "history",
    "api",
)
"""The modules with a `measure`. Each is imported when its turn comes: none weighs on another."""


def main() -> int:
    """Measure and print; returns 1 where a figure is out of its bounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_intermixed_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no benchmark is named {', '.join(sorted(unknown))}; try --help")
    exit_on_signals()
    reports = []
    for name in arguments.names or NAMES:
        measure: Callable[[], Report] = import_module(f"benchmarks.{name}").measure
        reports.append(measure())
        sys.stdout.write(markdown(reports[-1]) + "\n\n")
        sys.stdout.flush()
    if arguments.json is not None:
        write(reports, arguments.json)
    return int(not all(figure.kept for report in reports for figure in report.figures))


if __name__ == "__main__":
    sys.exit(main())
