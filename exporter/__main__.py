"""The program: handles signals from the start, and runs the command line.

Importing the commands takes most of a second. As process 1 of a container it only receives signals
that it handles, so SIGTERM would be lost during that time; elsewhere SIGINT would print a
traceback, and SIGHUP, which requests a reload, would terminate it.
"""

import os
import signal
import sys
from typing import NoReturn

from exporter.cli.output import prepared
from exporter.cli.signals import SIGNALS

SERVING = {"run", "demo", "simulate"}
"""Commands that run until they are stopped; for others a signal means that they failed."""


def main() -> None:
    """Run the command line."""
    for each in SIGNALS:  # SIGINT too: shells ignore it in background processes
        signal.signal(each, _end)
    if sys.argv[1:2] == ["run"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with prepared():
        from exporter.cli.main import main as command_line  # noqa: PLC0415 # slow

        command_line()


def _end(number: int, _: object) -> NoReturn:
    # Only until the command installs its own handler: there is nothing to clean up yet. An
    # exception would be raised in whatever is being imported, or be swallowed there.
    os._exit(0 if SERVING.intersection(sys.argv[1:2]) else 128 + number)


if __name__ == "__main__":
    main()
